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
const FRAGMENT_DOMAIN: &[u8] = b"halfkey-fragment-pad-v1";
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

/// Longest private part that fits under a [`FragmentPad`]: the longer one (ECDSA) has 65 bytes.
const FRAGMENT_MAX: usize = 96;

/// A one-time pad for what the provider says to one customer in message 2: its polynomial at that
/// customer's index. Nobody between the halves reads two evaluations of it (custody rule 1).
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct FragmentPad([u8; FRAGMENT_MAX]);

halfkey_core::redacted_debug!(FragmentPad);

impl FragmentPad {
    /// Pads or unpads in place what `from` says. Takes the pad: it is used once.
    pub(crate) fn apply(self, from: PartyIndex, bytes: &mut [u8]) -> Result<(), Error> {
        let what = "private part too long";
        let pad = self.0.get(..bytes.len());
        let pad = pad.ok_or(Error::Refused { from, what })?;
        bytes
            .iter_mut()
            .zip(pad)
            .for_each(|(byte, pad)| *byte ^= pad);
        Ok(())
    }
}

/// What two parties agree on in keygen.
pub(crate) struct Channel {
    pub(crate) key: ChannelKey,
    pub(crate) deal_pad: DealPad,
    /// From the lower index to the higher: from the provider to a customer.
    pub(crate) fragment_pad: FragmentPad,
}

impl Channel {
    /// Steps 1.5 and 1.6: HKDF-SHA256 over the X25519 secret, salted with the first-round transcript, for
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
        let mut fragment_pad = FragmentPad([0; FRAGMENT_MAX]);
        kdf.expand_multi_info(&[CHANNEL_DOMAIN, &pair], &mut key.0)
            .and_then(|()| kdf.expand_multi_info(&[PAD_DOMAIN, &pair], deal_pad.as_mut()))
            .and_then(|()| kdf.expand_multi_info(&[FRAGMENT_DOMAIN, &pair], &mut fragment_pad.0))
            .map_err(|_| Error::Bug("channel key length"))?;
        Ok(Self {
            key,
            deal_pad,
            fragment_pad,
        })
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
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    fn tag(&self, session: &[u8; 32], step: Step, ends: Ends, payload: &[u8]) -> [u8; TAG_LEN] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of 32 bytes");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pads(own: PartyIndex, peer: PartyIndex, salt: [u8; 32]) -> [Vec<u8>; 2] {
        let secret = |party: PartyIndex| StaticSecret::from([party.as_u8(); 32]);
        let public = PublicKey::from(&secret(peer)).to_bytes();
        let channel = Channel::agree(own, &secret(own), peer, &public, &salt).unwrap();
        let mut padded = vec![0; FRAGMENT_MAX];
        channel.fragment_pad.apply(own, &mut padded).unwrap();
        [
            padded,
            [channel.key.0.as_slice(), channel.deal_pad.as_slice()].concat(),
        ]
    }

    #[test]
    fn the_fragment_pad_is_the_pairs_alone_and_fresh() {
        let (p, c1, c2) = (
            PartyIndex::PROVIDER,
            PartyIndex::CUSTOMER_1,
            PartyIndex::CUSTOMER_2,
        );
        let [pad, others] = pads(p, c1, [1; 32]);
        assert_eq!(pads(c1, p, [1; 32])[0], pad, "both ends have it");
        assert_ne!(pads(p, c2, [1; 32])[0], pad);
        assert_ne!(pads(p, c1, [2; 32])[0], pad, "another run has another");
        for window in pad.windows(32) {
            assert!(!others.windows(32).any(|other| other == window));
        }
    }

    /// From another implementation: HMAC-SHA256 under 32 × 5 over the four fields, each with its
    /// length in front.
    #[test]
    fn the_tag_is_hmac_over_every_field() {
        let key = ChannelKey([5; 32]);
        let ends = Ends {
            from: PartyIndex::PROVIDER,
            to: PartyIndex::CUSTOMER_1,
        };
        let tag = key.tag(&[6; 32], Step::Two, ends, b"payload");
        let expected = "38b26f7d7182d63ff1397ab939e526d2a6c6224ff706d1d378c2099bd8b02f33";
        assert_eq!(hex::encode(tag), expected);
    }

    #[test]
    fn what_is_longer_than_the_pad_is_refused_and_left_alone() {
        let mut long = [7; FRAGMENT_MAX + 1];
        let from = PartyIndex::PROVIDER;
        let error = FragmentPad([1; FRAGMENT_MAX]).apply(from, &mut long);
        let what = "private part too long";
        assert_eq!(error, Err(Error::Refused { from, what }));
        assert_eq!(long, [7; FRAGMENT_MAX + 1]);
    }
}
