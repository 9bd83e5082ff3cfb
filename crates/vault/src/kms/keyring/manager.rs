//! Looking after a local keyring.

use std::sync::Arc;

use async_trait::async_trait;
use halfkey_core::Clock;

use super::Keyring;
use crate::{Error, KekInfo, KekState, KekVersion, ManageKey};

/// The right to add terms. A term of a keyring cannot be disabled: whoever holds the file holds
/// every term.
#[derive(Debug, Clone)]
pub struct KeyringManager {
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

impl KeyringManager {
    /// Over an open keyring; `clock` dates new terms.
    pub const fn new(keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self { keyring, clock }
    }
}

#[async_trait]
impl ManageKey for KeyringManager {
    async fn info(&self) -> Result<KekInfo, Error> {
        let keyring = Arc::clone(&self.keyring);
        blocking(move || keyring.reload()).await?;
        let terms = self.keyring.terms().into_iter();
        let versions = terms.map(|term| KekVersion {
            version: term.number.to_string(),
            created_at: Some(term.created_at),
            state: KekState::Enabled,
        });
        Ok(KekInfo {
            uri: self.keyring.uri().to_owned(),
            environment: self.keyring.environment().clone(),
            versions: versions.collect(),
            hardware_or_remote: false,
        })
    }

    async fn rotate(&self) -> Result<String, Error> {
        let (keyring, clock) = (Arc::clone(&self.keyring), Arc::clone(&self.clock));
        let add = move || {
            // Another process may have added a term since this one opened the file.
            keyring.reload()?;
            keyring.add_term(&*clock)
        };
        Ok(blocking(add).await?.to_string())
    }

    async fn disable(&self, _version: &str) -> Result<(), Error> {
        Err(Error::Forbidden("disable a single term of a keyring file"))
    }

    async fn enable(&self, _version: &str) -> Result<(), Error> {
        Err(Error::Forbidden("enable a single term of a keyring file"))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::permanent("a background thread stopped")))
}
