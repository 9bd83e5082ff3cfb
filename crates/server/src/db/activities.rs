//! The append-only activity table and its hash chain (custody rule 27).

use super::sql::{self, SqliteConnection};
use halfkey_core::{AttemptId, EnvironmentId, RequestId, UnixMillis, WalletId};
use sha2::{Digest as _, Sha256};

use super::columns::{bytes, signed, unsigned};

/// One entry. Nothing in it is secret.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    /// Empty for what concerns the node and no environment.
    pub(crate) environment: &'a str,
    pub(crate) kind: &'a str,
    /// The token's id, or what the process was doing.
    pub(crate) actor: &'a str,
    pub(crate) wallet: Option<WalletId>,
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) request: Option<RequestId>,
    pub(crate) detail: serde_json::Value,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(environment: &'a EnvironmentId, kind: &'a str, actor: &'a str) -> Self {
        Self {
            environment: environment.as_str(),
            kind,
            actor,
            wallet: None,
            attempt: None,
            request: None,
            detail: serde_json::Value::Null,
        }
    }

    /// An entry that concerns the node and no environment.
    pub(crate) const fn of_node(kind: &'a str) -> Self {
        Self {
            environment: "",
            kind,
            actor: "provider",
            wallet: None,
            attempt: None,
            request: None,
            detail: serde_json::Value::Null,
        }
    }

    #[must_use]
    pub(crate) const fn wallet(mut self, wallet: WalletId) -> Self {
        self.wallet = Some(wallet);
        self
    }

    #[must_use]
    pub(crate) const fn attempt(mut self, attempt: AttemptId) -> Self {
        self.attempt = Some(attempt);
        self
    }

    #[must_use]
    pub(crate) const fn request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }

    fn wallet_bytes(&self) -> &[u8] {
        self.wallet.as_ref().map_or(&[], |id| id.as_bytes())
    }

    fn attempt_bytes(&self) -> &[u8] {
        self.attempt.as_ref().map_or(&[], |id| id.as_bytes())
    }

    fn request_bytes(&self) -> &[u8] {
        self.request.as_ref().map_or(&[], |id| id.as_bytes())
    }

    fn detail_text(&self) -> String {
        if self.detail.is_null() {
            String::new()
        } else {
            self.detail.to_string()
        }
    }

    pub(crate) fn hash(
        &self,
        chain: &[u8; 16],
        sequence: u64,
        at: UnixMillis,
        previous: &[u8; 32],
    ) -> [u8; 32] {
        hash_fields([
            previous,
            chain,
            &sequence.to_be_bytes(),
            self.environment.as_bytes(),
            &at.0.to_be_bytes(),
            self.kind.as_bytes(),
            self.actor.as_bytes(),
            self.wallet_bytes(),
            self.attempt_bytes(),
            self.request_bytes(),
            self.detail_text().as_bytes(),
        ])
    }
}

/// SHA-256 over the domain and the length-prefixed fields.
pub(crate) fn hash_fields(fields: [&[u8]; 11]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"halfkey-activity-v1");
    for field in fields {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        hasher.update(length.to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

/// What stands as `previous` in a chain's first entry.
pub(crate) fn genesis(chain: &[u8; 16]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"halfkey-activity-v1-chain");
    hasher.update(chain);
    hasher.finalize().into()
}

pub(super) fn insert(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    chain: &[u8; 16],
    sequence: u64,
    at: UnixMillis,
    (previous, head): (&[u8; 32], &[u8; 32]),
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO activities (chain, sequence, environment, at, kind, actor, wallet_id,
             attempt_id, request_id, detail, previous, head)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(chain.as_slice())
    .bind(signed(sequence)?)
    .bind(entry.environment)
    .bind(at.0)
    .bind(entry.kind)
    .bind(entry.actor)
    .bind(entry.wallet_bytes())
    .bind(entry.attempt_bytes())
    .bind(entry.request_bytes())
    .bind(entry.detail_text())
    .bind(previous.as_slice())
    .bind(head.as_slice())
    .execute(conn)
    .into_inner()
    .map(drop)
}

/// The next number and the last hash of `chain` as the database has them.
pub(super) async fn head_of(
    conn: &mut SqliteConnection,
    chain: &[u8; 16],
) -> Result<(u64, [u8; 32]), sql::Error> {
    let row = sql::query(
        "SELECT sequence, head FROM activities WHERE chain = ? ORDER BY sequence DESC LIMIT 1",
    )
    .bind(chain.as_slice())
    .fetch_optional(conn)
    .await?;
    match row {
        None => Ok((0, genesis(chain))),
        Some(row) => Ok((
            unsigned(&row, "sequence")?.saturating_add(1),
            bytes(&row, "head")?,
        )),
    }
}

/// Whether exactly this entry stands in the table.
pub(crate) async fn contains(
    conn: &mut SqliteConnection,
    chain: &[u8],
    sequence: u64,
    head: &[u8],
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM activities WHERE chain = ? AND sequence = ? AND head = ?",
    )
    .bind(chain)
    .bind(signed(sequence)?)
    .bind(head)
    .fetch_one(conn)
    .await
    .map(|count| count == 1)
}
