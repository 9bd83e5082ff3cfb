//! One environment's secrets: its keyring, and what is sealed under it beside the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use halfkey_core::random::{RngCore as _, os_rng};
use halfkey_core::{
    AttemptId, ChainName, Clock, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ShareSetId, ThresholdSignatureScheme, WalletId,
};
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::{Access, BindCtx, Purpose, RecordPurpose, SealedRecord, Vault, VaultParts};

use crate::Error;
use crate::audit_sink::DbSink;
use crate::provider_dir::{read_if_there, write_durably};

/// Which of an environment's own secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OwnSecret {
    /// The Ed25519 identity key (custody rule 17).
    Identity,
    /// The key that authenticates session tokens.
    Session,
}

impl OwnSecret {
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

/// Where one environment's secrets are, and the keyring that opens them.
pub(crate) struct EnvironmentKeys {
    dir: PathBuf,
    environment: EnvironmentId,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

impl EnvironmentKeys {
    /// Over an opened keyring.
    pub(crate) const fn new(
        dir: PathBuf,
        environment: EnvironmentId,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            dir,
            environment,
            keyring,
            clock,
        }
    }

    /// Where the keyring file of the environment directory `dir` is.
    pub(crate) fn keyring_path(dir: &Path) -> PathBuf {
        dir.join("keyring")
    }

    /// A barrier whose events go to `audit`. It seals and opens; storing is the database's.
    pub(crate) fn vault(&self, audit: Arc<DbSink>) -> Vault {
        let wrap: Arc<Keyring> = Arc::clone(&self.keyring);
        let unwrap: Arc<Keyring> = Arc::clone(&self.keyring);
        Vault::new(VaultParts {
            wrap: Some(wrap),
            unwrap: Some(unwrap),
            put: None,
            get: None,
            list: None,
            destroy: None,
            audit,
            clock: Arc::clone(&self.clock),
        })
    }

    /// Opens one of the environment's own secrets; `None` when it was never made.
    pub(crate) async fn load(
        &self,
        secret: OwnSecret,
        audit: Arc<DbSink>,
    ) -> Result<Option<SecretBytes>, Error> {
        let path = self.dir.join(secret.file());
        let Some(bytes) = read_if_there(&path)? else {
            return Ok(None);
        };
        let record = SealedRecord::from_bytes(&bytes).map_err(|why| Error::SealedFile {
            path: path.clone(),
            why: why.to_owned(),
        })?;
        let opened = self
            .vault(audit)
            .open(&self.context(secret), &record, &access())
            .await?;
        if opened.len() != 32 {
            return Err(Error::SealedFile {
                path,
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
