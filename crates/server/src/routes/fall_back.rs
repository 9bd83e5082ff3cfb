//! Falling back to an earlier generation, because one half was restored from an older copy (custody
//! rules 9 and 11). It takes the customer's share of that generation, the scope, and the leave of
//! the provider's operator: `halfkey provider recover` where this half would fall back, an accepted
//! restore where it already has.

use std::sync::Arc;

use crate::db::sql::SqliteConnection;
use axum::extract::{Path, State};
use axum::response::Response;
use ed25519_dalek::Signer as _;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{
    ActivityRef, ErrorCode, FallBackReply, FallBackRequest, RestoreEpoch, Scope, WalletState,
};
use halfkey_core::{AttemptId, Generation, crash_point};
use halfkey_vault::Purpose;

use super::change::{START_LASTS, start_unproven};
use super::wallet_of;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::boot_counter::BootCounter;
use crate::ceremony::change::check_share_proof;
use crate::ceremony::key_share::{self, OpenFor};
use crate::db::generations::{self, EndedGeneration};
use crate::db::locks::{self, LockKind};
use crate::db::wallets::{self, WalletRow};
use crate::db::{Entry, Tx, changes, proofs, recoveries};
use crate::freeze;
use crate::web::Call;

/// `POST /sdk/{env}/waas/{wallet}/generations/recover`. Takes the API token. A repeat gets the
/// provider's word again.
pub(super) async fn recover(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Recover))
        .await?;
    let decoded = call.decode::<FallBackRequest>().await?;
    let worker = Arc::clone(&app);
    let body = decoded.body;
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            freeze::check(&worker, &caller, Some(&row.wallet)).await?;
            fall_back(&worker, &caller, &row, &body).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

/// Where the wallet would fall back to.
#[derive(Debug)]
pub(super) struct Target {
    /// The wallet under that generation.
    pub(super) wallet: WalletRow,
    /// Its row, where this half has to fall back as well.
    ended: Option<EndedGeneration>,
}

/// What the wallet may fall back to now, by anybody's leave but the customer's proof.
pub(super) async fn target(
    conn: &mut SqliteConnection,
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    (generation, attempt): (Generation, AttemptId),
) -> Result<Target, ApiError> {
    if wallet.stored_state != WalletState::Active {
        let message = "the wallet was never active";
        return Err(ApiError::new(ErrorCode::WalletNotActive, message));
    }
    if (wallet.generation, wallet.attempt) == (generation, attempt) {
        return Ok(Target {
            wallet: wallet.clone(),
            ended: None,
        });
    }
    let environment = &caller.environment.id;
    let of = (wallet.wallet, generation);
    let found = generations::ended(conn, environment, of).await?;
    let Some(ended) = found.filter(|one| one.attempt == attempt) else {
        let message = "the provider never had that generation: restore a later copy of its half";
        return Err(ApiError::new(ErrorCode::GenerationGone, message));
    };
    if ended.burnt {
        let message = "that generation is burnt: it must never be used again";
        return Err(ApiError::new(ErrorCode::GenerationBurnt, message));
    }
    if ended.shredded {
        let message = "the provider's share of that generation was shredded after the horizon";
        return Err(ApiError::new(ErrorCode::GenerationGone, message));
    }
    let of = (wallet.wallet, attempt);
    if !recoveries::is_approved(conn, environment, of, app.now()).await? {
        let message = "the provider's operator has not let the wallet fall back to that \
                       generation: halfkey provider recover";
        return Err(ApiError::new(ErrorCode::RecoverNotApproved, message));
    }
    Ok(Target {
        wallet: ended.applied_to(wallet),
        ended: Some(ended),
    })
}

async fn fall_back(
    app: &App,
    caller: &Caller,
    row: &WalletRow,
    body: &FallBackRequest,
) -> Result<FallBackReply, ApiError> {
    let wanted = (body.generation, body.attempt_id);
    let mut conn = app.db.read().acquire().await?;
    let to = target(&mut conn, app, caller, row, wanted).await?;
    drop(conn);
    if to.ended.is_none() && app.restore_epoch() <= body.known_epoch {
        let message = "the provider stands at that generation and was not restored since";
        return Err(ApiError::new(ErrorCode::NotRestored, message));
    }
    check_proof(app, caller, &to.wallet, body).await?;
    let mut tx = app.db.begin().await?;
    // Read again under the transaction.
    let now = wallets::by_id(tx.conn(), &caller.environment.id, row.wallet)
        .await?
        .ok_or_else(|| ApiError::not_found("wallet"))?;
    let (activity, epoch) = apply(&mut tx, app, caller, &now, body).await?;
    let high_water = changes::high_water(tx.conn(), &caller.environment.id, row.wallet).await?;
    crash_point("fallback.before-commit");
    tx.commit().await?;
    crash_point("fallback.after-commit");
    if let Some(epoch) = epoch {
        app.counter.began(epoch).await.map_err(ApiError::internal)?;
    }
    app.advance_anchor().await;
    let mut restore = RestoreEpoch {
        wallet_id: row.wallet,
        generation: body.generation,
        attempt_id: body.attempt_id,
        high_water,
        restore_epoch: app.restore_epoch(),
        signature: String::new(),
    };
    let signed = restore.signed_bytes(&caller.environment.id);
    restore.signature = hex::encode(caller.environment.identity.sign(&signed).to_bytes());
    Ok(FallBackReply { restore, activity })
}

/// The customer holds a share of that generation (custody rules 7 and 28). Opens this half's, which
/// stands in the log as a recovery.
async fn check_proof(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: &FallBackRequest,
) -> Result<(), ApiError> {
    let operation = ProofOperation::Recover;
    let opened = key_share::open(app, caller, (wallet, None), OpenFor::This(Purpose::Recover));
    let share = opened.await.map_err(|(error, _)| error)?.share;
    if let Some(proof) = &body.share_proof {
        let about = (body.recovery_id, operation);
        return check_share_proof(caller, wallet, about, &share, proof);
    }
    let of = (wallet.wallet, body.recovery_id);
    let since = app.now().saturating_add_millis(-START_LASTS);
    let mut conn = app.db.read().acquire().await?;
    let environment = &caller.environment.id;
    if wallet.key_type.uses_ot()
        || !proofs::has_fresh(&mut conn, environment, of, operation, since).await?
    {
        return Err(start_unproven());
    }
    Ok(())
}

/// Makes the generation the active one, in a new restore epoch where it is not, and lets nothing
/// but a complete refresh run under it.
async fn apply(
    tx: &mut Tx,
    app: &App,
    caller: &Caller,
    row: &WalletRow,
    body: &FallBackRequest,
) -> Result<(ActivityRef, Option<u64>), ApiError> {
    let environment = &caller.environment.id;
    let wanted = (body.generation, body.attempt_id);
    let to = target(tx.conn(), app, caller, row, wanted).await?;
    let mut epoch = None;
    if let Some(ended) = &to.ended {
        generations::end(tx, environment, row, row.locked.is_some()).await?;
        if !generations::reactivate(tx, environment, row, ended).await? {
            return Err(ApiError::internal("a wallet that is not at its generation"));
        }
        recoveries::use_up(tx, environment, row.wallet).await?;
        epoch = Some(BootCounter::begin_epoch(tx).await?);
    }
    let reason = "it fell back to an earlier generation";
    let of = (row.wallet, body.generation);
    locks::insert(tx, environment, of, LockKind::NeedsCompleteRefresh, reason).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "wallet.recovered", &actor)
        .wallet(row.wallet)
        .attempt(body.attempt_id)
        .request(caller.request)
        .detail(serde_json::json!({
            "generation": body.generation,
            "from": row.generation,
            "restoreEpoch": epoch.unwrap_or_else(|| app.restore_epoch()),
        }));
    Ok((tx.record(&entry).await?, epoch))
}
