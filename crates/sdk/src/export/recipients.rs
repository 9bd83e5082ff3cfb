//! The list of keys that exports may go to (custody rule 28).

use halfkey_core::wire::{AddRecipientRequest, ExportRecipient, RecipientReply, RecipientsReply};
use halfkey_mpc::age::Recipient;

use crate::client::Credential;
use crate::transport::Retry;
use crate::{Result, WalletClient};

const LIST: &str = "waas/exportRecipients";

impl WalletClient {
    /// The keys that exports may go to, and whether every export has to name one of them.
    ///
    /// # Errors
    /// As any call to the provider.
    pub async fn export_recipients(&self) -> Result<RecipientsReply> {
        self.get(&self.environment_route(LIST)).await
    }

    /// Allows exports to `recipient`, from when the provider's delay is over. From the first one
    /// on, every export of the environment has to name one. Needs an API token with the scope
    /// `wallet.recipients`; give it to nobody who also has `wallet.export`. A repeat changes
    /// nothing.
    ///
    /// # Errors
    /// As any call to the provider; `invalid_request` for a name of other than 1 to 100 characters.
    pub async fn add_export_recipient(
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

    /// Forbids exports to `recipient`; as [`Self::add_export_recipient`].
    ///
    /// # Errors
    /// As any call to the provider; `not_found` when it is not on the list.
    pub async fn remove_export_recipient(&self, recipient: &Recipient) -> Result<ExportRecipient> {
        let path = self.environment_route(&format!("{LIST}/{recipient}/remove"));
        let (by, retry) = (Credential::ApiToken, Retry::Never);
        let reply: RecipientReply = self.post_by(by, &path, &(), None, retry).await?;
        Ok(reply.recipient)
    }
}
