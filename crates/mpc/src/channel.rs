//! The pairwise channel key and the MAC that every later message carries (custody rule 17).

use halfkey_core::PartyIndex;
use halfkey_core::wire::{Blob, CeremonyMessage};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;
use crate::envelope::{self, Step};
use crate::transcript::absorb;

const CHANNEL_DOMAIN: &[u8] = b"halfkey-channel-v1";
const PAD_DOMAIN: &[u8] = b"halfkey-deal-pad-v1";
const MAC_DOMAIN: &[u8] = b"halfkey-mac-v1";

/// Length of a tag.
pub(crate) const TAG_LEN: usize = 32;

/// A key that exactly two parties of a wallet hold.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct ChannelKey([u8; 32]);

halfkey_core::redacted_debug!(ChannelKey);

/// A one-time pad for what the dealer sends to one other party: 32 bytes for the key share, 32 for
/// the seed share. Nobody between the halves reads a dealt share.
pub(crate) type DealPad = Zeroizing<[u8; 64]>;

/// What two parties agree on in keygen.
pub(crate) struct Channel {
    pub(crate) key: ChannelKey,
    pub(crate) deal_pad: DealPad,
}

impl Channel {
    /// Step 1.6: HKDF-SHA256 over the X25519 secret, salted with the first-round transcript, for
    /// the pair (`own`, `peer`).
    pub(crate) fn agree(
        own: PartyIndex,
        secret: &StaticSecret,
        peer: PartyIndex,
        peer_public: &[u8; 32],
        salt: &[u8; 32],
    ) -> Result<Self, Error> {
        let shared = secret.diffie_hellman(&PublicKey::from(*peer_public));
        if !shared.was_contributory() {
            return Err(Error::Refused {
                from: peer,
                what: "ephemeral key of low order",
            });
        }
        let pair = [own.min(peer).as_u8(), own.max(peer).as_u8()];
        let kdf = Hkdf::<Sha256>::new(Some(salt), shared.as_bytes());
        let mut key = ChannelKey([0; 32]);
        let mut deal_pad = Zeroizing::new([0; 64]);
        kdf.expand_multi_info(&[CHANNEL_DOMAIN, &pair], &mut key.0)
            .and_then(|()| kdf.expand_multi_info(&[PAD_DOMAIN, &pair], deal_pad.as_mut()))
            .map_err(|_| Error::Bug("channel key length"))?;
        Ok(Self { key, deal_pad })
    }
}

impl ChannelKey {
    /// The key with these bytes.
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for the share encoding.
    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA256 over (domain, session, step, direction, payload). The session is a hash of
    /// everything else that both sides must agree on.
    fn tag(&self, session: &[u8; 32], step: Step, ends: Ends, payload: &[u8]) -> [u8; TAG_LEN] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return [0; TAG_LEN]; // HMAC takes keys of every length.
        };
        absorb(&mut mac, MAC_DOMAIN);
        absorb(&mut mac, session);
        absorb(
            &mut mac,
            &[step.number(), ends.from.as_u8(), ends.to.as_u8()],
        );
        absorb(&mut mac, payload);
        mac.finalize().into_bytes().into()
    }

    /// The MACed message of `step`.
    pub(crate) fn seal(
        &self,
        session: &[u8; 32],
        step: Step,
        ends: Ends,
        payload: &[u8],
    ) -> CeremonyMessage {
        let tag = self.tag(session, step, ends, payload);
        ends.message(envelope::frame_sealed(step, &tag, payload))
    }

    /// The payload of a MACed message, if its tag is right. Nothing of it is looked at before.
    pub(crate) fn open<'a>(
        &self,
        session: &[u8; 32],
        step: Step,
        ends: Ends,
        body: &'a [u8],
    ) -> Result<&'a [u8], Error> {
        let refused = |what| Error::Refused {
            from: ends.from,
            what,
        };
        let (tag, payload) = envelope::split_sealed(body).ok_or(refused("too short"))?;
        let expected = self.tag(session, step, ends, payload);
        if bool::from(expected.ct_eq(tag)) {
            Ok(payload)
        } else {
            Err(refused("wrong MAC"))
        }
    }
}

/// The two ends of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) from: PartyIndex,
    pub(crate) to: PartyIndex,
}

impl Ends {
    /// A message between these ends.
    pub(crate) fn message(self, body: Vec<u8>) -> CeremonyMessage {
        CeremonyMessage {
            from: self.from,
            to: self.to,
            body: Blob(body),
        }
    }
}
