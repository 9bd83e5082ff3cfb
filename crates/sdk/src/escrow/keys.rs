use halfkey_core::wire::{AddRecipientRequest, EscrowKeysReply, ExportRecipient, RecipientReply};
use halfkey_mpc::age::Recipient;

use crate::client::Credential;
use crate::transport::Retry;
use crate::{Result, WalletClient};

const LIST: &str = "waas/escrowKeys";

impl WalletClient {
    /// The environment's escrow keys, and which of them is in force.
    ///
    /// # Errors
    /// As any call to the provider.
    pub async fn escrow_keys(&self) -> Result<EscrowKeysReply> {
        self.get(&self.environment_route(LIST)).await
    }

    /// Registers an escrow key. From when the provider's delay is over, a generation of a
    /// `TWO_OF_TWO` wallet is committed only once the provider's share is sealed to it and the
    /// customer has stored that. Needs an API token with the scope `wallet.recipients`. A repeat
    /// changes nothing.
    ///
    /// # Security
    /// Whoever has the key's identity and a customer share has the wallet: keep the two in
    /// different hands.
    ///
    /// # Errors
    /// As any call to the provider; `invalid_request` for a name of other than 1 to 100 characters.
    pub async fn add_escrow_key(
        &self,
        recipient: &Recipient,
        name: &str,
    ) -> Result<ExportRecipient> {
        let body = AddRecipientRequest {
            recipient: recipient.to_string(),
            name: name.to_owned(),
        };
        let path = self.environment_route(LIST);
        let (by, retry) = (Credential::ApiToken, Retry::Idempotent);
        let reply: RecipientReply = self.post_by(by, &path, &body, None, retry).await?;
        Ok(reply.recipient)
    }

    /// Ends an escrow key: nothing is sealed to it any more, and what was, stays. Without another
    /// one, commits go without escrow. As [`Self::add_escrow_key`].
    ///
    /// # Errors
    /// As any call to the provider; `not_found` when it is not registered.
    pub async fn remove_escrow_key(&self, recipient: &Recipient) -> Result<ExportRecipient> {
        let path = self.environment_route(&format!("{LIST}/{recipient}/remove"));
        let (by, retry) = (Credential::ApiToken, Retry::Never);
        let reply: RecipientReply = self.post_by(by, &path, &(), None, retry).await?;
        Ok(reply.recipient)
    }
}
