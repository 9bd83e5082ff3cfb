//! `halfkey init`: environment, keyring, identity key, first API token.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::random::os_rng;
use halfkey_core::{Clock, EnvironmentId, SecretString};
use halfkey_vault::StorageConfig;
use sha2::{Digest as _, Sha256};

use crate::audit_sink::DbSink;
use crate::boot_counter::BootCounter;
use crate::db::environments::{self, EnvironmentRow};
use crate::db::{BootKind, Db, Entry};
use crate::environment_keys::{EnvironmentKeys, OpenKeys, OwnSecret, identity_from};
use crate::provider_dir::{ProviderDir, create_private_dir};
use crate::tokens::{self, NewToken};
use crate::{Error, TokenId};

/// How a provider is set up.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Protects the keyring file; without one its permissions alone do.
    pub passphrase: Option<SecretString>,
    /// How a new environment's keys are wrapped: the text of a `storage.toml` with the sections
    /// `kms`, `dek_cache` and `retry`, which is kept in the environment's directory. `None`: a
    /// keyring file. An environment that is there already keeps what it has.
    pub storage: Option<String>,
    /// The environment to make sure of; a random id when `None` and there is none yet.
    pub environment: Option<EnvironmentId>,
    /// What people call the environment.
    pub name: String,
    /// The first API token, made with the environment.
    pub first_token: NewToken,
    /// Stamps what is made.
    pub clock: Arc<dyn Clock>,
}

/// What `init` made or found.
#[derive(Debug)]
pub struct InitOutcome {
    /// The environment.
    pub environment: EnvironmentId,
    /// The provider's Ed25519 identity key for it, 64 hex digits.
    pub identity_public_key: String,
    /// The same as a fingerprint: `sha256:` and the SHA-256 of the 32 key bytes in hex.
    pub identity_fingerprint: String,
    /// The first token and its id; `None` when the environment was there before.
    pub token: Option<(TokenId, SecretString)>,
    /// Whether the environment was made now.
    pub created: bool,
}

/// Makes sure that the provider directory has its environment, keyring, identity key and first API
/// token. Running it again changes nothing.
///
/// # Errors
/// [`Error::Vault`] for a keyring that does not open, [`Error::Io`], [`Error::Database`].
pub async fn init(data_dir: &Path, options: InitOptions) -> Result<InitOutcome, Error> {
    let dir = ProviderDir::new(data_dir);
    create_private_dir(dir.root())?;
    let db = Db::open(
        &dir.database(),
        Arc::clone(&options.clock),
        BootKind::Admin,
        true,
    )
    .await?;
    BootCounter::create_if_missing(&dir, &db).await?;
    let outcome = Box::pin(init_environment(&dir, &db, options)).await;
    db.close().await;
    outcome
}

async fn init_environment(
    dir: &ProviderDir,
    db: &Db,
    options: InitOptions,
) -> Result<InitOutcome, Error> {
    let mut conn = db.read().acquire().await?;
    let known = environments::all(&mut conn).await?;
    drop(conn);
    let is_first = known.is_empty();
    let wanted = options.environment.as_ref();
    let found = known
        .into_iter()
        .find(|row| wanted.is_none_or(|wanted| *wanted == row.environment));
    let environment = match &found {
        Some(row) => row.environment.clone(),
        None => wanted
            .cloned()
            .unwrap_or_else(|| EnvironmentId::generate(&mut os_rng())),
    };
    let keys = keys_of(dir, &environment, &options, found.is_none()).await?;
    let sink = Arc::new(DbSink::plain(db.clone()));
    let identity = match &found {
        None => {
            keys.load_or_create(OwnSecret::Identity, Arc::clone(&sink))
                .await?
        }
        Some(_) => keys
            .load(OwnSecret::Identity, Arc::clone(&sink))
            .await?
            .ok_or(Error::NotFound("identity key"))?,
    };
    let identity_key = identity_from(&identity)?.verifying_key().to_bytes();
    let mut token = None;
    if found.is_none() {
        // Session tokens of every environment are authenticated by one key, kept with the first.
        if is_first {
            keys.load_or_create(OwnSecret::Session, sink).await?;
        }
        token = Some(register(db, &environment, identity_key, options).await?);
    } else if found.is_some_and(|row| row.identity_key != identity_key) {
        return Err(Error::Caller(
            "the identity key is not the one this database knows",
        ));
    }
    Ok(InitOutcome {
        environment,
        identity_public_key: hex::encode(identity_key),
        identity_fingerprint: fingerprint(&identity_key),
        created: token.is_some(),
        token,
    })
}

/// Opens the environment's KEK; a new environment's keyring is made, unless another KEK is named.
async fn keys_of(
    dir: &ProviderDir,
    environment: &EnvironmentId,
    options: &InitOptions,
    may_create: bool,
) -> Result<EnvironmentKeys, Error> {
    let home = dir.environment(environment);
    if let Some(text) = options.storage.as_ref().filter(|_| may_create) {
        StorageConfig::parse_keys(text)
            .map_err(|why| halfkey_vault::Error::Config(format!("storage.toml: {why}")))?;
        create_private_dir(&home)?;
        EnvironmentKeys::configure(&home, text)?;
    }
    EnvironmentKeys::open(OpenKeys {
        dir: home,
        environment,
        passphrase: options.passphrase.as_ref(),
        clock: Arc::clone(&options.clock),
        may_create,
    })
    .await
}

/// The last step: only now does the environment exist.
async fn register(
    db: &Db,
    environment: &EnvironmentId,
    identity_key: [u8; 32],
    options: InitOptions,
) -> Result<(TokenId, SecretString), Error> {
    let mut tx = db.begin().await?;
    let row = EnvironmentRow {
        environment: environment.clone(),
        identity_key,
    };
    environments::insert(&mut tx, &row, &options.name).await?;
    let detail = serde_json::json!({ "identityKey": hex::encode(identity_key) });
    let entry = Entry::new(environment, "environment.created", "operator").detail(detail);
    tx.record(&entry).await?;
    let created = tokens::create_in(&mut tx, environment.clone(), options.first_token).await?;
    tx.commit().await?;
    Ok((created.info.id, created.token))
}

/// How people compare an identity key (custody rule 17).
pub(crate) fn fingerprint(identity_key: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(identity_key)))
}
