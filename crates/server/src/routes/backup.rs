use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    BackupLocationsReply, BackupLocationsRequest, BackupPlace, DropBackupsReply,
    DropBackupsRequest, ErrorCode, LocatedBackup, RecoverReply, RecoverRequest, RecoveredShare,
    Scope, StoreBackupReply, StoreBackupRequest, WalletState,
};
use halfkey_core::{BackupId, BackupLocation, Generation, PartyIndex, crash_point};
use sha2::{Digest as _, Sha256};

use super::wallet_of;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::backups::{self, BackupRow};
use crate::db::wallets::WalletRow;
use crate::db::{Entry, changes};
use crate::freeze;
use crate::web::Call;

/// Characters of one encrypted share: several times an ECDSA share of three parties.
const LONGEST_CREDENTIAL: usize = 400_000;
/// Backups kept per generation: every party's, under a few passwords.
const MOST_BACKUPS: usize = 32;
/// Fetches of one wallet's backups in one window.
const MOST_FETCHES: u64 = 10;
/// The window, in milliseconds.
const WINDOW: i64 = 60_000;

/// `POST /sdk/{env}/waas/{wallet}/keyShares/backup`. Part of making a wallet, so a session with
/// `wallet.create` may.
pub(super) async fn store(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Create))
        .await?;
    let decoded = call.decode::<StoreBackupRequest>().await?;
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move {
            let wallet = wallet_of(&worker, &caller.environment, &wallet).await?;
            store_all(&worker, &caller, &wallet, body).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn store_all(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: StoreBackupRequest,
) -> Result<StoreBackupReply, ApiError> {
    if !body.replaces.is_empty() {
        caller.require(Scope::Backup)?;
    }
    let generation = body.generation.unwrap_or(wallet.generation);
    let leaving = body.replaces.clone();
    let put = Put {
        generation,
        rows: rows_of(wallet, generation, body)?,
        leaving,
        kind: "backup.stored",
    };
    let (ids, activity) = put_all(app, caller, wallet, &put).await?;
    Ok(StoreBackupReply {
        key_share_ids: ids,
        activity: Some(activity),
    })
}

/// Checks what was sent; nothing of it can be opened here.
fn rows_of(
    wallet: &WalletRow,
    generation: Generation,
    body: StoreBackupRequest,
) -> Result<Vec<BackupRow>, ApiError> {
    if !body.password_encrypted {
        let message =
            "a backup without a secret of the customer's protects nothing: set a password";
        return Err(ApiError::new(ErrorCode::PayloadRefused, message));
    }
    let credentials = body.encrypted_account_credentials;
    let most = PartyIndex::customers(wallet.scheme).len();
    if credentials.is_empty() || credentials.len() > most {
        let message = format!("one to {most} encrypted shares, one per customer party");
        return Err(ApiError::invalid(message));
    }
    let version = body.encryption_version.unwrap_or_else(|| "v1".to_owned());
    if !["v1", "v2", "v3"].contains(&version.as_str()) {
        return Err(ApiError::invalid("the encryption version is v1, v2 or v3"));
    }
    credentials
        .into_iter()
        .map(|credential| {
            let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
            if credential.is_empty()
                || credential.len() > LONGEST_CREDENTIAL
                || !credential.bytes().all(is_base64)
            {
                let message = "an encrypted share is base64 of at most 400000 characters";
                return Err(ApiError::invalid(message));
            }
            Ok(BackupRow {
                id: BackupId::generate(&mut os_rng()),
                generation,
                location: BackupLocation::Provider,
                external_id: None,
                password_encrypted: true,
                encryption_version: version.clone(),
                content_hash: Sha256::digest(&credential).into(),
                credential: Some(credential),
            })
        })
        .collect()
}

/// Rows to store.
struct Put {
    generation: Generation,
    rows: Vec<BackupRow>,
    /// What they will take the place of.
    leaving: Vec<BackupId>,
    /// Of the activity entry.
    kind: &'static str,
}

/// Stores rows in one transaction with their activity entry.
async fn put_all(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    put: &Put,
) -> Result<(Vec<BackupId>, halfkey_core::wire::ActivityRef), ApiError> {
    let Put {
        generation,
        rows,
        leaving,
        kind,
    } = put;
    let generation = *generation;
    let environment = &caller.environment.id;
    if wallet.stored_state == WalletState::Aborted {
        return Err(ApiError::not_found("wallet"));
    }
    let mut tx = app.db.begin().await?;
    if generation > changes::high_water(tx.conn(), environment, wallet.wallet).await? {
        let message = "the wallet has no such generation";
        return Err(ApiError::new(ErrorCode::StaleGeneration, message));
    }
    let mut ids = Vec::new();
    for row in rows {
        ids.push(backups::insert(&mut tx, environment, wallet.wallet, row).await?);
    }
    let of = (wallet.wallet, generation);
    let kept = backups::ids_of_generation(tx.conn(), environment, of).await?;
    let kept = kept
        .iter()
        .filter(|id| !leaving.contains(id) || ids.contains(id));
    if kept.count() > MOST_BACKUPS {
        let message = format!(
            "a generation has at most {MOST_BACKUPS} backups: replace some, or drop what is not \
             needed"
        );
        return Err(ApiError::new(ErrorCode::TooManyRequests, message));
    }
    let actor = caller.actor();
    let entry = Entry::new(environment, kind, &actor)
        .wallet(wallet.wallet)
        .request(caller.request)
        .detail(serde_json::json!({
            "generation": generation,
            "backups": ids,
            "locations": rows.iter().map(|row| &row.location).collect::<Vec<_>>(),
        }));
    let activity = tx.record(&entry).await?;
    crash_point("backup.before-commit");
    tx.commit().await?;
    crash_point("backup.after-commit");
    Ok((ids, activity))
}

/// `POST …/{wallet}/keyShares/recover`. Takes the API token; limited and counted in the database.
pub(super) async fn recover(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Backup))
        .await?;
    let decoded = call.decode::<RecoverRequest>().await?;
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move {
            let wallet = wallet_of(&worker, &caller.environment, &wallet).await?;
            freeze::check(&worker, &caller, Some(&wallet.wallet)).await?;
            fetch(&worker, &caller, &wallet, &body).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn fetch(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: &RecoverRequest,
) -> Result<RecoverReply, ApiError> {
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    let since = app.now().saturating_add_millis(-WINDOW);
    let fetches = backups::count_fetch(&mut tx, environment, wallet.wallet, since).await?;
    let allowed = fetches <= MOST_FETCHES;
    let rows = if allowed {
        wanted(&mut tx, environment, wallet, body).await?
    } else {
        Vec::new()
    };
    let actor = caller.actor();
    let kind = if allowed {
        "backup.fetched"
    } else {
        "backup.refused"
    };
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let entry = Entry::new(environment, kind, &actor)
        .wallet(wallet.wallet)
        .request(caller.request)
        .detail(serde_json::json!({ "backups": ids, "fetches": fetches }));
    let activity = tx.record(&entry).await?;
    // The count and the entry are durable before anything is given out or refused.
    crash_point("recover.before-commit");
    tx.commit().await?;
    crash_point("recover.after-commit");
    if !allowed {
        let message = "too many fetches of this wallet's backups: wait a minute";
        return Err(ApiError::new(ErrorCode::TooManyRequests, message));
    }
    Ok(RecoverReply {
        key_shares: rows.into_iter().filter_map(given_back).collect(),
        activity: Some(activity),
    })
}

async fn wanted(
    tx: &mut crate::db::Tx,
    environment: &halfkey_core::EnvironmentId,
    wallet: &WalletRow,
    body: &RecoverRequest,
) -> Result<Vec<BackupRow>, ApiError> {
    if body.key_share_ids.is_empty() {
        let of = (wallet.wallet, wallet.generation);
        return Ok(backups::of_generation(tx.conn(), environment, of).await?);
    }
    let mut rows = Vec::new();
    for id in &body.key_share_ids {
        let row = backups::by_id(tx.conn(), environment, wallet.wallet, *id).await?;
        rows.push(row.ok_or_else(|| ApiError::not_found("backup"))?);
    }
    Ok(rows)
}

/// Only what is kept here can be given back.
fn given_back(row: BackupRow) -> Option<RecoveredShare> {
    Some(RecoveredShare {
        id: row.id,
        backup_location: row.location,
        password_encrypted: row.password_encrypted,
        encrypted_account_credential: row.credential?,
        generation: row.generation,
    })
}

/// `POST …/{wallet}/keyShares/backup/locations`: where the customer keeps backups. Of those kept
/// here it names the ids that storing returned.
pub(super) async fn locations(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Create))
        .await?;
    let decoded = call.decode::<BackupLocationsRequest>().await?;
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move {
            let wallet = wallet_of(&worker, &caller.environment, &wallet).await?;
            register(&worker, &caller, &wallet, body).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn register(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: BackupLocationsRequest,
) -> Result<BackupLocationsReply, ApiError> {
    let BackupLocationsRequest {
        locations: places,
        replaces,
    } = body;
    if !replaces.is_empty() {
        caller.require(Scope::Backup)?;
    }
    let generation = wallet.generation;
    let mut here = Vec::new();
    let mut elsewhere = Vec::new();
    let mut conn = app.db.read().acquire().await?;
    for place in places {
        if place.location == BackupLocation::Provider {
            let id = place
                .external_key_share_id
                .as_deref()
                .and_then(|id| id.parse::<BackupId>().ok())
                .ok_or_else(|| ApiError::invalid("a backup kept here is named by its id"))?;
            let environment = &caller.environment.id;
            let row = backups::by_id(&mut conn, environment, wallet.wallet, id).await?;
            let row = row.ok_or_else(|| ApiError::not_found("backup"))?;
            here.push(located(row.id, &place));
        } else {
            elsewhere.push((place_row(generation, &place)?, place));
        }
    }
    drop(conn);
    let kept: Vec<_> = here.iter().map(|one| one.key_share_id).collect();
    if !elsewhere.is_empty() {
        let put = Put {
            generation,
            rows: elsewhere.iter().map(|(row, _)| row.clone()).collect(),
            leaving: Vec::new(),
            kind: "backup.located",
        };
        let (ids, _) = put_all(app, caller, wallet, &put).await?;
        let named = ids.into_iter().zip(&elsewhere);
        here.extend(named.map(|(id, (_, place))| located(id, place)));
    }
    if !replaces.is_empty() {
        replace(app, caller, wallet, &kept, &replaces).await?;
    }
    Ok(BackupLocationsReply {
        message: "ok".to_owned(),
        wallet_id: wallet.wallet,
        wallet_active: wallet.state() == WalletState::Active,
        locations_with_key_shares: here,
    })
}

/// Drops what `kept` takes the place of. What is gone already stays so: a repeat changes nothing.
async fn replace(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    kept: &[BackupId],
    replaced: &[BackupId],
) -> Result<(), ApiError> {
    if replaced.len() > MOST_BACKUPS
        || kept.is_empty()
        || replaced.iter().any(|id| kept.contains(id))
    {
        let message = "a backup is replaced by another one that is kept here";
        return Err(ApiError::invalid(message));
    }
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    for id in kept {
        // Looked at again in this transaction: another request may have replaced it meanwhile.
        let row = backups::by_id(tx.conn(), environment, wallet.wallet, *id).await?;
        row.ok_or_else(|| ApiError::not_found("backup"))?;
    }
    for id in replaced {
        backups::remove(&mut tx, environment, wallet.wallet, *id).await?;
    }
    let actor = caller.actor();
    let entry = Entry::new(environment, "backup.replaced", &actor)
        .wallet(wallet.wallet)
        .request(caller.request)
        .detail(serde_json::json!({ "backups": replaced, "by": kept }));
    tx.record(&entry).await?;
    crash_point("backup.before-replace");
    tx.commit().await?;
    crash_point("backup.after-replace");
    Ok(())
}

/// `POST …/{wallet}/keyShares/backup/drop`: forgets backups, those kept here and what is said of
/// those kept elsewhere. Takes the API token.
pub(super) async fn forget(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Backup))
        .await?;
    let decoded = call.decode::<DropBackupsRequest>().await?;
    let ids = decoded.body.key_share_ids;
    // Twice the most there are: some may be on their way out.
    if ids.is_empty() || ids.len() > 2 * MOST_BACKUPS {
        return Err(ApiError::invalid("keyShareIds has 1 to 64 entries"));
    }
    let worker = Arc::clone(&app);
    let reply = app
        .to_the_end(async move {
            let wallet = wallet_of(&worker, &caller.environment, &wallet).await?;
            freeze::check(&worker, &caller, Some(&wallet.wallet)).await?;
            drop_all(&worker, &caller, &wallet, &ids).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn drop_all(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    ids: &[BackupId],
) -> Result<DropBackupsReply, ApiError> {
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    let mut dropped = 0_u64;
    for id in ids {
        let gone = backups::forget(&mut tx, environment, wallet.wallet, *id).await?;
        dropped = dropped.saturating_add(gone);
    }
    let actor = caller.actor();
    let entry = Entry::new(environment, "backup.dropped", &actor)
        .wallet(wallet.wallet)
        .request(caller.request)
        .detail(serde_json::json!({ "backups": ids, "dropped": dropped }));
    let activity = tx.record(&entry).await?;
    crash_point("backup.before-drop");
    tx.commit().await?;
    crash_point("backup.after-drop");
    Ok(DropBackupsReply {
        dropped,
        activity: Some(activity),
    })
}

fn located(id: BackupId, place: &BackupPlace) -> LocatedBackup {
    LocatedBackup {
        location: place.location.clone(),
        key_share_id: id,
        external_key_share_id: place.external_key_share_id.clone(),
    }
}

fn place_row(generation: Generation, place: &BackupPlace) -> Result<BackupRow, ApiError> {
    let name = String::from(place.location.clone());
    let external = place.external_key_share_id.as_deref().unwrap_or_default();
    if name.is_empty() || name.len() > 64 || external.len() > 512 {
        let message = "a location's name has 1 to 64 characters, its id at most 512";
        return Err(ApiError::invalid(message));
    }
    let mut hasher = Sha256::new_with_prefix(b"halfkey-backup-place-v1");
    hasher.update([u8::try_from(name.len()).unwrap_or(u8::MAX)]);
    hasher.update(&name);
    hasher.update(external);
    Ok(BackupRow {
        id: BackupId::generate(&mut os_rng()),
        generation,
        location: place.location.clone(),
        external_id: place.external_key_share_id.clone(),
        password_encrypted: place.password_encrypted,
        encryption_version: String::new(),
        credential: None,
        content_hash: hasher.finalize().into(),
    })
}
