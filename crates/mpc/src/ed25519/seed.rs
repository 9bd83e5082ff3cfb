//! The 32-byte seed behind an exportable key, and its shares (mpc design "B").
//!
//! Two parties: XOR. Three parties, any two of which rebuild it: Shamir over GF(2⁸) with the AES
//! polynomial, bytewise, party `i` at `x = i`.

use curve25519_dalek::scalar::{Scalar, clamp_integer};
use halfkey_core::{PartyIndex, ShareSetId, ThresholdSignatureScheme, WalletId};
use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;
use crate::ed25519::seed_reshare;
use crate::rng::BoxRng;
use crate::transcript::Transcript;

const SEED_DOMAIN: &[u8] = b"halfkey-ed25519-seed-v1";

/// A whole seed. Exists only inside the customer's dealer, for the time of dealing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Seed([u8; 32]);

/// One party's share of a seed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct SeedShare(pub(crate) [u8; 32]);

halfkey_core::redacted_debug!(Seed, SeedShare);

impl Seed {
    /// HKDF-SHA256 over the dealer's and the provider's fresh 32 bytes, for one wallet: a weak
    /// generator on one side alone does not make a weak seed.
    pub(crate) fn derive(
        dealer: &[u8; 32],
        provider: &[u8; 32],
        wallet: WalletId,
    ) -> Result<Self, Error> {
        let input = Zeroizing::new([*dealer, *provider].concat());
        let mut seed = Self([0; 32]);
        Hkdf::<Sha256>::new(Some(SEED_DOMAIN), &input)
            .expand(wallet.as_bytes(), &mut seed.0)
            .map_err(|_| Error::Bug("seed length"))?;
        Ok(seed)
    }

    /// A seed made elsewhere.
    pub(crate) const fn imported(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The Ed25519 secret scalar of the seed (RFC 8032, 5.1.5), reduced.
    pub(crate) fn scalar(&self) -> Scalar {
        let mut hash: [u8; 64] = Sha512::digest(self.0).into();
        let mut low = [0_u8; 32];
        low.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        let scalar = Scalar::from_bytes_mod_order(clamp_integer(low));
        hash.zeroize();
        low.zeroize();
        scalar
    }

    /// The public key that a standard wallet derives from the seed.
    pub(crate) fn public_key(&self) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&self.0)
            .verifying_key()
            .to_bytes()
    }

    /// One share per party of `scheme`, in the order of [`PartyIndex::all`].
    pub(crate) fn split(
        &self,
        scheme: ThresholdSignatureScheme,
        rng: &mut BoxRng,
    ) -> Vec<(PartyIndex, SeedShare)> {
        seed_reshare::split(&self.0, scheme, rng)
            .into_iter()
            .collect()
    }
}

impl SeedShare {
    /// What the customer keeps of the provider's share, so that a wrong one is noticed at export.
    /// The share has 256 bits of entropy, so the hash hides it.
    pub(crate) fn commitment(&self, wallet: WalletId, share_set: ShareSetId) -> [u8; 32] {
        Transcript::new("halfkey-seed-share-v1")
            .field(wallet.as_bytes())
            .field(share_set.as_bytes())
            .field(&self.0)
            .finish()
    }
}

/// `value · x` in GF(2⁸) for a public `x` of at most 3, without branches on `value`.
pub(crate) const fn times(value: u8, x: u8) -> u8 {
    let carry = (value >> 7).wrapping_neg();
    let doubled = (value << 1) ^ (carry & 0x1B);
    match x {
        1 => value,
        2 => doubled,
        _ => doubled ^ value,
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn rng() -> BoxRng {
        BoxRng::new(ChaCha20Rng::seed_from_u64(1))
    }

    /// Multiplication by the school method, to check `times` and to rebuild.
    fn gf_mul(mut a: u8, mut b: u8) -> u8 {
        let mut product = 0;
        while b != 0 {
            if b & 1 == 1 {
                product ^= a;
            }
            a = (a << 1) ^ if a & 0x80 == 0 { 0 } else { 0x1B };
            b >>= 1;
        }
        product
    }

    fn gf_inverse(a: u8) -> u8 {
        (1..=255).find(|b| gf_mul(a, *b) == 1).unwrap()
    }

    /// f(0) from f(x1), f(x2).
    fn combine(x1: u8, y1: u8, x2: u8, y2: u8) -> u8 {
        let denominator = gf_inverse(x1 ^ x2);
        gf_mul(y1, gf_mul(x2, denominator)) ^ gf_mul(y2, gf_mul(x1, denominator))
    }

    #[test]
    fn times_is_field_multiplication() {
        for value in 0..=255 {
            for x in 1..=3 {
                assert_eq!(times(value, x), gf_mul(value, x), "{value} · {x}");
            }
        }
    }

    #[test]
    fn two_of_two_shares_xor_to_the_seed() {
        let seed = Seed([7; 32]);
        let shares = seed.split(ThresholdSignatureScheme::TwoOfTwo, &mut rng());
        let (one, two) = (&shares[0].1.0, &shares[1].1.0);
        assert!(one.iter().zip(two).all(|(a, b)| a ^ b == 7));
        assert_ne!(one, two);
    }

    #[test]
    fn any_two_of_three_shares_rebuild_the_seed_and_one_does_not() {
        let mut bytes = [0; 32];
        rng().fill_bytes(&mut bytes);
        let seed = Seed(bytes);
        let shares = seed.split(ThresholdSignatureScheme::TwoOfThree, &mut rng());
        for (i, j) in [(0, 1), (0, 2), (1, 2)] {
            let (a, b) = (&shares[i], &shares[j]);
            let rebuilt: Vec<u8> =
                a.1.0
                    .iter()
                    .zip(b.1.0)
                    .map(|(y1, y2)| combine(a.0.as_u8(), *y1, b.0.as_u8(), y2))
                    .collect();
            assert_eq!(rebuilt, bytes);
        }
        assert!(shares.iter().all(|(_, share)| share.0 != bytes));
    }

    #[test]
    fn the_scalar_and_the_standard_public_key_belong_together() {
        let seed = Seed([9; 32]);
        let point = curve25519_dalek::constants::ED25519_BASEPOINT_POINT * seed.scalar();
        assert_eq!(point.compress().to_bytes(), seed.public_key());
    }

    #[test]
    fn both_contributions_and_the_wallet_change_the_seed() {
        let wallet = WalletId::from_bytes([1; 16]);
        let base = Seed::derive(&[1; 32], &[2; 32], wallet).unwrap().0;
        assert_ne!(Seed::derive(&[3; 32], &[2; 32], wallet).unwrap().0, base);
        assert_ne!(Seed::derive(&[1; 32], &[3; 32], wallet).unwrap().0, base);
        let other = WalletId::from_bytes([2; 16]);
        assert_ne!(Seed::derive(&[1; 32], &[2; 32], other).unwrap().0, base);
    }
}
