use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::crash_point;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    AttemptState, CeremonyReply, CreateRequest, ErrorCode, ImportedKey, Scope,
};
use halfkey_core::{AttemptId, ChainName, DerivationPath, Generation, KeyType, WalletId};
use halfkey_mpc::{Import, KeygenParams};
use sha2::{Digest as _, Sha256};

use super::abort::{Aborted, abort_in};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::drive::check_parties;
use crate::ceremony::keygen;
use crate::ceremony::rounds;
use crate::ceremony::running::dispose_all;
use crate::ceremony::table::{About, Class, Owner};
use crate::db::idempotency::{self, IdempotencyKey, IdempotencyRow};
use crate::db::slots::SlotOutcome;
use crate::db::{Tx, attempts, wallets};
use crate::freeze;
use crate::web::Call;

/// `POST /sdk/{env}/waas/create`: opens keygen.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Create))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<CreateRequest>().await?;
    if decoded.body.import.is_some() {
        caller.require(Scope::Import)?;
    }
    let worker = Arc::clone(&app);
    let (body, digest) = (decoded.body, decoded.digest);
    let reply = app
        .to_the_end(async move { open(&worker, caller, key, body, digest).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn open(
    app: &Arc<App>,
    caller: Caller,
    key: Option<String>,
    body: CreateRequest,
    digest: [u8; 32],
) -> Result<CeremonyReply, ApiError> {
    freeze::check(app, &caller, None).await?;
    let params = params_of(&caller, &body)?;
    let import = body.import.as_ref().map(import_of).transpose()?;
    check_parties(&body.ceremony.messages, params.scheme)?;
    let wallet = WalletId::generate(&mut os_rng());
    let about = About {
        owner: Owner {
            environment: caller.environment.id.clone(),
            token: caller.token,
        },
        wallet,
        attempt: params.attempt,
        ceremony: params.ceremony,
        class: Class::Create,
    };
    let worker = Arc::clone(app);
    rounds::open(app, about, digest, |_cell| async move {
        begin(&worker, &caller, key, &body, params.attempt).await?;
        let messages = body.ceremony.messages;
        keygen::start(&worker, caller, (wallet, import), params, messages).await
    })
    .await
}

/// What both halves must agree on, from the request.
fn params_of(caller: &Caller, body: &CreateRequest) -> Result<KeygenParams, ApiError> {
    let chain = body
        .chain
        .parse::<ChainName>()
        .map_err(|_| ApiError::new(ErrorCode::UnknownChain, "the chain is not one of EVM, SVM"))?;
    if body.address_type.is_some() {
        return Err(ApiError::invalid(
            "this chain has one address type: name none",
        ));
    }
    if body.ceremony.generation != Generation(0) {
        let message = "a new wallet starts with generation 0";
        return Err(ApiError::new(ErrorCode::StaleGeneration, message));
    }
    let derivation_path = match &body.derivation_path {
        Some(indices) => DerivationPath::try_from(indices.clone())?,
        None => chain.default_path(),
    };
    Ok(KeygenParams {
        environment: caller.environment.id.clone(),
        chain,
        key_type: KeyType::of(chain, body.variant),
        scheme: body.threshold_signature_scheme,
        derivation_path,
        attempt: body.ceremony.attempt_id,
        share_set: body.share_set_id,
        ceremony: body.ceremony.ceremony_id,
    })
}

fn import_of(key: &ImportedKey) -> Result<Import, ApiError> {
    let bytes = |text: &str| {
        hex::decode(text).map_err(|_| ApiError::invalid("an imported key's parts are hex"))
    };
    Ok(Import {
        public_key: bytes(&key.public_key)?,
        chain_code: bytes(&key.chain_code)?,
    })
}

/// Makes sure that the attempt is a new one, and settles what its idempotency key stood for before
/// (custody rule 26).
async fn begin(
    app: &Arc<App>,
    caller: &Caller,
    key: Option<String>,
    body: &CreateRequest,
    attempt: AttemptId,
) -> Result<(), ApiError> {
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let known = attempts::by_id(&mut conn, environment, attempt).await?;
    drop(conn);
    match known.map(|row| row.state) {
        None => {}
        Some(AttemptState::Aborted) => {
            return Err(ApiError::new(
                ErrorCode::AttemptAborted,
                "the attempt was aborted",
            ));
        }
        Some(_) => {
            let message = "the attempt was made already: begin a new one";
            return Err(ApiError::new(ErrorCode::CeremonyConflict, message));
        }
    }
    let Some(key) = key else { return Ok(()) };
    let key = IdempotencyKey {
        environment: environment.clone(),
        subject: caller.token,
        route: "create".to_owned(),
        key,
    };
    let mut tx = app.db.begin().await?;
    let old = replace_attempt(app, &mut tx, caller, &key, intent_hash(body), attempt).await?;
    crash_point("create.before-open");
    tx.commit().await?;
    crash_point("create.after-open");
    if let Some(old) = old {
        let cells = app.table.kill_attempt(environment, old);
        dispose_all(app, cells, SlotOutcome::Refused).await;
    }
    Ok(())
}

/// Points the key at the new attempt; an uncommitted old one gets a tombstone and is returned.
async fn replace_attempt(
    app: &App,
    tx: &mut Tx,
    caller: &Caller,
    key: &IdempotencyKey,
    body_hash: [u8; 32],
    attempt: AttemptId,
) -> Result<Option<AttemptId>, ApiError> {
    let mut replaced = None;
    if let Some(row) = idempotency::find(tx.conn(), key).await? {
        if row.body_hash != body_hash {
            let message = "the idempotency key was used for another request";
            return Err(ApiError::new(ErrorCode::IdempotencyMismatch, message));
        }
        if row.attempt != attempt {
            match abort_in(tx, caller, None, row.attempt).await? {
                Aborted::Now(_) | Aborted::Before(_) => replaced = Some(row.attempt),
                Aborted::Never(settled) => {
                    return Err(already_committed(app, caller, settled.wallet, row.attempt).await?);
                }
            }
        }
    }
    let row = IdempotencyRow {
        body_hash,
        attempt,
        outcome: None,
    };
    idempotency::put(tx, key, &row).await?;
    Ok(replaced)
}

/// The reply that tells the wallet which an earlier call under the same key made.
async fn already_committed(
    app: &App,
    caller: &Caller,
    wallet: Option<WalletId>,
    attempt: AttemptId,
) -> Result<ApiError, ApiError> {
    let mut conn = app.db.read().acquire().await?;
    let row = match wallet {
        Some(wallet) => wallets::by_id(&mut conn, &caller.environment.id, wallet).await?,
        None => None,
    };
    let row = row.ok_or_else(|| ApiError::internal("a committed attempt without its wallet"))?;
    let message = "an earlier call under this idempotency key made the wallet";
    Ok(
        ApiError::new(ErrorCode::WalletExists, message).with_payload(serde_json::json!({
            "accountAddress": row.address,
            "walletId": row.wallet,
            "attemptId": attempt,
        })),
    )
}

/// What the caller wants, without what differs from one attempt to the next.
fn intent_hash(body: &CreateRequest) -> [u8; 32] {
    let intent = serde_json::json!({
        "chain": body.chain,
        "scheme": body.threshold_signature_scheme,
        "derivationPath": body.derivation_path,
        "addressType": body.address_type,
        "variant": body.variant,
        "import": body.import.as_ref().map(|import| &import.public_key),
    });
    Sha256::digest(intent.to_string()).into()
}
