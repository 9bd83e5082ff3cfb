//! `[kms]`: opening the KEK provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::info::{BackendInfo, Tier};
use super::open::Opening;
use crate::embedded::KEYRING;
use crate::kms::keyring::{Keyring, KeyringManager};
use crate::{Error, ManageKey, RewrapKey, Steady, UnwrapKey, WrapKey};

/// Which KEK provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum KmsConfig {
    /// A keyring file; see [`Keyring`].
    Keyring(KeyringConfig),
}

impl Default for KmsConfig {
    fn default() -> Self {
        Self::Keyring(KeyringConfig::default())
    }
}

/// `kind = "keyring"`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyringConfig {
    /// The file; `keyring.json` in the data directory when absent.
    #[serde(default)]
    path: Option<PathBuf>,
}

impl KeyringConfig {
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        let path = self.path.as_deref().unwrap_or(Path::new(KEYRING));
        dir.join(path)
    }
}

/// The rights over one KEK.
pub(super) struct Kms {
    pub(super) wrap: Arc<dyn WrapKey>,
    pub(super) unwrap: Arc<dyn UnwrapKey>,
    pub(super) rewrap: Arc<dyn RewrapKey>,
    pub(super) manage: Arc<dyn ManageKey>,
    pub(super) info: BackendInfo,
}

impl Kms {
    /// A remote provider, under the deadlines and retries of the configuration.
    #[cfg_attr(
        not(any(feature = "_http", feature = "pkcs11")),
        expect(dead_code, reason = "no remote provider is built in")
    )]
    pub(super) fn steady<T>(kek: T, info: BackendInfo, opening: &Opening<'_>) -> Self
    where
        T: WrapKey + UnwrapKey + RewrapKey + ManageKey + 'static,
    {
        let steady = Steady::new(Arc::new(kek), info.kind, opening.config.retry.policy());
        let steady = Arc::new(steady);
        Self {
            wrap: Arc::<Steady<T>>::clone(&steady),
            unwrap: Arc::<Steady<T>>::clone(&steady),
            rewrap: Arc::<Steady<T>>::clone(&steady),
            manage: steady,
            info,
        }
    }
}

/// Opens the KEK provider of the configuration.
pub(super) async fn open(opening: &Opening<'_>) -> Result<Kms, Error> {
    match &opening.config.kms {
        KmsConfig::Keyring(config) => keyring(config, opening).await,
    }
}

async fn keyring(config: &KeyringConfig, opening: &Opening<'_>) -> Result<Kms, Error> {
    let path = config.path(opening.dir);
    let keyring = Arc::new(opening.open_keyring(&path).await?);
    let manager = KeyringManager::new(Arc::clone(&keyring), Arc::clone(&opening.clock));
    Ok(Kms {
        wrap: Arc::<Keyring>::clone(&keyring),
        unwrap: Arc::<Keyring>::clone(&keyring),
        rewrap: keyring,
        manage: Arc::new(manager),
        info: BackendInfo {
            tier: Tier::Kms,
            kind: "keyring",
            place: path.display().to_string(),
            min_tls: None,
            durable: true,
        },
    })
}
