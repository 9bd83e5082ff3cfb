//! What has been said so far: every MAC also covers it, so that messages of two attempts at one
//! session never mix, whoever carries them.

use halfkey_core::wire::CeremonyMessage;

use crate::Error;
use crate::envelope;
use crate::transcript::Transcript;

/// A hash over the session id and the tags of all messages sent and taken, in order.
#[derive(Debug, Clone)]
pub(crate) struct Chain([u8; 32]);

impl Chain {
    /// Nothing said yet.
    pub(crate) const fn new(session: &[u8; 32]) -> Self {
        Self(*session)
    }

    /// The hash that the next message is MACed under.
    pub(crate) const fn head(&self) -> &[u8; 32] {
        &self.0
    }

    /// Appends a message; its tag stands for all of it.
    pub(crate) fn extend(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let (tag, _) = envelope::split_sealed(&message.body.0)
            .ok_or(Error::Bug("a message without a tag was said"))?;
        self.0 = Transcript::new("halfkey-sign-chain-v1")
            .field(&self.0)
            .field(tag)
            .finish();
        Ok(())
    }
}
