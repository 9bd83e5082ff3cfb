//! Revoking: at once and durably, whoever asks (custody rules 16 and 31).

use crate::db::sql;
use std::sync::Arc;

use halfkey_core::{DelegationId, EnvironmentId, RequestId};

use crate::app::App;
use crate::auth::delegate::owner_of;
use crate::ceremony::running::dispose_all;
use crate::db::delegations::{self, DelegationRow};
use crate::db::slots::SlotOutcome;
use crate::db::wallets::WalletRow;
use crate::db::{Entry, Tx, events, wallets};

/// The event of a new delegation.
pub(crate) const CREATED: &str = "wallet.delegation.created";
/// The event of its end.
pub(crate) const REVOKED: &str = "wallet.delegation.revoked";

/// Who revokes, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Revocation<'a> {
    pub(crate) actor: &'a str,
    pub(crate) request: Option<RequestId>,
    pub(crate) because: &'a str,
}

/// Ends a delegation in the transaction of the caller's, with its activity entry and its event.
/// What was waiting to be delivered goes. `false` when it was over before.
pub(crate) async fn revoke(
    tx: &mut Tx,
    row: &DelegationRow,
    why: Revocation<'_>,
) -> Result<bool, sql::Error> {
    let environment = &row.environment;
    if !delegations::revoke(tx, environment, row.id, why.because).await? {
        return Ok(false);
    }
    events::forget(tx, environment, row.id).await?;
    let mut entry = Entry::new(environment, "delegation.revoked", why.actor).wallet(row.wallet);
    if let Some(request) = why.request {
        entry = entry.request(request);
    }
    let detail = serde_json::json!({
        "delegation": row.id.to_string(),
        "generation": row.generation,
        "because": why.because,
    });
    tx.record(&entry.detail(detail)).await?;
    if let Some(wallet) = wallets::by_id(tx.conn(), environment, row.wallet).await? {
        let data = revoked_data(&wallet, row);
        events::insert(tx, environment, REVOKED, None, &data).await?;
    }
    Ok(true)
}

fn revoked_data(wallet: &WalletRow, row: &DelegationRow) -> serde_json::Value {
    serde_json::json!({
        "walletId": wallet.wallet,
        "chain": wallet.chain.as_str(),
        "publicKey": wallet.address,
        "userId": null,
        "delegationId": row.id.to_string(),
    })
}

/// Ends the ceremonies of delegations that were revoked: a round that is under way answers nothing.
pub(crate) async fn end_ceremonies(
    app: &Arc<App>,
    environment: &EnvironmentId,
    ids: &[DelegationId],
) {
    for id in ids {
        let cells = app.table.kill_owner(environment, owner_of(*id));
        dispose_all(app, cells, SlotOutcome::Refused).await;
    }
}
