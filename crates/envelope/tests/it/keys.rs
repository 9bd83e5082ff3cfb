//! Keys for tests, made once.

use std::sync::LazyLock;

use halfkey_core::SecretBytes;
use halfkey_envelope::{EncryptedDelegatedPayload, PrivateKey, RecipientKey, seal};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());
pub(crate) static OTHER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());

pub(crate) fn recipient() -> RecipientKey {
    KEY.recipient_key().unwrap()
}

pub(crate) fn sealed(content: &[u8]) -> EncryptedDelegatedPayload {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let content = SecretBytes::new(content.to_vec());
    seal(&recipient(), &content, &mut rng).unwrap()
}
