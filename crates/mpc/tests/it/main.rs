//! Ceremonies from outside: both halves, every key type and scheme, checked by independent code.

#[cfg(test)]
mod happy;
#[cfg(test)]
mod run;
