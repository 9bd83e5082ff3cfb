//! The KEK of a `storage.toml` alone, for a process that keeps its sealed records itself: the
//! provider.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{Clock, EnvironmentId, SecretString};

use super::StorageConfig;
use super::info::{BackendInfo, Tier};
use super::kms;
use super::open::Opening;
use crate::kms::keyring::{Keyring, KeyringManager};
use crate::{DekCache, Error, ManageKey, RewrapKey, UnwrapKey, WrapKey};

/// The sections that say how data keys are wrapped; the others are about stores.
const SECTIONS: [&str; 3] = ["kms", "dek_cache", "retry"];

/// An open KEK: every right over it, and the data keys it may keep in memory.
#[derive(Clone)]
pub struct Keys {
    /// Wraps.
    pub wrap: Arc<dyn WrapKey>,
    /// Unwraps.
    pub unwrap: Arc<dyn UnwrapKey>,
    /// Moves wrapped keys to the newest version.
    pub rewrap: Arc<dyn RewrapKey>,
    /// Looks after it.
    pub manage: Arc<dyn ManageKey>,
    /// What it stands on, for reports.
    pub info: BackendInfo,
    /// Data keys in memory, where the configuration wants that.
    pub dek_cache: Option<Arc<DekCache>>,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl StorageConfig {
    /// Reads a `storage.toml` that may say how data keys are wrapped and nothing else; `None` when
    /// there is no such file.
    ///
    /// # Errors
    /// [`Error::Config`] as [`Self::read`], and for a section about a store.
    pub fn read_keys(path: &Path) -> Result<Option<Self>, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse_keys(&text)
                .map(Some)
                .map_err(|why| Error::Config(format!("{}: {why}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let (path, kind) = (path.display(), error.kind());
                Err(Error::Config(format!("{path}: {kind}")))
            }
        }
    }

    /// The same from text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_keys(text: &str) -> Result<Self, String> {
        let config = Self::parse(text)?;
        let table: toml::Table = toml::from_str(text).map_err(|_| "it is no TOML".to_owned())?;
        match table.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
            Some(other) => Err(format!(
                "`{other}` is not for the provider, which keeps its records in its own database; \
                 it takes kms, dek_cache and retry"
            )),
            None => Ok(config),
        }
    }
}

impl StorageConfig {
    /// Whether the KEK is a keyring in its usual place, as without a `[kms]` section.
    pub fn has_default_keyring(&self) -> bool {
        self.kms.is_default_keyring()
    }
}

impl Keys {
    /// A keyring that is open already, as the KEK; `place` is its file, for reports.
    ///
    /// # Errors
    /// [`Error::Config`] for bounds of a data key cache that cannot be.
    pub fn of_keyring(
        keyring: Arc<Keyring>,
        place: &Path,
        config: &StorageConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let dek_cache = dek_cache(config, &clock)?;
        let manager = KeyringManager::new(Arc::clone(&keyring), clock);
        Ok(Self {
            wrap: Arc::<Keyring>::clone(&keyring),
            unwrap: Arc::<Keyring>::clone(&keyring),
            rewrap: keyring,
            manage: Arc::new(manager),
            info: BackendInfo {
                tier: Tier::Kms,
                kind: "keyring",
                place: place.display().to_string(),
                min_tls: None,
                durable: true,
            },
            dek_cache,
        })
    }

    /// Opens the KEK that `config` names. A keyring's file is looked for in `dir` and has to be
    /// there.
    ///
    /// # Errors
    /// The back-end's; [`Error::Environment`] when the KEK is marked with another environment.
    pub async fn open(
        dir: &Path,
        environment: &EnvironmentId,
        config: &StorageConfig,
        passphrase: Option<&SecretString>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let dek_cache = dek_cache(config, &clock)?;
        let opening = Opening {
            dir,
            environment,
            config,
            passphrase,
            clock,
            node: "",
        };
        let kms = kms::open(&opening).await?;
        Ok(Self {
            wrap: kms.wrap,
            unwrap: kms.unwrap,
            rewrap: kms.rewrap,
            manage: kms.manage,
            info: kms.info,
            dek_cache,
        })
    }
}

fn dek_cache(
    config: &StorageConfig,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<DekCache>>, Error> {
    let limits = config.dek_cache;
    limits
        .map(|limits| limits.make(Arc::clone(clock)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_about_a_store_is_refused_by_name() {
        let kept = "[kms]\nkind = \"keyring\"\n[retry]\ntries = 2\n[dek_cache]\nmax_age_s = 60\n";
        assert!(StorageConfig::parse_keys(kept).is_ok());
        for (text, named) in [
            ("role = \"full\"\n", "`role`"),
            ("[records]\nkind = \"sqlite\"\n", "`records`"),
            ("[cache]\nkind = \"memory\"\n", "`cache`"),
            ("[audit]\ndeadline_ms = 1\n", "`audit`"),
            ("second_vault = \"x\"\n", "`second_vault`"),
        ] {
            let refused = StorageConfig::parse_keys(text).unwrap_err();
            assert!(refused.contains(named), "{refused}");
        }
    }
}
