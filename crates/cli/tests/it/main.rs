//! The `halfkey` binary as its users run it: real processes, real sockets on loopback.

mod bad_input;
mod canary;
mod crash;
mod demo;
mod shares;
mod support;
