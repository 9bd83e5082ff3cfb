//! `[kms]`: opening the KEK provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::info::{BackendInfo, Tier};
use super::open::Opening;
#[cfg(any(feature = "_http", feature = "pkcs11"))]
use crate::Steady;
use crate::embedded::KEYRING;
#[cfg(feature = "aws")]
use crate::kms::aws::{AwsKek, AwsKekConfig};
#[cfg(feature = "azure")]
use crate::kms::azure::{AzureKek, AzureKekConfig};
#[cfg(feature = "gcp")]
use crate::kms::gcp::{GcpKek, GcpKekConfig};
use crate::kms::keyring::{Keyring, KeyringManager};
#[cfg(feature = "pkcs11")]
use crate::kms::pkcs11::{Pkcs11Config, Pkcs11Kek};
#[cfg(feature = "openbao")]
use crate::kms::transit::{TransitConfig, TransitKek};
#[cfg(any(feature = "_http", feature = "pkcs11"))]
use crate::net::MinTls;
use crate::{Error, ManageKey, RewrapKey, UnwrapKey, WrapKey};

/// Which KEK provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum KmsConfig {
    /// A keyring file; see [`Keyring`].
    Keyring(KeyringConfig),
    /// AWS KMS.
    #[cfg(feature = "aws")]
    AwsKms(AwsKekConfig),
    /// Azure Key Vault or Managed HSM.
    #[cfg(feature = "azure")]
    AzureKms(AzureKekConfig),
    /// Google Cloud KMS.
    #[cfg(feature = "gcp")]
    GcpKms(GcpKekConfig),
    /// An HSM.
    #[cfg(feature = "pkcs11")]
    Pkcs11(Pkcs11Config),
    /// HashiCorp Vault or OpenBao, transit.
    #[cfg(feature = "openbao")]
    Transit(TransitConfig),
}

impl Default for KmsConfig {
    fn default() -> Self {
        Self::Keyring(KeyringConfig::default())
    }
}

impl KmsConfig {
    /// Whether it is a keyring in its usual place.
    pub(super) fn is_default_keyring(&self) -> bool {
        #[cfg_attr(
            not(any(feature = "_http", feature = "pkcs11")),
            expect(irrefutable_let_patterns, reason = "the one kind of this build")
        )]
        if let Self::Keyring(config) = self {
            config.path.is_none()
        } else {
            false
        }
    }

    /// Where the keyring file is, for a keyring.
    pub(super) fn keyring_path(&self, dir: &Path) -> Option<PathBuf> {
        #[cfg_attr(
            not(any(feature = "_http", feature = "pkcs11")),
            expect(irrefutable_let_patterns, reason = "the one kind of this build")
        )]
        if let Self::Keyring(config) = self {
            Some(config.path(dir))
        } else {
            None
        }
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
    fn path(&self, dir: &Path) -> PathBuf {
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
    /// A provider elsewhere, under the deadlines and retries of the configuration.
    #[cfg(any(feature = "_http", feature = "pkcs11"))]
    fn remote<T>(kek: T, kind: &'static str, min_tls: Option<MinTls>, opening: &Opening<'_>) -> Self
    where
        T: WrapKey + UnwrapKey + RewrapKey + ManageKey + 'static,
    {
        let info = BackendInfo {
            tier: Tier::Kms,
            kind,
            place: kek.kek_uri().to_owned(),
            min_tls,
            durable: true,
        };
        let policy = opening.config.retry.policy();
        let steady = Arc::new(Steady::new(Arc::new(kek), kind, policy));
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
        #[cfg(feature = "aws")]
        KmsConfig::AwsKms(config) => {
            let kek = AwsKek::open(config, opening.environment).await?;
            let tls = Some(config.tls.min_tls);
            Ok(Kms::remote(kek, "aws-kms", tls, opening))
        }
        #[cfg(feature = "azure")]
        KmsConfig::AzureKms(config) => {
            let kek = AzureKek::open(config, opening.environment).await?;
            let tls = Some(config.tls.min_tls);
            Ok(Kms::remote(kek, "azure-kms", tls, opening))
        }
        #[cfg(feature = "gcp")]
        KmsConfig::GcpKms(config) => {
            let kek = GcpKek::open(config, opening.environment).await?;
            let tls = Some(config.tls.min_tls);
            Ok(Kms::remote(kek, "gcp-kms", tls, opening))
        }
        #[cfg(feature = "pkcs11")]
        KmsConfig::Pkcs11(config) => {
            let clock = Arc::clone(&opening.clock);
            let kek = Pkcs11Kek::open(config, opening.environment, clock).await?;
            Ok(Kms::remote(kek, "pkcs11", None, opening))
        }
        #[cfg(feature = "openbao")]
        KmsConfig::Transit(config) => {
            let kek = TransitKek::open(config, opening.environment).await?;
            let tls = Some(config.server.tls.min_tls);
            Ok(Kms::remote(kek, "transit", tls, opening))
        }
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
