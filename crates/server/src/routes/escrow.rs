//! The provider's shares in the customer's escrow (custody rule 30).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use ed25519_dalek::Signer as _;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    ActivityRef, AttemptState, ESCROW_FORMAT, ErrorCode, EscrowFile, EscrowReply, Scope,
    WalletState,
};
use halfkey_core::{AttemptId, ThresholdSignatureScheme, crash_point};
use halfkey_mpc::age::Recipient;
use halfkey_mpc::{KeyShare, escrow as part};
use halfkey_vault::Purpose;

use super::{attempt_id, check_unlocked, staged_wallet, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::key_share::{self, OpenFor};
use crate::db::escrows::Escrow;
use crate::db::sql::SqliteConnection;
use crate::db::wallets::WalletRow;
use crate::db::{Entry, Tx, attempts, escrows};
use crate::freeze;
use crate::web::Call;

/// `POST …/{wallet}/attempts/{attempt}/escrow`: the provider's share of that generation, sealed to
/// the escrow key in force; a repeat gets the same file. Whoever commits a staged attempt needs it
/// for that (`wallet.create`); of a committed one it takes the API token and `wallet.escrow`. Of a
/// generation that ended there is only what was sealed in its time.
pub(super) async fn escrow(
    State(app): State<Arc<App>>,
    Path((env, wallet, attempt)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.authorize(&env, Credential::Either, None).await?;
    if caller.require(Scope::Escrow).is_err() {
        // Which one it has to be depends on the attempt.
        caller.require(Scope::Create)?;
    }
    let decoded = call.unparsed().await?;
    let attempt = attempt_id(&attempt)?;
    let worker = Arc::clone(&app);
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            freeze::check_refresh(&worker, &caller, Some(&row.wallet)).await?;
            give(&worker, &caller, row, attempt).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn give(
    app: &App,
    caller: &Caller,
    wallet: WalletRow,
    attempt: AttemptId,
) -> Result<EscrowReply, ApiError> {
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let live = live_generation(&mut conn, caller, wallet, attempt).await?;
    let key = match &live {
        Some(_) => escrows::in_force(&mut conn, environment, app.now()).await?,
        None => None,
    };
    let sealed = escrows::sealed(&mut conn, environment, attempt, key.as_deref()).await?;
    drop(conn);
    if let Some(sealed) = sealed {
        return Ok(reply(sealed, None));
    }
    let (Some(live), Some(key)) = (live, key) else {
        return Err(ApiError::not_found("escrow"));
    };
    check_unlocked(app, &caller.environment, &live)?;
    seal(app, caller, &live, &key).await
}

/// The wallet under the generation of `attempt`, where that may still be sealed: staged or active.
async fn live_generation(
    conn: &mut SqliteConnection,
    caller: &Caller,
    wallet: WalletRow,
    attempt: AttemptId,
) -> Result<Option<WalletRow>, ApiError> {
    let row = attempts::by_id(conn, &caller.environment.id, attempt)
        .await?
        .filter(|row| row.wallet == Some(wallet.wallet))
        .ok_or_else(|| ApiError::not_found("attempt"))?;
    let live = match row.state {
        AttemptState::Aborted => {
            let message = "the attempt was aborted";
            return Err(ApiError::new(ErrorCode::AttemptAborted, message));
        }
        AttemptState::Staged => {
            caller.require(Scope::Create)?;
            let change = staged_wallet(conn, caller, &wallet, attempt).await?;
            Some(change.map_or(wallet, |(_, staged)| staged))
        }
        _ => {
            caller.require(Scope::Escrow)?;
            let is_active = wallet.attempt == attempt && wallet.stored_state == WalletState::Active;
            is_active.then_some(wallet)
        }
    };
    if live
        .as_ref()
        .is_some_and(|live| live.scheme != ThresholdSignatureScheme::TwoOfTwo)
    {
        let message = "only TWO_OF_TWO has an escrow: two customer shares need no provider";
        return Err(ApiError::invalid(message));
    }
    Ok(live)
}

async fn seal(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    key: &str,
) -> Result<EscrowReply, ApiError> {
    let why = OpenFor::This(Purpose::Escrow);
    let share = key_share::open(app, caller, (wallet, None), why)
        .await
        .map_err(|(error, _)| error)?
        .share;
    let file = file_of(caller, wallet, &share, key)?;
    drop(share);
    let environment = &caller.environment.id;
    let escrow = Escrow {
        digest: file.digest(),
        file,
    };
    let mut tx = app.db.begin().await?;
    if !escrows::insert(&mut tx, environment, &escrow).await? {
        // Another call was first: there is one file per generation and key.
        let first = escrows::sealed(tx.conn(), environment, wallet.attempt, Some(key)).await?;
        let first = first.ok_or_else(|| ApiError::internal("an escrow that is not there"))?;
        return Ok(reply(first, None));
    }
    let actor = caller.actor();
    let entry = Entry::new(environment, "escrow.sealed", &actor)
        .wallet(wallet.wallet)
        .attempt(wallet.attempt)
        .request(caller.request)
        .detail(serde_json::json!({
            "generation": wallet.generation,
            "recipient": key,
            "digest": hex::encode(escrow.digest),
        }));
    let activity = tx.record(&entry).await?;
    crash_point("escrow.before-commit");
    tx.commit().await?;
    crash_point("escrow.after-commit");
    app.advance_anchor().await;
    Ok(reply(escrow, Some(activity)))
}

fn file_of(
    caller: &Caller,
    wallet: &WalletRow,
    share: &KeyShare,
    key: &str,
) -> Result<EscrowFile, ApiError> {
    let recipient: Recipient = key
        .parse()
        .map_err(|_| ApiError::internal("a registered escrow key is no key"))?;
    let label = part::label(share).map_err(ApiError::internal)?;
    let sealed = part::seal(share, &recipient, &mut os_rng()).map_err(ApiError::internal)?;
    let mut file = EscrowFile {
        format: ESCROW_FORMAT.to_owned(),
        environment: label.environment,
        chain_name: wallet.chain,
        account_address: wallet.address.clone(),
        wallet_id: label.wallet,
        generation: label.generation,
        attempt_id: label.attempt,
        verifying_share: hex::encode(label.verifying_share),
        recipient: key.to_owned(),
        sealed,
        signature: String::new(),
    };
    let identity = &caller.environment.identity;
    file.signature = hex::encode(identity.sign(&file.signed_bytes()).to_bytes());
    Ok(file)
}

fn reply(escrow: Escrow, activity: Option<ActivityRef>) -> EscrowReply {
    EscrowReply {
        escrow: escrow.file,
        activity,
    }
}

/// Before a generation of `scheme` is committed: where a key is in force, the share must be sealed
/// to it and `acknowledged` must be the digest of that. Runs in the commit's transaction.
pub(super) async fn check_acknowledged(
    tx: &mut Tx,
    caller: &Caller,
    (attempt, scheme): (AttemptId, ThresholdSignatureScheme),
    acknowledged: Option<[u8; 32]>,
) -> Result<(), ApiError> {
    let environment = &caller.environment.id;
    if scheme != ThresholdSignatureScheme::TwoOfTwo {
        return match acknowledged {
            None => Ok(()),
            Some(_) => Err(ApiError::invalid("only TWO_OF_TWO has an escrow")),
        };
    }
    let now = tx.now();
    if let Some(key) = escrows::in_force(tx.conn(), environment, now).await? {
        let sealed = escrows::sealed(tx.conn(), environment, attempt, Some(&key)).await?;
        let sealed = sealed.map(|escrow| escrow.digest);
        if sealed.is_none() || sealed != acknowledged {
            return Err(unacknowledged());
        }
    }
    match acknowledged {
        Some(digest) if !escrows::acknowledge(tx, environment, attempt, &digest).await? => {
            Err(unacknowledged())
        }
        _ => Ok(()),
    }
}

fn unacknowledged() -> ApiError {
    let message = "the provider's share is not in the escrow yet: fetch it under this attempt, \
                   store it, and commit with its digest";
    ApiError::new(ErrorCode::EscrowUnacknowledged, message)
}
