//! Finds a secret in anything a program puts out, in every form it could take.

use core::fmt;
use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Bytes of a secret that are searched for together. Half of it would be as bad as the whole, and
/// output cuts long values, so a long secret is searched for in pieces.
const PIECE: usize = 24;

/// Pieces of one secret that are searched for, spread evenly over it.
const MAX_PIECES: usize = 64;

/// Pieces that look like padding or a table are no proof of a leak.
const MIN_DISTINCT: usize = 12;

/// One secret and the forms in which it is looked for.
pub struct Canary {
    name: String,
    forms: Vec<&'static str>,
    needles: AhoCorasick,
}

/// Does not show the secret: a failed assertion prints it.
impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Canary {
    /// A secret that must not be seen; `name` is how a failure calls it.
    ///
    /// Looked for: the bytes, hex in both cases, base64 (both alphabets, at all three alignments),
    /// numbers as `Debug` and JSON print them; for at most 128 bytes also base58.
    pub fn new(name: impl Into<String>, secret: &[u8]) -> Self {
        let name = name.into();
        let mut needles = Vec::new();
        let all: Vec<&[u8]> = secret.chunks_exact(PIECE).collect();
        let step = all.len().div_ceil(MAX_PIECES).max(1);
        let mut pieces: Vec<&[u8]> = all.into_iter().step_by(step).collect();
        pieces.push(secret.last_chunk::<PIECE>().map_or(secret, |last| last));
        pieces.retain(|piece| {
            let distinct: BTreeSet<_> = piece.iter().collect();
            distinct.len() >= MIN_DISTINCT.min(secret.len().div_ceil(2))
        });
        assert!(
            !pieces.is_empty(),
            "{name} has too few different bytes to be told from others"
        );
        for piece in pieces {
            push_forms(&mut needles, piece);
        }
        if secret.len() <= 128 {
            needles.push(("base58", bs58::encode(secret).into_vec()));
        }
        let (forms, needles): (Vec<_>, Vec<_>) = needles.into_iter().unzip();
        Self {
            name,
            forms,
            needles: AhoCorasick::new(needles).unwrap(),
        }
    }

    /// A secret that is text: a password or a token.
    pub fn text(name: impl Into<String>, secret: &str) -> Self {
        Self::new(name, secret.as_bytes())
    }

    /// The form in which `haystack` holds the secret, if it does.
    pub fn find_in(&self, haystack: &[u8]) -> Option<&'static str> {
        let found = self.needles.find(haystack)?;
        self.forms.get(found.pattern().as_usize()).copied()
    }

    /// Fails, naming the place but not the secret, when `haystack` holds it.
    #[track_caller]
    pub fn must_be_absent(&self, place: &str, haystack: &[u8]) {
        if let Some(form) = self.find_in(haystack) {
            panic!("{place} holds {} as {form}", self.name);
        }
    }
}

fn push_forms(needles: &mut Vec<(&'static str, Vec<u8>)>, piece: &[u8]) {
    needles.push(("bytes", piece.to_vec()));
    needles.push(("hex", hex::encode(piece).into_bytes()));
    needles.push(("upper-case hex", hex::encode_upper(piece).into_bytes()));
    for shift in 0..3 {
        needles.push(("base64", inner_base64(&STANDARD_NO_PAD, piece, shift)));
        needles.push(("base64url", inner_base64(&URL_SAFE_NO_PAD, piece, shift)));
    }
    let numbers: Vec<_> = piece.iter().map(u8::to_string).collect();
    needles.push(("a list of numbers", numbers.join(", ").into_bytes()));
    needles.push(("a JSON list", numbers.join(",").into_bytes()));
}

/// The characters that `piece` alone decides when `shift` bytes come before it and any after it.
fn inner_base64(engine: &impl Engine, piece: &[u8], shift: usize) -> Vec<u8> {
    let before = (3_usize.saturating_sub(shift)) % 3;
    let inner = piece.get(before..).unwrap_or_default();
    let whole = inner.len().saturating_sub(inner.len() % 3);
    engine
        .encode(inner.get(..whole).unwrap_or_default())
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use rand_core::RngCore as _;

    use super::*;

    fn secret(length: usize) -> Vec<u8> {
        let mut secret = vec![0; length];
        crate::seeded(1).fill_bytes(&mut secret);
        secret
    }

    #[test]
    fn every_form_is_found_at_every_alignment() {
        for length in [16, 32, 64, 500] {
            let secret = secret(length);
            let canary = Canary::new("seed", &secret);
            for lead in 0..4 {
                let with = [&vec![b'x'; lead][..], &secret, b"tail"].concat();
                for leak in [
                    with.clone(),
                    hex::encode(&with).into_bytes(),
                    hex::encode_upper(&with).into_bytes(),
                    STANDARD.encode(&with).into_bytes(),
                    URL_SAFE.encode(&with).into_bytes(),
                    format!("{with:?}").into_bytes(),
                    serde_json::to_vec(&with).unwrap(),
                ] {
                    assert!(canary.find_in(&leak).is_some(), "{length} {lead}");
                }
            }
            if length <= 128 {
                assert!(
                    canary
                        .find_in(bs58::encode(&secret).into_string().as_bytes())
                        .is_some()
                );
            }
            assert_eq!(canary.find_in(&self::secret(1000)[500..]), None);
        }
    }

    #[test]
    fn part_of_a_long_secret_is_found() {
        let secret = secret(1000);
        let canary = Canary::new("share", &secret);
        assert!(canary.find_in(&secret[300..360]).is_some());
        assert!(
            canary
                .find_in(STANDARD.encode(&secret[..100]).as_bytes())
                .is_some()
        );
        assert_eq!(canary.find_in(&secret[1..20]), None);
    }

    #[test]
    fn a_long_secret_is_found_in_much_output() {
        let secret = secret(52_000);
        let canary = Canary::new("share", &secret);
        let mut output = self::secret(8_000_000);
        output.rotate_left(60_000);
        assert_eq!(canary.find_in(&output[..7_000_000]), None);
        output.extend_from_slice(&secret);
        assert_eq!(canary.find_in(&output[7_990_000..]), Some("bytes"));
    }

    #[test]
    #[should_panic(expected = "the log holds token as bytes")]
    fn a_leak_fails_without_showing_the_secret() {
        Canary::text("token", "hk_0123456789abcdef")
            .must_be_absent("the log", b"hk_0123456789abcdef");
    }

    #[test]
    fn debug_does_not_show_it() {
        let shown = format!("{:?}", Canary::text("token", "hk_0123456789abcdef"));
        assert!(!shown.contains("hk_"));
    }
}
