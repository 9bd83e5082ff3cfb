//! The secrets of a share, for tests that look for them where they must not be.

use frost_ed25519::keys::SigningShare;
use halfkey_core::SecretBytes;
use k256::elliptic_curve::PrimeField as _;

use super::{KeyMaterial, KeyShare};

impl KeyShare {
    /// Every secret of the share that stands alone: root and account scalar or signing share, seed
    /// share, channel keys.
    ///
    /// # Security
    /// Only with the feature `test-shares`, which no binary enables.
    pub fn secret_canaries(&self) -> Vec<SecretBytes> {
        let mut found: Vec<Vec<u8>> = match &self.material {
            KeyMaterial::Ecdsa(share) => {
                let [root, account] = share.scalars();
                vec![root.to_repr().to_vec(), account.to_repr().to_vec()]
            }
            KeyMaterial::Ed25519(share) => {
                let signing: &SigningShare = share.key.signing_share();
                let mut found = vec![signing.serialize()];
                found.extend(share.seed.as_ref().map(|seed| seed.0.to_vec()));
                found
            }
        };
        found.extend(self.channels.values().map(|key| key.expose().to_vec()));
        found.into_iter().map(SecretBytes::new).collect()
    }
}
