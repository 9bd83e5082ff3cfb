//! Ceremonies from outside: both halves, every key type and scheme, checked by independent code.

mod happy;
mod run;
