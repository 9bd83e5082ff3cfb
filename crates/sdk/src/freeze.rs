//! Stopping everything at the provider (custody rule 28).

use halfkey_core::WalletId;
use halfkey_core::wire::{
    Freeze, FreezeReply, FreezeRequest, FreezesReply, RevokeOthersReply, UnfreezeRequest,
};

use crate::client::Credential;
use crate::transport::Retry;
use crate::{Result, WalletClient};

impl WalletClient {
    /// Freezes one wallet, or the whole environment: from the reply on, the provider makes, signs,
    /// changes, exports and gives back nothing, and what was under way has ended. It holds through
    /// restarts until [`Self::unfreeze`]. Needs an API token with the scope `wallet.freeze`; a
    /// repeat changes nothing.
    ///
    /// # Security
    /// It binds the provider. The two customer shares of a `TWO_OF_THREE` wallet, and a key that
    /// was ever whole, sign without it (custody rule 2).
    ///
    /// # Errors
    /// As any call to the provider; `invalid_request` for a reason of other than 1 to 500
    /// characters.
    pub async fn freeze(&self, wallet: Option<WalletId>, reason: &str) -> Result<Freeze> {
        let body = FreezeRequest {
            wallet_id: wallet,
            reason: reason.to_owned(),
        };
        let path = self.environment_route("waas/freeze");
        let (by, retry) = (Credential::ApiToken, Retry::Idempotent);
        let reply: FreezeReply = self.post_by(by, &path, &body, None, retry).await?;
        Ok(reply.freeze)
    }

    /// Ends the freeze of exactly this: of a wallet, or of the environment. Needs an API token with
    /// the scope `wallet.unfreeze`.
    ///
    /// # Errors
    /// As any call to the provider; `not_found` when it is not frozen.
    pub async fn unfreeze(&self, wallet: Option<WalletId>) -> Result<Freeze> {
        let body = UnfreezeRequest { wallet_id: wallet };
        let path = self.environment_route("waas/unfreeze");
        let (by, retry) = (Credential::ApiToken, Retry::Never);
        let reply: FreezeReply = self.post_by(by, &path, &body, None, retry).await?;
        Ok(reply.freeze)
    }

    /// What is frozen.
    ///
    /// # Errors
    /// As any call to the provider.
    pub async fn freezes(&self) -> Result<Vec<Freeze>> {
        let path = self.environment_route("waas/freezes");
        let reply: FreezesReply = self.get(&path).await?;
        Ok(reply.freezes)
    }

    /// Revokes every token of the environment but this client's, with the sessions made with them.
    /// Returns their public ids. Needs an API token with the scope `wallet.freeze`; safe to repeat.
    ///
    /// # Errors
    /// As any call to the provider.
    pub async fn revoke_other_tokens(&self) -> Result<Vec<String>> {
        let path = self.environment_route("waas/tokens/revokeOthers");
        let (by, retry) = (Credential::ApiToken, Retry::Idempotent);
        let reply: RevokeOthersReply = self.post_by(by, &path, &(), None, retry).await?;
        Ok(reply.revoked)
    }
}
