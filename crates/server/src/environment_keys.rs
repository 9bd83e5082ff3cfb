//! One environment's secrets: the KEK that wraps its keys, and what is sealed under it beside the
//! database.
//!
//! The KEK is a keyring file unless `storage.toml` in the environment's directory names another. A
//! keyring that stands beside such a file goes on unwrapping what it wrapped, so that shares can be
//! moved while the provider serves ([`crate::keys`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use halfkey_core::random::{RngCore as _, os_rng};
use halfkey_core::{
    AttemptId, ChainName, Clock, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, SecretString, ShareSetId, ThresholdSignatureScheme, WalletId,
};
use halfkey_vault::kms::ByUri;
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::storage::Keys;
use halfkey_vault::{
    Access, BindCtx, Purpose, RecordPurpose, SealedRecord, StorageConfig, UnwrapKey, Vault,
    VaultParts,
};

use crate::Error;
use crate::audit_sink::DbSink;
use crate::provider_dir::{create_private_dir, read_if_there, write_durably};

/// What says how an environment's keys are wrapped.
const CONFIG: &str = "storage.toml";
/// The URI of the KEK that the provider which runs wraps with.
const SERVING: &str = "kek.serving";

/// Which of an environment's own secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OwnSecret {
    /// The Ed25519 identity key (custody rule 17).
    Identity,
    /// The key that authenticates session tokens.
    Session,
}

impl OwnSecret {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Identity, Self::Session];

    const fn file(self) -> &'static str {
        match self {
            Self::Identity => "identity.sealed",
            Self::Session => "session-key.sealed",
        }
    }

    /// Tells the two apart in what they are bound to.
    const fn number(self) -> u8 {
        match self {
            Self::Identity => 1,
            Self::Session => 2,
        }
    }
}

/// Where one environment's secrets are, and the KEKs that open them.
pub(crate) struct EnvironmentKeys {
    dir: PathBuf,
    environment: EnvironmentId,
    /// What new keys are wrapped with.
    keys: Keys,
    /// That, and the keyring of before.
    unwrap: Arc<ByUri>,
    clock: Arc<dyn Clock>,
}

/// How an environment's keys are opened.
pub(crate) struct OpenKeys<'a> {
    /// The environment's directory.
    pub(crate) dir: PathBuf,
    /// The environment; a KEK of another one is refused.
    pub(crate) environment: &'a EnvironmentId,
    /// Opens the keyring, if it has one.
    pub(crate) passphrase: Option<&'a SecretString>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether a keyring is made where there is none and no other KEK is named.
    pub(crate) may_create: bool,
}

impl EnvironmentKeys {
    /// Opens the KEK of the environment, and beside it the keyring that was there before.
    pub(crate) async fn open(how: OpenKeys<'_>) -> Result<Self, Error> {
        let configured = StorageConfig::read_keys(&how.dir.join(CONFIG))?;
        let config = configured.clone().unwrap_or_default();
        let elsewhere = configured.filter(|config| !config.has_default_keyring());
        let keyring = keyring(&how, elsewhere.is_none()).await?;
        let clock = &how.clock;
        let mut keks = Vec::with_capacity(2);
        let keys = match (elsewhere, &keyring) {
            (None, Some((path, keyring))) => {
                Keys::of_keyring(Arc::clone(keyring), path, &config, Arc::clone(clock))?
            }
            (None, None) => return Err(Error::NotFound("keyring")),
            (Some(config), keyring) => {
                let (dir, environment) = (&how.dir, how.environment);
                let passphrase = how.passphrase;
                let keys = Keys::open(dir, environment, &config, passphrase, Arc::clone(clock));
                if let Some((_, keyring)) = keyring {
                    let unwrap: Arc<dyn UnwrapKey> = Arc::<Keyring>::clone(keyring);
                    keks.push((keyring.uri().to_owned(), unwrap));
                }
                keys.await?
            }
        };
        keks.push((keys.rewrap.kek_uri().to_owned(), Arc::clone(&keys.unwrap)));
        Ok(Self {
            dir: how.dir,
            environment: how.environment.clone(),
            keys,
            unwrap: Arc::new(ByUri::new(keks)),
            clock: how.clock,
        })
    }

    /// Keeps `text` as the `storage.toml` of the environment directory `dir`.
    pub(crate) fn configure(dir: &Path, text: &str) -> Result<(), Error> {
        write_durably(&dir.join(CONFIG), text.as_bytes())
    }

    /// Where the keyring file of the environment directory `dir` is.
    pub(crate) fn keyring_path(dir: &Path) -> PathBuf {
        dir.join("keyring")
    }

    /// A barrier whose events go to `audit`. It seals and opens; storing is the database's.
    pub(crate) fn vault(&self, audit: Arc<DbSink>) -> Vault {
        let unwrap: Arc<dyn UnwrapKey> = Arc::<ByUri>::clone(&self.unwrap);
        let vault = Vault::new(VaultParts {
            wrap: Some(Arc::clone(&self.keys.wrap)),
            unwrap: Some(unwrap),
            put: None,
            get: None,
            list: None,
            destroy: None,
            audit,
            clock: Arc::clone(&self.clock),
        });
        match &self.keys.dek_cache {
            Some(cache) => vault.with_dek_cache(Arc::clone(cache)),
            None => vault,
        }
    }

    /// What new keys are wrapped with.
    pub(crate) const fn kek(&self) -> &Keys {
        &self.keys
    }

    /// Every KEK there is here.
    pub(crate) const fn unwrap(&self) -> &Arc<ByUri> {
        &self.unwrap
    }

    /// Forgets data keys in memory (custody rule 24).
    pub(crate) fn forget(&self) {
        if let Some(cache) = &self.keys.dek_cache {
            cache.clear();
        }
    }

    /// Says which KEK this process, which serves, wraps with.
    pub(crate) fn announce(&self) -> Result<(), Error> {
        let uri = self.keys.rewrap.kek_uri();
        write_durably(&self.dir.join(SERVING), uri.as_bytes())
    }

    /// Whether the process that serves, or served last, knows the KEK of now.
    pub(crate) fn is_announced(&self) -> Result<bool, Error> {
        let announced = read_if_there(&self.dir.join(SERVING))?;
        Ok(announced.is_some_and(|uri| uri == self.keys.rewrap.kek_uri().as_bytes()))
    }

    /// One of the environment's own secrets as it is sealed, and what it is bound to.
    pub(crate) fn sealed(
        &self,
        secret: OwnSecret,
    ) -> Result<Option<(SealedRecord, BindCtx)>, Error> {
        let path = self.dir.join(secret.file());
        let Some(bytes) = read_if_there(&path)? else {
            return Ok(None);
        };
        let record = SealedRecord::from_bytes(&bytes).map_err(|why| Error::SealedFile {
            path,
            why: why.to_owned(),
        })?;
        Ok(Some((record, self.context(secret))))
    }

    /// Puts the same secret, wrapped otherwise, in its place.
    pub(crate) fn replace(&self, secret: OwnSecret, record: &SealedRecord) -> Result<(), Error> {
        write_durably(&self.dir.join(secret.file()), record.as_bytes())
    }

    /// Opens one of the environment's own secrets; `None` when it was never made.
    pub(crate) async fn load(
        &self,
        secret: OwnSecret,
        audit: Arc<DbSink>,
    ) -> Result<Option<SecretBytes>, Error> {
        let Some((record, context)) = self.sealed(secret)? else {
            return Ok(None);
        };
        let opened = self.vault(audit).open(&context, &record, &access()).await?;
        if opened.len() != 32 {
            return Err(Error::SealedFile {
                path: self.dir.join(secret.file()),
                why: "it is not 32 bytes long".to_owned(),
            });
        }
        Ok(Some(opened))
    }

    /// Opens one of the environment's own secrets, after making and sealing it if need be.
    pub(crate) async fn load_or_create(
        &self,
        secret: OwnSecret,
        audit: Arc<DbSink>,
    ) -> Result<SecretBytes, Error> {
        if let Some(found) = self.load(secret, Arc::clone(&audit)).await? {
            return Ok(found);
        }
        let mut bytes = vec![0; 32];
        os_rng().fill_bytes(&mut bytes);
        let bytes = SecretBytes::new(bytes);
        let vault = self.vault(Arc::clone(&audit));
        let record = vault.seal(&self.context(secret), &bytes, &access()).await?;
        write_durably(&self.dir.join(secret.file()), record.as_bytes())?;
        // What counts is what can be read back.
        self.load(secret, audit)
            .await?
            .ok_or(Error::Bug("a file just written is not there"))
    }

    fn context(&self, secret: OwnSecret) -> BindCtx {
        let id = [secret.number(); 16];
        BindCtx {
            environment: self.environment.clone(),
            chain: ChainName::Evm,
            account_address: String::new(),
            wallet: WalletId::from_bytes(id),
            key_share: KeyShareId::from_bytes(id),
            share_set: ShareSetId::from_bytes(id),
            party: PartyIndex::PROVIDER,
            scheme: ThresholdSignatureScheme::TwoOfTwo,
            purpose: RecordPurpose::Identity,
            generation: Generation(0),
            attempt: AttemptId::from_bytes(id),
            group_public_key_hash: [0; 32],
        }
    }
}

impl core::fmt::Debug for EnvironmentKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EnvironmentKeys")
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// The keyring of the environment and where it is. It has to be there where it is the KEK; else
/// it is what shares are moved away from, and may be gone.
async fn keyring(
    how: &OpenKeys<'_>,
    is_kek: bool,
) -> Result<Option<(PathBuf, Arc<Keyring>)>, Error> {
    let path = EnvironmentKeys::keyring_path(&how.dir);
    let there = path
        .try_exists()
        .map_err(Error::io("look for the keyring"))?;
    if !there && !is_kek {
        return Ok(None);
    }
    let makes_it = !there && how.may_create;
    if makes_it {
        create_private_dir(&how.dir)?;
    }
    let (environment, passphrase) = (how.environment.clone(), how.passphrase.cloned());
    let (at, clock) = (path.clone(), Arc::clone(&how.clock));
    // A passphrase takes a while.
    let opened = tokio::task::spawn_blocking(move || {
        if makes_it {
            Keyring::create(&at, &environment, passphrase.as_ref(), &*clock)
        } else {
            Keyring::open(&at, &environment, passphrase.as_ref())
        }
    });
    let keyring = opened
        .await
        .map_err(|_| Error::Bug("opening a keyring does not panic"))??;
    Ok(Some((path, Arc::new(keyring))))
}

fn access() -> Access {
    Access {
        actor: "provider".to_owned(),
        purpose: Purpose::Guard,
        request_id: RequestId::generate(&mut os_rng()),
    }
}

/// The identity key in a secret of 32 bytes.
pub(crate) fn identity_from(secret: &SecretBytes) -> Result<SigningKey, Error> {
    let bytes: &[u8; 32] = secret
        .expose()
        .try_into()
        .map_err(|_| Error::Bug("an identity key is 32 bytes"))?;
    Ok(SigningKey::from_bytes(bytes))
}
