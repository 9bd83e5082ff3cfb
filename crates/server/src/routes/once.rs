//! Idempotency keys of routes whose effect is one transaction: a repeat has no second effect and
//! gets what the first was told, another request under the same key is refused (custody rule 26).

use halfkey_core::AttemptId;
use halfkey_core::wire::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api_error::ApiError;
use crate::auth::Caller;
use crate::db::Tx;
use crate::db::idempotency::{self, IdempotencyKey, IdempotencyRow};

/// One request, told from others by its idempotency key if it has one.
#[derive(Debug)]
pub(super) struct Once {
    key: Option<IdempotencyKey>,
    /// SHA-256 of path and body.
    digest: [u8; 32],
}

impl Once {
    /// The request of `caller` to `route`.
    pub(super) fn new(caller: &Caller, route: &str, key: Option<String>, digest: [u8; 32]) -> Self {
        let key = key.map(|key| IdempotencyKey {
            environment: caller.environment.id.clone(),
            subject: caller.token,
            route: route.to_owned(),
            key,
        });
        Self { key, digest }
    }

    /// What the first request under this key led to, if this is a repeat.
    pub(super) async fn first<T: DeserializeOwned>(
        &self,
        tx: &mut Tx,
    ) -> Result<Option<T>, ApiError> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let Some(row) = idempotency::find(tx.conn(), key).await? else {
            return Ok(None);
        };
        if row.body_hash != self.digest {
            let message = "the idempotency key was used for another request";
            return Err(ApiError::new(ErrorCode::IdempotencyMismatch, message));
        }
        let outcome = row.outcome.unwrap_or_default();
        serde_json::from_str(&outcome)
            .map(Some)
            .map_err(ApiError::internal)
    }

    /// Keeps what this request led to, in the transaction of its effect. Nothing secret goes in.
    pub(super) async fn keep<T: Serialize>(
        &self,
        tx: &mut Tx,
        outcome: &T,
    ) -> Result<(), ApiError> {
        let Some(key) = &self.key else {
            return Ok(());
        };
        let row = IdempotencyRow {
            body_hash: self.digest,
            attempt: AttemptId::from_bytes([0; 16]),
            outcome: Some(serde_json::to_string(outcome).map_err(ApiError::internal)?),
        };
        Ok(idempotency::put(tx, key, &row).await?)
    }
}
