//! The operator's leave to let one wallet fall back to an earlier generation (custody rule 11).
//!
//! Needed where this half is ahead of a customer whose vault was restored from an older copy. The
//! leave alone changes nothing: the customer has to ask for the recovery and prove its share of
//! that generation. A provider whose own database was restored needs none; accepting the restore is
//! its operator's deed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use halfkey_core::wire::WalletState;
use halfkey_core::{ChainName, Clock, EnvironmentId, Generation, UnixMillis, WalletId};

use crate::db::wallets::{self, WalletRow};
use crate::db::{BootKind, Db, Entry, Tx, generations, recoveries};
use crate::provider_dir::ProviderDir;
use crate::{Error, tokens};

/// Which wallet, where to, and why.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The wallet's address.
    pub address: String,
    /// The generation to fall back to.
    pub generation: Generation,
    /// Why; stands in the activity log.
    pub reason: String,
    /// How long the customer has to take it up.
    pub lasts: Duration,
}

/// What was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The wallet.
    pub wallet: WalletId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// The generation that is active now.
    pub from: Generation,
    /// The generation it may fall back to.
    pub to: Generation,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// Lets a wallet of `environment` (the directory's first one when `None`) fall back, once. Works
/// beside a provider that serves.
///
/// # Errors
/// [`Error::NotFound`] without such a wallet or generation; [`Error::Caller`] for a generation that
/// is burnt, shredded or active, and for a reason that will not do; [`Error::Database`].
pub async fn approve(
    data_dir: &Path,
    environment: Option<&EnvironmentId>,
    wanted: Wanted,
    clock: Arc<dyn Clock>,
) -> Result<Approval, Error> {
    let database = ProviderDir::new(data_dir).database();
    let db = Db::open(&database, clock, BootKind::Admin, false).await?;
    let environment = tokens::pick(&db, environment).await?;
    let mut tx = db.begin().await?;
    let approval = approve_in(&mut tx, environment, &wanted).await?;
    tx.commit().await?;
    db.close().await;
    Ok(approval)
}

async fn approve_in(
    tx: &mut Tx,
    environment: EnvironmentId,
    wanted: &Wanted,
) -> Result<Approval, Error> {
    let wallet = find(tx, &environment, &wanted.address).await?;
    let of = (wallet.wallet, wanted.generation);
    let ended = generations::ended(tx.conn(), &environment, of).await?;
    if wallet.generation == wanted.generation {
        return Err(Error::Caller("that generation is the active one"));
    }
    let ended = ended.ok_or(Error::NotFound("generation of the wallet"))?;
    if ended.burnt {
        return Err(Error::Caller(
            "that generation is burnt: it must never be used again",
        ));
    }
    if ended.shredded {
        return Err(Error::Caller(
            "the share of that generation was shredded after the horizon",
        ));
    }
    let reason = wanted.reason.trim();
    if reason.is_empty() || reason.chars().count() > 200 {
        return Err(Error::Caller("a reason is 1 to 200 characters"));
    }
    let lasts = i64::try_from(wanted.lasts.as_millis()).unwrap_or(i64::MAX);
    let expires_at = tx.now().saturating_add_millis(lasts);
    let of = (wallet.wallet, ended.generation, ended.attempt);
    recoveries::approve(tx, &environment, of, reason, expires_at).await?;
    let entry = Entry::new(&environment, "recovery.approved", "operator")
        .wallet(wallet.wallet)
        .attempt(ended.attempt)
        .detail(serde_json::json!({
            "from": wallet.generation,
            "generation": ended.generation,
            "reason": reason,
            "expiresAt": expires_at.to_string(),
        }));
    tx.record(&entry).await?;
    Ok(Approval {
        wallet: wallet.wallet,
        environment,
        from: wallet.generation,
        to: ended.generation,
        expires_at,
    })
}

async fn find(tx: &mut Tx, environment: &EnvironmentId, address: &str) -> Result<WalletRow, Error> {
    let chain = if address.starts_with("0x") {
        ChainName::Evm
    } else {
        ChainName::Svm
    };
    let canonical = halfkey_chain::canonical_address(chain, address)
        .map_err(|_| Error::Caller("that is no address"))?;
    let found = wallets::by_address(tx.conn(), environment, &canonical).await?;
    found
        .filter(|row| row.stored_state == WalletState::Active)
        .ok_or(Error::NotFound("wallet"))
}
