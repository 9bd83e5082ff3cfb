//! The shape every ceremony has.

use halfkey_core::wire::CeremonyMessage;

use crate::Error;

/// What the driver of a ceremony has to do next.
#[derive(Debug)]
pub enum Action<T> {
    /// Deliver these, then poll again.
    Send(Vec<CeremonyMessage>),
    /// Feed the next message, then poll again.
    Wait,
    /// The ceremony is over; this is its result. Given once.
    Done(T),
    /// The ceremony is over and has wiped its state. Given once.
    Failed(Error),
}

/// One party's side of one run of a protocol. Never opens a socket, reads a clock or draws from a
/// generator it was not given (the ECDSA engine draws its own coins).
pub trait Ceremony: Send {
    /// The result.
    type Output;

    /// Takes one received message. CPU-heavy for ECDSA: call it off the async threads.
    ///
    /// Byte-identical repeats of a message already taken are ignored. An error has ended the
    /// ceremony: [`Ceremony::poll`] then has nothing more to say.
    ///
    /// # Errors
    /// See [`Error`]: who is at fault, and whether it is proven cheating.
    fn message(&mut self, message: &CeremonyMessage) -> Result<(), Error>;

    /// What to do next.
    fn poll(&mut self) -> Action<Self::Output>;
}
