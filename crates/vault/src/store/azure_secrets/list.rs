//! Listing, page by page.

use azure_core::http::pager::{PagerContinuation, PagerOptions};
use azure_security_keyvault_secrets::models::SecretClientListSecretPropertiesOptions;
use futures_util::TryStreamExt as _;
use url::Url;

use super::AzureSecrets;
use crate::Error;
use crate::net::azure::object_id;
use crate::store::secret::SecretPage;

impl AzureSecrets {
    /// One page of the whole vault, without what is not ours: it can be empty and not the last.
    pub(super) async fn page(&self, after: Option<&str>) -> Result<SecretPage, Error> {
        let continuation = after.map(|after| self.continuation(after)).transpose()?;
        let call = async {
            let options = SecretClientListSecretPropertiesOptions {
                method_options: PagerOptions {
                    continuation,
                    ..PagerOptions::default()
                },
                ..SecretClientListSecretPropertiesOptions::default()
            };
            let mut pages = self
                .client
                .list_secret_properties(Some(options))?
                .into_pages();
            let page = match pages.try_next().await? {
                Some(page) => page.into_model()?.value,
                None => Vec::new(),
            };
            Ok((page, pages.into_continuation()))
        };
        let (page, next) = self.calls.run(call).await?;
        let names = page
            .iter()
            .filter_map(|secret| object_id(&self.vault, "secrets", secret.id.as_deref()?))
            .map(|(name, _)| name);
        Ok(SecretPage {
            ids: names.filter_map(|name| self.names.id(name)).collect(),
            next: next.map(String::from),
        })
    }

    /// The place is the vault's own link to the next page; it must lead back to the same listing.
    fn continuation(&self, after: &str) -> Result<PagerContinuation, Error> {
        Url::parse(after)
            .ok()
            .filter(|url| url.origin() == self.vault.origin())
            .filter(|url| url.path().trim_end_matches('/') == "/secrets")
            .map(PagerContinuation::Link)
            .ok_or(Error::Caller("that is no place in a listing"))
    }
}
