use ed25519_dalek::VerifyingKey;

use crate::identity::ProviderIdentity;
use crate::{Error, Result, WalletClient};

impl WalletClient {
    pub(super) async fn find_identity(&self) -> Result<VerifyingKey> {
        match self.inner.configured_identity {
            Some(ProviderIdentity::Key(key)) => Ok(key),
            Some(expected) => {
                let key = self.fetch_identity().await?;
                if expected.is(&key) {
                    Ok(key)
                } else {
                    Err(Error::ProviderIdentityMismatch)
                }
            }
            None => Err(Error::ProviderIdentityRequired),
        }
    }

    /// Goes on with the identity pinned in the vault tier; what is configured must be the same.
    #[cfg(feature = "vault")]
    pub(crate) async fn adopt_pinned_identity(&self, pinned: VerifyingKey) -> Result<()> {
        if self
            .inner
            .configured_identity
            .is_some_and(|configured| !configured.is(&pinned))
        {
            return Err(Error::ProviderIdentityMismatch);
        }
        let known = self
            .inner
            .identity
            .get_or_try_init(|| async { Result::Ok(pinned) })
            .await?;
        if *known == pinned {
            Ok(())
        } else {
            Err(Error::ProviderIdentityMismatch)
        }
    }
}
