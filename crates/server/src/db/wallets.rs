//! Wallets and their state. No row is written per signature.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::{ProofState, WalletState, WalletSummary};
use halfkey_core::{
    AttemptId, ChainName, CustodyOrigin, DerivationPath, EnvironmentId, Generation, KeyShareId,
    KeyType, ShareSetId, ThresholdSignatureScheme, UnixMillis, Variant, WalletId,
};

use super::Tx;
use super::columns::{bad_cell, bytes, optional_unsigned, signed, text, unsigned};

/// One wallet.
#[derive(Debug, Clone)]
pub(crate) struct WalletRow {
    pub(crate) wallet: WalletId,
    pub(crate) chain: ChainName,
    pub(crate) address: String,
    pub(crate) canonical_address: String,
    pub(crate) scheme: ThresholdSignatureScheme,
    pub(crate) key_type: KeyType,
    pub(crate) derivation_path: DerivationPath,
    pub(crate) share_set: ShareSetId,
    pub(crate) key_share: KeyShareId,
    pub(crate) group_public_key: Vec<u8>,
    pub(crate) account_public_key: Vec<u8>,
    /// As the share's header has it.
    pub(crate) custody_origin: CustodyOrigin,
    /// Whether the whole key ever left.
    pub(crate) exported: bool,
    /// `Pending`, `Active` or `Aborted`; locks stand in a table of their own.
    pub(crate) stored_state: WalletState,
    pub(crate) proof: ProofState,
    pub(crate) generation: Generation,
    pub(crate) attempt: AttemptId,
    pub(crate) created_at: UnixMillis,
    /// How far back the customer's half can be restored, in milliseconds, if it ever said so.
    pub(crate) horizon_ms: Option<u64>,
    /// Why this generation does not sign, if it was locked.
    pub(crate) locked: Option<String>,
    /// Why this generation needs a complete refresh, if it does.
    pub(crate) refresh_needed: Option<String>,
}

impl WalletRow {
    /// What the key's history allows anyone to claim: the share's origin, and whether it was
    /// exported since.
    pub(crate) const fn origin(&self) -> CustodyOrigin {
        if self.exported {
            self.custody_origin.with_exported()
        } else {
            self.custody_origin
        }
    }

    /// The state as the API tells it: an aborted wallet stays aborted, a lock hides the rest.
    pub(crate) const fn state(&self) -> WalletState {
        match self.stored_state {
            WalletState::Aborted => WalletState::Aborted,
            _ if self.locked.is_some() => WalletState::Locked,
            _ if self.refresh_needed.is_some() => WalletState::NeedsCompleteRefresh,
            other => other,
        }
    }

    pub(crate) fn summary(&self) -> WalletSummary {
        let state = self.state();
        WalletSummary {
            wallet_id: self.wallet,
            account_address: self.address.clone(),
            chain_name: self.chain.as_str().to_owned(),
            derivation_path: Some(self.derivation_path.indices().to_vec()),
            threshold_signature_scheme: self.scheme,
            variant: variant_of(self.key_type),
            public_key: hex::encode(&self.group_public_key),
            state,
            state_reason: self.state_reason(state),
            proof: self.proof,
            custody_origin: self.origin(),
            generation: self.generation,
            attempt_id: self.attempt,
            next_generation: None,
            created_at: self.created_at.to_string(),
        }
    }

    fn state_reason(&self, state: WalletState) -> Option<String> {
        const REFRESH: &str = "a refresh ends it";
        match state {
            WalletState::Pending => Some("not committed yet: prove and commit it".to_owned()),
            WalletState::Locked => self.locked.as_ref().map(|why| format!("{why}; {REFRESH}")),
            WalletState::NeedsCompleteRefresh => self
                .refresh_needed
                .as_ref()
                .map(|why| format!("{why}; {REFRESH}")),
            WalletState::Aborted => Some("its attempt was aborted; there is no key".to_owned()),
            _ => None,
        }
    }
}

const fn variant_of(key_type: KeyType) -> Option<Variant> {
    match key_type {
        KeyType::Ed25519Exportable => Some(Variant::Ed25519Exportable),
        KeyType::Ed25519Standard => Some(Variant::Ed25519Standard),
        _ => None,
    }
}

const fn key_type_text(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Ed25519Exportable => "ed25519Exportable",
        KeyType::Ed25519Standard => "ed25519Standard",
        _ => "ecdsaSecp256k1",
    }
}

fn key_type_from(text: &str) -> Result<KeyType, sql::Error> {
    match text {
        "ecdsaSecp256k1" => Ok(KeyType::EcdsaSecp256k1),
        "ed25519Exportable" => Ok(KeyType::Ed25519Exportable),
        "ed25519Standard" => Ok(KeyType::Ed25519Standard),
        _ => Err(bad_cell("key_type")),
    }
}

fn from_row(row: &SqliteRow) -> Result<WalletRow, sql::Error> {
    let state: &str = row.try_get("state")?;
    let proof: &str = row.try_get("proof")?;
    let bits =
        u8::try_from(unsigned(row, "custody_origin")?).map_err(|_| bad_cell("custody_origin"))?;
    Ok(WalletRow {
        wallet: WalletId::from_bytes(bytes(row, "wallet_id")?),
        chain: text(row, "chain")?,
        address: row.try_get("address")?,
        canonical_address: row.try_get("canonical_address")?,
        scheme: text(row, "scheme")?,
        key_type: key_type_from(row.try_get("key_type")?)?,
        derivation_path: text(row, "derivation_path")?,
        share_set: ShareSetId::from_bytes(bytes(row, "share_set_id")?),
        key_share: KeyShareId::from_bytes(bytes(row, "key_share_id")?),
        group_public_key: row.try_get("group_public_key")?,
        account_public_key: row.try_get("account_public_key")?,
        custody_origin: CustodyOrigin::from_bits(bits).map_err(|_| bad_cell("custody_origin"))?,
        exported: unsigned(row, "exported")? == 1,
        stored_state: match state {
            "pending" => WalletState::Pending,
            "active" => WalletState::Active,
            "aborted" => WalletState::Aborted,
            _ => return Err(bad_cell("state")),
        },
        proof: proof_from(proof)?,
        generation: Generation(unsigned(row, "generation")?),
        attempt: AttemptId::from_bytes(bytes(row, "attempt_id")?),
        created_at: UnixMillis(row.try_get("created_at")?),
        horizon_ms: optional_unsigned(row, "customer_horizon_ms")?,
        locked: row.try_get("locked")?,
        refresh_needed: row.try_get("refresh_needed")?,
    })
}

fn proof_from(text: &str) -> Result<ProofState, sql::Error> {
    match text {
        "unproven" => Ok(ProofState::Unproven),
        "proven" => Ok(ProofState::Proven),
        _ => Err(bad_cell("proof")),
    }
}

pub(crate) const fn proof_text(proof: ProofState) -> &'static str {
    match proof {
        ProofState::Unproven => "unproven",
        ProofState::Proven => "proven",
    }
}

pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<Option<WalletRow>, sql::Error> {
    sql::query("SELECT * FROM wallet_states WHERE environment = ? AND wallet_id = ?")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// A wallet with what else a signature needs.
#[derive(Debug)]
pub(crate) struct ForSigning {
    pub(crate) wallet: WalletRow,
    /// The share of its current generation.
    pub(crate) sealed: Option<Vec<u8>>,
    /// Whether it or its environment is frozen.
    pub(crate) is_frozen: bool,
}

/// By id, with what else a signature needs, in one trip.
pub(crate) async fn for_signing(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<Option<ForSigning>, sql::Error> {
    sql::query(
        "SELECT w.*, s.sealed AS sealed, EXISTS (SELECT 1 FROM freezes f
             WHERE f.environment = w.environment AND f.wallet_id IN (x'', w.wallet_id)
                 AND f.ended_at IS NULL) AS is_frozen
         FROM wallet_states w
         LEFT JOIN shares s ON s.environment = w.environment AND s.wallet_id = w.wallet_id
             AND s.attempt_id = w.attempt_id
         WHERE w.environment = ? AND w.wallet_id = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_optional(conn)
    .await?
    .map(|row| {
        Ok(ForSigning {
            wallet: from_row(&row)?,
            sealed: row.try_get("sealed")?,
            is_frozen: row.try_get::<i64>("is_frozen")? != 0,
        })
    })
    .transpose()
}

/// By canonical address; aborted wallets have none.
pub(crate) async fn by_address(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    canonical_address: &str,
) -> Result<Option<WalletRow>, sql::Error> {
    sql::query(
        "SELECT * FROM wallet_states
         WHERE environment = ? AND canonical_address = ? AND state <> 'aborted'",
    )
    .bind(environment.as_str())
    .bind(canonical_address)
    .fetch_optional(conn)
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Wallets with an ordinal above `after`, oldest first, with their ordinals.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    after: u64,
    limit: u64,
) -> Result<Vec<(u64, WalletRow)>, sql::Error> {
    sql::query(
        "SELECT * FROM wallet_states WHERE environment = ? AND ordinal > ?
         ORDER BY ordinal LIMIT ?",
    )
    .bind(environment.as_str())
    .bind(signed(after)?)
    .bind(signed(limit)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| Ok((unsigned(row, "ordinal")?, from_row(row)?)))
    .collect()
}

pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: &WalletRow,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO wallets (environment, wallet_id, chain, address, canonical_address, scheme,
             key_type, derivation_path, share_set_id, key_share_id, group_public_key,
             account_public_key, custody_origin, state, proof, generation, attempt_id, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 'unproven', ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(wallet.wallet.as_bytes().as_slice())
    .bind(wallet.chain.as_str())
    .bind(&wallet.address)
    .bind(&wallet.canonical_address)
    .bind(wallet.scheme.as_str())
    .bind(key_type_text(wallet.key_type))
    .bind(wallet.derivation_path.to_string())
    .bind(wallet.share_set.as_bytes().as_slice())
    .bind(wallet.key_share.as_bytes().as_slice())
    .bind(&wallet.group_public_key)
    .bind(&wallet.account_public_key)
    .bind(i64::from(wallet.custody_origin.to_bits()))
    .bind(signed(wallet.generation.0)?)
    .bind(wallet.attempt.as_bytes().as_slice())
    .bind(wallet.created_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Pending becomes active.
pub(crate) async fn activate(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    proof: ProofState,
) -> Result<bool, sql::Error> {
    sql::query(
        "UPDATE wallets SET state = 'active', proof = ?
         WHERE environment = ? AND wallet_id = ? AND state = 'pending'",
    )
    .bind(proof_text(proof))
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// The whole key leaves: said of the wallet for ever.
pub(crate) async fn mark_exported(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<(), sql::Error> {
    sql::query("UPDATE wallets SET exported = 1 WHERE environment = ? AND wallet_id = ?")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Pending becomes aborted.
pub(crate) async fn abort(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<bool, sql::Error> {
    sql::query(
        "UPDATE wallets SET state = 'aborted'
         WHERE environment = ? AND wallet_id = ? AND state = 'pending'",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// An active wallet's shares were seen again; `false` when that was known before.
pub(crate) async fn mark_proven(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<bool, sql::Error> {
    sql::query(
        "UPDATE wallets SET proof = 'proven'
         WHERE environment = ? AND wallet_id = ? AND state = 'active' AND proof = 'unproven'",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
