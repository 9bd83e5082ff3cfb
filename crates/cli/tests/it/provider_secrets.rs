//! Opens the provider's shares and its own keys, from its files alone.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ShareSetId, SystemClock, ThresholdSignatureScheme, WalletId,
};
use halfkey_mpc::KeyShare;
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::{Access, BindCtx, Purpose, RecordPurpose, SealedRecord, Vault, VaultParts};
use sha2::{Digest as _, Sha256};

use crate::support::with_database;

/// One environment's secrets, opened with its keyring.
pub(crate) struct ProviderSecrets {
    pub(crate) shares: Vec<KeyShare>,
    /// The identity key and the session key.
    pub(crate) own: Vec<SecretBytes>,
}

/// Everything secret that `provider` holds for `environment`.
pub(crate) fn open(provider: &Path, environment: &EnvironmentId) -> ProviderSecrets {
    let sealed = sealed_shares(provider, environment);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(open_all(provider, environment, &sealed))
}

async fn open_all(
    provider: &Path,
    environment: &EnvironmentId,
    sealed: &[(BindCtx, Vec<u8>)],
) -> ProviderSecrets {
    let dir = provider.join("environments").join(environment.as_str());
    let keyring = Arc::new(Keyring::open(&dir.join("keyring"), environment, None).unwrap());
    let vault = Vault::new(VaultParts {
        wrap: None,
        unwrap: Some(keyring),
        put: None,
        get: None,
        list: None,
        destroy: None,
        audit: Arc::new(MemoryAudit::default()),
        clock: Arc::new(SystemClock),
    });
    let mut own = Vec::new();
    for (file, number) in [("identity.sealed", 1), ("session-key.sealed", 2)] {
        let sealed = std::fs::read(dir.join(file)).unwrap();
        own.push(unseal(&vault, &own_context(environment, number), &sealed).await);
    }
    let mut shares = Vec::new();
    for (ctx, sealed) in sealed {
        let share = unseal(&vault, ctx, sealed).await;
        shares.push(KeyShare::decode(&share).unwrap());
    }
    ProviderSecrets { shares, own }
}

async fn unseal(vault: &Vault, ctx: &BindCtx, sealed: &[u8]) -> SecretBytes {
    let access = Access {
        actor: "test".to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::from_bytes([0; 16]),
    };
    let record = SealedRecord::from_bytes(sealed).unwrap();
    vault.open(ctx, &record, &access).await.unwrap()
}

fn own_context(environment: &EnvironmentId, number: u8) -> BindCtx {
    let id = [number; 16];
    BindCtx {
        environment: environment.clone(),
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

type Row = (
    String,
    String,
    String,
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    i64,
    Vec<u8>,
    Vec<u8>,
);

fn sealed_shares(provider: &Path, environment: &EnvironmentId) -> Vec<(BindCtx, Vec<u8>)> {
    let query = "SELECT chain, canonical_address, scheme, w.wallet_id, key_share_id, share_set_id,
                        s.attempt_id, s.generation, group_public_key, sealed
                 FROM shares s JOIN wallets w USING (environment, wallet_id)
                 WHERE environment = ?";
    let rows: Vec<Row> = with_database(&provider.join("provider.db"), async |connection| {
        let query = sqlx::query_as(query).bind(environment.as_str());
        query.fetch_all(connection).await.unwrap()
    });
    let id = |bytes: Vec<u8>| -> [u8; 16] { bytes.try_into().unwrap() };
    let context = |row: Row| {
        let (
            chain,
            address,
            scheme,
            wallet,
            key_share,
            share_set,
            attempt,
            generation,
            key,
            sealed,
        ) = row;
        let ctx = BindCtx {
            environment: environment.clone(),
            chain: chain.parse().unwrap(),
            account_address: address,
            wallet: WalletId::from_bytes(id(wallet)),
            key_share: KeyShareId::from_bytes(id(key_share)),
            share_set: ShareSetId::from_bytes(id(share_set)),
            party: PartyIndex::PROVIDER,
            scheme: scheme.parse().unwrap(),
            purpose: RecordPurpose::Share,
            generation: Generation(u64::try_from(generation).unwrap()),
            attempt: AttemptId::from_bytes(id(attempt)),
            group_public_key_hash: Sha256::digest(key).into(),
        };
        (ctx, sealed)
    };
    rows.into_iter().map(context).collect()
}
