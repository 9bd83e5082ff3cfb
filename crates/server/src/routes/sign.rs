use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_chain::SigningRequest;
use halfkey_core::proof_message::{ProofOperation, is_proof_message, proof_message};
use halfkey_core::wire::{
    CeremonyReply, ErrorCode, Operation, Scope, SignMessageRequest, WalletState,
};
use halfkey_core::{SigningInput, WalletId};
use sha2::{Digest as _, Sha256};

use super::{check_generation, check_unlocked};
use crate::api_error::ApiError;
use crate::app::{App, Environment};
use crate::auth::{Caller, Credential};
use crate::ceremony::drive::single_sender;
use crate::ceremony::rounds;
use crate::ceremony::running::Stepped;
use crate::ceremony::sign::{self, Goal, SignContext};
use crate::ceremony::table::{About, Class, Owner};
use crate::db::attempts;
use crate::db::slots::SlotOutcome;
use crate::db::wallets::{self, ForSigning, WalletRow};
use crate::freeze;
use crate::web::Call;

/// `POST /sdk/{env}/waas/{wallet}/signMessage`. One round trip for Ed25519, which leaves nothing
/// behind; two for ECDSA.
pub(super) async fn sign_message(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = match (call.is_delegated(), call.has_token()) {
        (false, _) => call.session(&env, Scope::Sign).await?,
        (true, false) => call.delegate(&env).await?,
        (true, true) => {
            let message = "a token and a wallet API key: only one of them can count here";
            return Err(ApiError::invalid(message));
        }
    };
    signed(app, caller, wallet, call).await
}

/// `POST /environments/{env}/waas/{wallet}/delegatedAccess/signMessage`: a delegate's signature,
/// for clients that show the environment's API token beside the wallet's API key.
pub(super) async fn sign_delegated(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    // Whatever the token may do: what counts is the wallet's key. A token that could sign would let
    // the delegate sign on with its share after a revocation.
    call.authorize(&env, Credential::ApiToken, None).await?;
    let caller = call.delegate(&env).await?;
    signed(app, caller, wallet, call).await
}

async fn signed(
    app: Arc<App>,
    caller: Caller,
    wallet: String,
    call: Call,
) -> Result<Response, ApiError> {
    let decoded = call.decode::<SignMessageRequest>().await?;
    let worker = Arc::clone(&app);
    let (body, digest) = (decoded.body, decoded.digest);
    let reply = app
        .to_the_end_on_a_thread(async move {
            let found = for_signing(&worker, &caller.environment, &wallet).await?;
            open(&worker, caller, found, body, digest).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

/// A wallet of the caller's environment, its sealed share and whether it is frozen, in one trip to
/// the database.
async fn for_signing(
    app: &App,
    environment: &Environment,
    wallet: &str,
) -> Result<ForSigning, ApiError> {
    let none = || ApiError::not_found("wallet");
    let id = wallet.parse::<WalletId>().map_err(|_| none())?;
    let mut conn = app.db.read().acquire().await?;
    wallets::for_signing(&mut conn, &environment.id, id)
        .await?
        .ok_or_else(none)
}

async fn open(
    app: &Arc<App>,
    caller: Caller,
    found: ForSigning,
    body: SignMessageRequest,
    digest: [u8; 32],
) -> Result<CeremonyReply, ApiError> {
    if found.is_frozen {
        return Err(freeze::frozen());
    }
    let (wallet, sealed) = (found.wallet, found.sealed);
    if let Some(delegate) = &caller.delegate {
        delegate.is_for(&wallet)?;
    }
    check_unlocked(app, &caller.environment, &wallet)?;
    if wallet.stored_state != WalletState::Active {
        let message = "the wallet is not active: prove and commit it first";
        return Err(ApiError::new(ErrorCode::WalletNotActive, message));
    }
    let ceremony = &body.ceremony;
    check_generation(&wallet, ceremony.generation, ceremony.attempt_id)?;
    let party = single_sender(&ceremony.messages, wallet.scheme)?;
    let request = decide(app, &caller, &wallet, &body).await?;
    if let Some(delegate) = &caller.delegate {
        delegate.may_sign(&wallet, party, request.operation)?;
    }
    let goal = Goal::Message {
        operation: request.operation,
        summary: request.summary,
    };
    let about = About {
        owner: Owner {
            environment: caller.environment.id.clone(),
            token: caller.token,
        },
        wallet: wallet.wallet,
        attempt: wallet.attempt,
        ceremony: ceremony.ceremony_id,
        class: Class::Sign,
    };
    let messages = body.ceremony.messages;
    let context = SignContext {
        caller,
        wallet,
        party,
        ceremony: about.ceremony,
        goal,
        opened: None,
    };
    if !context.uses_slot() {
        if app.is_draining() {
            return Err(ApiError::unavailable("draining"));
        }
        // Nothing is kept of a one-round signature (custody rule 18).
        let input = request.input;
        return match sign::start(app, None, (context, sealed), input, messages).await? {
            Stepped::Finished(reply) => Ok(*reply),
            Stepped::More(running, _) => {
                running.dispose(app, SlotOutcome::Refused).await;
                Err(ApiError::invalid("the first message is incomplete"))
            }
        };
    }
    let worker = Arc::clone(app);
    rounds::open(app, about, digest, |cell| async move {
        let input = request.input;
        sign::start(&worker, Some(&cell), (context, sealed), input, messages).await
    })
    .await
}

/// Decides from the bytes what is signed, and recomputes the digest (custody rules 19 and 20).
async fn decide(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: &SignMessageRequest,
) -> Result<SigningRequest, ApiError> {
    refuse_proof_bytes(&body.message)?;
    let context = body.context.as_ref();
    let request = halfkey_chain::classify(wallet.chain, &body.message, body.is_formatted, context)
        .map_err(|error| chain_error(&error))?;
    let is_proof = request.operation == Operation::Proof
        || matches!(&request.input, SigningInput::Message(bytes) if is_proof_message(bytes));
    if is_proof {
        return Err(proof_refused());
    }
    if request.operation == Operation::Blind {
        if !caller.environment.allow_blind {
            let message = "these bytes have no meaning the provider can tell; blind signing is off";
            return Err(ApiError::new(ErrorCode::BlindSigningDenied, message));
        }
        if let SigningInput::Digest(digest) = &request.input {
            refuse_proof_digest(app, caller, wallet, digest).await?;
        }
    }
    Ok(request)
}

/// Bytes of the proof domain are signed by the proof operation only (custody rule 7).
fn refuse_proof_bytes(message: &str) -> Result<(), ApiError> {
    let digits = message.strip_prefix("0x").unwrap_or(message);
    match hex::decode(digits) {
        Ok(bytes) if is_proof_message(&bytes) => Err(proof_refused()),
        _ => Ok(()),
    }
}

/// A blind digest must not be that of a proof message of this wallet (custody rule 7).
async fn refuse_proof_digest(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    digest: &[u8; 32],
) -> Result<(), ApiError> {
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let live = attempts::live_of_wallet(&mut conn, environment, wallet.wallet).await?;
    for (attempt, generation) in live {
        for operation in ProofOperation::ALL {
            let message = proof_message(environment, wallet.wallet, generation, attempt, operation);
            if *digest == <[u8; 32]>::from(Sha256::digest(&message)) {
                return Err(proof_refused());
            }
        }
    }
    Ok(())
}

fn proof_refused() -> ApiError {
    let message = "proof messages are signed by the proof operation only";
    ApiError::new(ErrorCode::PayloadRefused, message)
}

fn chain_error(error: &halfkey_chain::Error) -> ApiError {
    let code = match error {
        halfkey_chain::Error::Malformed(_) => ErrorCode::InvalidRequest,
        halfkey_chain::Error::Mismatch(_) => ErrorCode::PayloadMismatch,
        _ => ErrorCode::PayloadRefused,
    };
    ApiError::new(code, error.to_string())
}
