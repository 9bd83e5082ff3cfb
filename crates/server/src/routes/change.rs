use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{
    AttemptState, CeremonyReply, ChangeOperation, ChangeRequest, ErrorCode, Scope, WalletState,
};
use halfkey_core::{Generation, Role, ThresholdSignatureScheme};

use super::{check_generation, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::change;
use crate::ceremony::drive::check_parties;
use crate::ceremony::rounds;
use crate::ceremony::table::{About, Class, Owner};
use crate::db::wallets::WalletRow;
use crate::db::{attempts, changes, generations, locks, proofs};
use crate::freeze;
use crate::web::Call;

/// A start proof is worth something for this long, in milliseconds.
pub(super) const START_LASTS: i64 = 10 * 60 * 1000;

/// The longest horizon a customer may declare: ten years.
const MAX_HORIZON_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// So many locks of one wallet end by a refresh; then the key has to be exported (custody rule 16).
const LOCKS_ENDED: i64 = 8;

/// `POST /sdk/{env}/waas/{wallet}/refresh`: new shares for the same parties. Takes the API token.
pub(super) async fn refresh(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let wanted = |operation| operation == ChangeOperation::Refresh;
    changed(app, (env, wallet), call, Scope::Refresh, wanted).await
}

/// `POST /sdk/{env}/waas/{wallet}/reshare`: new shares for another scheme's parties, or for the
/// same ones after one share was lost. Takes the API token.
pub(super) async fn reshare(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let wanted = |operation| operation != ChangeOperation::Refresh;
    changed(app, (env, wallet), call, Scope::Reshare, wanted).await
}

async fn changed(
    app: Arc<App>,
    (env, wallet): (String, String),
    call: Call,
    scope: Scope,
    is_wanted: fn(ChangeOperation) -> bool,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(scope))
        .await?;
    let decoded = call.decode::<ChangeRequest>().await?;
    if !is_wanted(decoded.body.operation) {
        return Err(ApiError::invalid("this route is for another operation"));
    }
    let worker = Arc::clone(&app);
    let (body, digest) = (decoded.body, decoded.digest);
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            open(&worker, caller, row, body, digest).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn open(
    app: &Arc<App>,
    caller: Caller,
    wallet: WalletRow,
    body: ChangeRequest,
    digest: [u8; 32],
) -> Result<CeremonyReply, ApiError> {
    if body.operation == ChangeOperation::Refresh {
        freeze::check_refresh(app, &caller, Some(&wallet.wallet)).await?;
    } else {
        freeze::check(app, &caller, Some(&wallet.wallet)).await?;
    }
    check_shape(&wallet, &body)?;
    check_generation(&wallet, body.ceremony.generation, body.ceremony.attempt_id)?;
    check_parties(&body.ceremony.messages, body.new_threshold_signature_scheme)?;
    let about = About {
        owner: Owner {
            environment: caller.environment.id.clone(),
            token: caller.token,
        },
        wallet: wallet.wallet,
        attempt: body.new_attempt_id,
        ceremony: body.ceremony.ceremony_id,
        class: Class::Create,
    };
    let worker = Arc::clone(app);
    rounds::open(app, about, digest, |_cell| async move {
        check_start(&worker, &caller, &wallet, &body).await?;
        change::start(&worker, caller, wallet, body).await
    })
    .await
}

/// What can be told from the request and the wallet's row.
fn check_shape(wallet: &WalletRow, body: &ChangeRequest) -> Result<(), ApiError> {
    if wallet.stored_state != WalletState::Active {
        let message = "the wallet is not active: prove and commit it first";
        return Err(ApiError::new(ErrorCode::WalletNotActive, message));
    }
    if body.backup_horizon_ms.is_some_and(|ms| ms > MAX_HORIZON_MS) {
        return Err(ApiError::invalid("a backup horizon is at most ten years"));
    }
    let (old, new) = (wallet.scheme, body.new_threshold_signature_scheme);
    let same_set = body.share_set_id == wallet.share_set;
    let wrong = match body.operation {
        ChangeOperation::Refresh if old != new || !same_set => {
            "a refresh keeps scheme and share set"
        }
        ChangeOperation::Reshare if old == new => "a reshare is to another scheme",
        ChangeOperation::ReplaceShare
            if old != new || old != ThresholdSignatureScheme::TwoOfThree =>
        {
            "only a TWO_OF_THREE wallet can replace a share"
        }
        ChangeOperation::Reshare | ChangeOperation::ReplaceShare if same_set => {
            "a new set of shares has an id of its own"
        }
        _ => "",
    };
    let lost_fits = match (body.operation, body.lost) {
        (ChangeOperation::ReplaceShare, Some(lost)) => lost.role() == Role::Customer,
        (ChangeOperation::ReplaceShare, None) => false,
        (_, lost) => lost.is_none(),
    };
    if !wrong.is_empty() {
        return Err(ApiError::invalid(wrong));
    }
    if !lost_fits {
        let message =
            "a replacement names the customer's party that lost its share; nothing else does";
        return Err(ApiError::invalid(message));
    }
    Ok(())
}

/// What needs the database: a new attempt, a new number, and a start that was proven (custody rules
/// 7, 11, 16 and 28).
async fn check_start(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: &ChangeRequest,
) -> Result<(), ApiError> {
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    match attempts::by_id(&mut conn, environment, body.new_attempt_id)
        .await?
        .map(|row| row.state)
    {
        None => {}
        Some(AttemptState::Aborted) => {
            let message = "the attempt was aborted";
            return Err(ApiError::new(ErrorCode::AttemptAborted, message));
        }
        Some(_) => {
            let message = "the attempt was made already: begin a new one";
            return Err(ApiError::new(ErrorCode::CeremonyConflict, message));
        }
    }
    let high_water = changes::high_water(&mut conn, environment, wallet.wallet).await?;
    if body.new_generation <= high_water {
        return Err(number_taken(wallet, high_water));
    }
    let is_locked = is_locked(app, caller, wallet);
    if is_locked
        && locks::locked_generations(&mut conn, environment, wallet.wallet).await? > LOCKS_ENDED
    {
        let message = "the wallet was locked too often: export the key and sweep the funds";
        return Err(ApiError::new(ErrorCode::LockFinal, message));
    }
    let may_keep = generations::kept(&mut conn, environment, wallet.wallet).await?
        < app.limits.kept_generations;
    // A lock must have a way out, and shredding what is kept is one.
    if !may_keep && !body.compromised && !is_locked {
        return Err(too_many_kept(app));
    }
    if body.share_proof.is_some() {
        // Checked against the share itself, when that is open. The lock may be the customer's.
        return Ok(());
    }
    if is_locked && (wallet.key_type.uses_ot() || wallet.locked.is_some()) {
        return Err(start_unproven());
    }
    let of = (wallet.wallet, body.new_attempt_id);
    let since = app.now().saturating_add_millis(-START_LASTS);
    let operation = body.operation.start_proof();
    if proofs::has_fresh(&mut conn, environment, of, operation, since).await? {
        Ok(())
    } else {
        Err(start_unproven())
    }
}

/// Whether no OT ceremony may run under the active generation.
pub(crate) fn is_locked(app: &App, caller: &Caller, wallet: &WalletRow) -> bool {
    let subject = (wallet.wallet, wallet.generation);
    wallet.locked.is_some()
        || wallet.refresh_needed.is_some()
        || app.pending.holds(&caller.environment.id, subject)
}

pub(super) fn start_unproven() -> ApiError {
    let message = "start it with a proof under the active generation that names this attempt";
    ApiError::new(ErrorCode::StartUnproven, message)
}

fn too_many_kept(app: &App) -> ApiError {
    let limit = app.limits.kept_generations;
    let message = format!(
        "{limit} generations of the wallet are kept for the customer's backup horizon: no other \
         may follow until the oldest has gone"
    );
    ApiError::new(ErrorCode::TooManyChanges, message)
}

fn number_taken(wallet: &WalletRow, high_water: Generation) -> ApiError {
    let message = "that generation number was used before";
    let payload = serde_json::json!({
        "generation": wallet.generation,
        "attemptId": wallet.attempt,
        "nextGeneration": high_water.0.saturating_add(1),
    });
    ApiError::new(ErrorCode::StaleGeneration, message).with_payload(payload)
}
