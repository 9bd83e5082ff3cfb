use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use halfkey_core::wire::{KeySharePointer, ListReply, Scope, WalletReply};
use halfkey_core::{BackupLocation, ChainName, Generation};

use super::wallet_of;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::backups::{self, BackupRow};
use crate::db::changes;
use crate::db::wallets::{self, WalletRow};
use crate::web::Call;

const DEFAULT_PAGE: u64 = 50;
const LONGEST_PAGE: u64 = 200;

/// `GET /sdk/{env}/waas/byWalletAddress/{address}`.
pub(super) async fn by_address(
    State(app): State<Arc<App>>,
    Path((env, address)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.session(&env, Scope::Read).await?;
    let chain = if address.starts_with("0x") {
        ChainName::Evm
    } else {
        ChainName::Svm
    };
    let canonical = halfkey_chain::canonical_address(chain, &address)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    let mut conn = app.db.read().acquire().await?;
    let row = wallets::by_address(&mut conn, &caller.environment.id, &canonical).await?;
    drop(conn);
    let row = row.ok_or_else(|| ApiError::not_found("wallet"))?;
    call.reply().ok(&described(&app, &caller, &row).await?)
}

/// `GET /environments/{env}/waas/{wallet}`.
pub(super) async fn by_id(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let row = wallet_of(&app, &caller.environment, &wallet).await?;
    call.reply().ok(&described(&app, &caller, &row).await?)
}

/// A wallet with what only a lookup tells: its next generation and where its backups are.
async fn described(app: &App, caller: &Caller, row: &WalletRow) -> Result<WalletReply, ApiError> {
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let high_water = changes::high_water(&mut conn, environment, row.wallet).await?;
    let of = (row.wallet, row.generation);
    let backups = backups::of_generation(&mut conn, environment, of).await?;
    let key_shares: Vec<_> = backups.into_iter().map(pointer).collect();
    let mut summary = row.summary();
    summary.next_generation = Some(Generation(high_water.0.saturating_add(1)));
    Ok(WalletReply::new(summary, &key_shares))
}

fn pointer(row: BackupRow) -> KeySharePointer {
    let external_key_share_id = match row.location {
        BackupLocation::Provider => Some(row.id.to_string()),
        _ => row.external_id,
    };
    KeySharePointer {
        id: row.id,
        backup_location: row.location,
        password_encrypted: row.password_encrypted,
        external_key_share_id,
    }
}

/// `GET /environments/{env}/waas/wallets?cursor=&limit=`: oldest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    RawQuery(query): RawQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let page = Page::from_query(query.as_deref().unwrap_or_default())?;
    let mut conn = app.db.read().acquire().await?;
    // One more than asked for tells whether there is a next page.
    let wanted = page.limit.saturating_add(1);
    let mut rows = wallets::page(&mut conn, &caller.environment.id, page.after, wanted).await?;
    drop(conn);
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|(ordinal, _)| format!("{ordinal:x}"));
    call.reply().ok(&ListReply {
        wallets: rows.iter().map(|(_, row)| row.summary()).collect(),
        next_cursor: last.filter(|_| more),
    })
}

/// Which page is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) after: u64,
    pub(super) limit: u64,
}

impl Page {
    pub(super) fn from_query(query: &str) -> Result<Self, ApiError> {
        let mut page = Self {
            after: 0,
            limit: DEFAULT_PAGE,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("cursor", "")) => {}
                Some(("cursor", cursor)) => {
                    page.after = u64::from_str_radix(cursor, 16)
                        .ok()
                        .filter(|ordinal| i64::try_from(*ordinal).is_ok())
                        .ok_or_else(|| ApiError::invalid("not a cursor of this list"))?;
                }
                Some(("limit", limit)) => {
                    page.limit = limit
                        .parse()
                        .ok()
                        .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
                        .ok_or_else(|| ApiError::invalid("limit is 1 to 200"))?;
                }
                _ => return Err(ApiError::invalid("only cursor and limit are known here")),
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_query_rejects_what_is_no_page() {
        let page = |query| Page::from_query(query).ok();
        assert_eq!(
            page(""),
            Some(Page {
                after: 0,
                limit: 50
            })
        );
        assert_eq!(
            page("cursor=1f&limit=200"),
            Some(Page {
                after: 31,
                limit: 200
            })
        );
        assert_eq!(page("cursor=&limit=1"), Some(Page { after: 0, limit: 1 }));
        for bad in [
            "limit=0",
            "limit=201",
            "limit=x",
            "cursor=-1",
            "cursor=ffffffffffffffff",
            "a=1",
        ] {
            assert_eq!(page(bad), None, "{bad}");
        }
    }
}
