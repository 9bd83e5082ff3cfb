use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::proof_message::{ProofOperation, proof_message};
use halfkey_core::wire::{
    AttemptState, CeremonyReply, ErrorCode, ProveRequest, Scope, WalletState,
};
use halfkey_core::{AttemptId, SigningInput};
use sha2::{Digest as _, Sha256};

use super::{attempt_id, check_generation, check_unlocked, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::ceremony::drive::single_sender;
use crate::ceremony::rounds;
use crate::ceremony::sign::{self, Goal, SignContext};
use crate::ceremony::table::{About, Class, Owner};
use crate::db::attempts;
use crate::db::wallets::WalletRow;
use crate::web::Call;

/// `POST …/{wallet}/attempts/{attempt}/prove`: a signature over the proof message, which the
/// provider builds itself, from shares the customer has read back (custody rule 7).
///
/// ECDSA takes one more round, in which the provider obtains the signature. Ed25519 takes one more
/// round as well: one message whose body is the 64-byte signature.
pub(super) async fn prove(
    State(app): State<Arc<App>>,
    Path((env, wallet, attempt)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.session(&env, Scope::Create).await?;
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
    let ceremony = body.ceremony;
    if ceremony.attempt_id != attempt {
        return Err(ApiError::invalid("body and path name different attempts"));
    }
    check_attempt(app, &caller, &wallet, attempt, body.operation).await?;
    check_unlocked(app, &caller.environment, &wallet)?;
    check_generation(&wallet, ceremony.generation, ceremony.attempt_id)?;
    let party = single_sender(&ceremony.messages, wallet.scheme)?;
    let environment = &caller.environment.id;
    let message = proof_message(
        environment,
        wallet.wallet,
        wallet.generation,
        attempt,
        body.operation,
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
        operation: body.operation,
        message,
    };
    let context = SignContext {
        caller,
        wallet,
        party,
        ceremony: ceremony.ceremony_id,
        goal,
    };
    let worker = Arc::clone(app);
    rounds::open(app, about, digest, |cell| async move {
        sign::start(&worker, Some(&cell), context, input, ceremony.messages).await
    })
    .await
}

/// Create proves a staged attempt, prove the one that made the active generation.
async fn check_attempt(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    attempt: AttemptId,
    operation: ProofOperation,
) -> Result<(), ApiError> {
    let mut conn = app.db.read().acquire().await?;
    let row = attempts::by_id(&mut conn, &caller.environment.id, attempt)
        .await?
        .filter(|row| row.wallet == Some(wallet.wallet))
        .ok_or_else(|| ApiError::not_found("attempt"))?;
    match (row.state, operation) {
        (AttemptState::Aborted, _) => Err(ApiError::new(
            ErrorCode::AttemptAborted,
            "the attempt was aborted",
        )),
        (AttemptState::Staged, ProofOperation::Create) => Ok(()),
        (AttemptState::Staged, _) => {
            let message = "the attempt is not committed: prove it for create";
            Err(ApiError::new(ErrorCode::WalletNotActive, message))
        }
        (_, ProofOperation::Prove) if wallet.stored_state == WalletState::Active => Ok(()),
        _ => Err(ApiError::invalid(
            "the attempt is committed: prove it for prove",
        )),
    }
}
