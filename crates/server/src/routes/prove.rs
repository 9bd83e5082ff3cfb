use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::proof_message::{ProofOperation, proof_message};
use halfkey_core::wire::{
    AttemptState, CeremonyReply, ErrorCode, ProveRequest, Scope, WalletState,
};
use halfkey_core::{AttemptId, Generation, SigningInput};
use sha2::{Digest as _, Sha256};

use super::{attempt_id, check_generation, check_unlocked, fall_back, staged_wallet, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::drive::single_sender;
use crate::ceremony::rounds;
use crate::ceremony::sign::{self, Goal, SignContext};
use crate::ceremony::table::{About, Class, Owner};
use crate::db::attempts::{self, AttemptRow};
use crate::db::wallets::WalletRow;
use crate::freeze;
use crate::web::Call;

/// `POST …/{wallet}/attempts/{attempt}/prove`: a signature over the proof message, which the
/// provider builds itself, from shares the customer has read back (custody rule 7).
///
/// The attempt in the path is the one proven. Of a start it is the one to come, and the ceremony
/// names the active generation, under which it is signed.
///
/// ECDSA takes one more round, in which the provider obtains the signature. Ed25519 takes one more
/// round as well: one message whose body is the 64-byte signature.
pub(super) async fn prove(
    State(app): State<Arc<App>>,
    Path((env, wallet, attempt)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.authorize(&env, Credential::Either, None).await?;
    // Which one it has to be depends on the body.
    let scopes = ProofOperation::ALL.map(scope_of);
    if !scopes.iter().any(|scope| caller.require(*scope).is_ok()) {
        caller.require(Scope::Create)?;
    }
    let attempt = attempt_id(&attempt)?;
    let decoded = call.decode::<ProveRequest>().await?;
    let worker = Arc::clone(&app);
    let (body, digest) = (decoded.body, decoded.digest);
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            open(&worker, caller, row, attempt, body, digest).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn open(
    app: &Arc<App>,
    caller: Caller,
    wallet: WalletRow,
    attempt: AttemptId,
    body: ProveRequest,
    digest: [u8; 32],
) -> Result<CeremonyReply, ApiError> {
    let ProveRequest {
        operation,
        ceremony,
    } = body;
    if ceremony.attempt_id != attempt && !operation.is_start() {
        return Err(ApiError::invalid("body and path name different attempts"));
    }
    match operation {
        // A staged change is a refresh here: whatever else was under way has been stopped.
        ProofOperation::Refresh | ProofOperation::Change => {
            freeze::check_refresh(app, &caller, Some(&wallet.wallet)).await?;
        }
        _ => freeze::check(app, &caller, Some(&wallet.wallet)).await?,
    }
    let named = (ceremony.generation, ceremony.attempt_id);
    let wallet = proven_wallet(app, &caller, wallet, (attempt, named), operation).await?;
    if !starts_refresh(&wallet, operation) {
        check_unlocked(app, &caller.environment, &wallet)?;
    }
    check_generation(&wallet, ceremony.generation, ceremony.attempt_id)?;
    let party = single_sender(&ceremony.messages, wallet.scheme)?;
    let environment = &caller.environment.id;
    let message = proof_message(
        environment,
        wallet.wallet,
        wallet.generation,
        attempt,
        operation,
    );
    // Ed25519 signs the message itself, never its hash.
    let input = if wallet.key_type.uses_ot() {
        SigningInput::Digest(Sha256::digest(&message).into())
    } else {
        SigningInput::Message(message.clone())
    };
    let about = About {
        owner: Owner {
            environment: environment.clone(),
            token: caller.token,
        },
        wallet: wallet.wallet,
        attempt,
        ceremony: ceremony.ceremony_id,
        class: Class::Create,
    };
    let goal = Goal::Proof {
        operation,
        attempt,
        message,
    };
    let context = SignContext {
        caller,
        wallet,
        party,
        ceremony: ceremony.ceremony_id,
        goal,
        opened: None,
    };
    let worker = Arc::clone(app);
    rounds::open(app, about, digest, |cell| async move {
        let opening = (context, None);
        sign::start(&worker, Some(&cell), opening, input, ceremony.messages).await
    })
    .await
}

/// Whether it starts what ends `needs_complete_refresh`, under a generation without OT state: that
/// needs no lock to hold still, and has no other way to be proven.
fn starts_refresh(wallet: &WalletRow, operation: ProofOperation) -> bool {
    use ProofOperation::{Recover, Refresh, ReplaceShare, Reshare};
    matches!(operation, Recover | Refresh | Reshare | ReplaceShare)
        && !wallet.key_type.uses_ot()
        && wallet.locked.is_none()
}

/// Which scope a proof needs: that of what it is for.
const fn scope_of(operation: ProofOperation) -> Scope {
    match operation {
        ProofOperation::Refresh => Scope::Refresh,
        ProofOperation::Reshare | ProofOperation::ReplaceShare => Scope::Reshare,
        ProofOperation::Export => Scope::Export,
        ProofOperation::Delegate => Scope::Delegate,
        ProofOperation::Recover => Scope::Recover,
        // A staged change was let in by its own scope; its proof only finishes it.
        _ => Scope::Create,
    }
}

/// The wallet at the generation whose shares prove: create proves a staged attempt, change the one
/// staged beside the active generation, prove the one that made the active generation, and a start
/// is proven under the active generation for an attempt nobody has heard of; that of a recovery
/// under the generation it falls back to, where it may.
async fn proven_wallet(
    app: &App,
    caller: &Caller,
    wallet: WalletRow,
    (attempt, named): (AttemptId, (Generation, AttemptId)),
    operation: ProofOperation,
) -> Result<WalletRow, ApiError> {
    caller.require(scope_of(operation))?;
    let mut conn = app.db.read().acquire().await?;
    let row = attempts::by_id(&mut conn, &caller.environment.id, attempt).await?;
    if operation.is_start() {
        let wallet = starting(wallet, row)?;
        if operation != ProofOperation::Recover {
            return Ok(wallet);
        }
        if wallet.key_type.uses_ot() {
            let message = "no ceremony runs under it: prove that you know the share";
            return Err(ApiError::new(ErrorCode::NeedsCompleteRefresh, message));
        }
        let target = fall_back::target(&mut conn, app, caller, &wallet, named).await?;
        return Ok(target.wallet);
    }
    let row = row
        .filter(|row| row.wallet == Some(wallet.wallet))
        .ok_or_else(|| ApiError::not_found("attempt"))?;
    match (row.state, operation) {
        (AttemptState::Aborted, _) => Err(aborted()),
        (AttemptState::Staged, ProofOperation::Create)
            if wallet.stored_state == WalletState::Pending =>
        {
            Ok(wallet)
        }
        (AttemptState::Staged, ProofOperation::Change) => {
            let staged = staged_wallet(&mut conn, caller, &wallet, attempt).await?;
            staged
                .map(|(_, wallet)| wallet)
                .ok_or_else(|| ApiError::invalid("a new wallet's attempt is proven for create"))
        }
        (AttemptState::Staged, _) => {
            let message = "the attempt is not committed: prove it for create or change";
            Err(ApiError::new(ErrorCode::WalletNotActive, message))
        }
        (_, ProofOperation::Prove) if wallet.stored_state == WalletState::Active => Ok(wallet),
        _ => Err(ApiError::invalid(
            "the attempt is committed: prove it for prove",
        )),
    }
}

fn starting(wallet: WalletRow, known: Option<AttemptRow>) -> Result<WalletRow, ApiError> {
    match known.map(|row| row.state) {
        None if wallet.stored_state == WalletState::Active => Ok(wallet),
        None => {
            let message = "the wallet is not active: prove and commit it first";
            Err(ApiError::new(ErrorCode::WalletNotActive, message))
        }
        Some(AttemptState::Aborted) => Err(aborted()),
        Some(_) => {
            let message = "the attempt was made already: begin a new one";
            Err(ApiError::new(ErrorCode::CeremonyConflict, message))
        }
    }
}

fn aborted() -> ApiError {
    ApiError::new(ErrorCode::AttemptAborted, "the attempt was aborted")
}
