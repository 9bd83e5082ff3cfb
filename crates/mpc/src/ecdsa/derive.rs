//! The wallet's account key: the root's non-hardened BIP-32 child at the registered path.

use dkls23_core::protocols::derivation::DerivData;
use halfkey_core::DerivationPath;
use k256::Secp256k1;

use crate::Error;

/// Derives along `path`. Every party shifts its share by the same public tweaks, so that the joint
/// key becomes the child key.
///
/// # Errors
/// [`Error::Caller`] for the roughly one path in 2¹²⁷ that BIP-32 skips.
pub(crate) fn derive(
    root: &DerivData<Secp256k1>,
    path: &DerivationPath,
) -> Result<DerivData<Secp256k1>, Error> {
    let mut data = root.clone();
    for index in path.indices() {
        data = data
            .derive_child(*index)
            .map_err(|_| Error::Caller("the derivation path has no key (BIP-32)"))?;
    }
    Ok(data)
}
