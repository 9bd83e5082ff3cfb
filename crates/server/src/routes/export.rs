use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::AttemptId;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyReply, ErrorCode, ExportRequest, Scope, WalletState};
use halfkey_mpc::age::Recipient;
use halfkey_mpc::{Export, ExportParams};
use halfkey_vault::Purpose;

use super::change::{START_LASTS, is_locked, start_unproven};
use super::{check_generation, recipient, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::change::check_share_proof;
use crate::ceremony::drive::{Progress, ceremony_error, drive, single_sender};
use crate::ceremony::key_share::{self, OpenFor};
use crate::ceremony::pool::Class;
use crate::db::wallets::{self, WalletRow};
use crate::db::{Entry, attempts, exports, proofs, recipients};
use crate::freeze;
use crate::web::Call;

/// `POST /sdk/{env}/waas/{wallet}/export`: the provider's part of the key. One round trip, which
/// leaves nothing to step; a repeat is another export (custody rule 26). Takes the API token.
pub(super) async fn export(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Export))
        .await?;
    let decoded = call.decode::<ExportRequest>().await?;
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            run(&worker, &caller, &row, body).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

async fn run(
    app: &Arc<App>,
    caller: &Caller,
    wallet: &WalletRow,
    body: ExportRequest,
) -> Result<CeremonyReply, ApiError> {
    if app.is_draining() {
        return Err(ApiError::unavailable("draining"));
    }
    if wallet.stored_state != WalletState::Active {
        let message = "the wallet is not active: prove and commit it first";
        return Err(ApiError::new(ErrorCode::WalletNotActive, message));
    }
    freeze::check(app, caller, Some(&wallet.wallet)).await?;
    let ceremony = &body.ceremony;
    check_generation(wallet, ceremony.generation, ceremony.attempt_id)?;
    let party = single_sender(&ceremony.messages, wallet.scheme)?;
    let recipient = recipient::of_export(app, caller, body.recipient.as_deref()).await?;
    check_start(app, caller, wallet, &body).await?;
    let share = key_share::open(app, caller, (wallet, None), OpenFor::This(Purpose::Export))
        .await
        .map_err(|(error, _)| error)?
        .share;
    if let Some(proof) = &body.share_proof {
        let about = (body.export_id, ProofOperation::Export);
        check_share_proof(caller, wallet, about, &share, proof)?;
    }
    let params = ExportParams {
        ceremony: ceremony.ceremony_id,
        export: body.export_id,
        counterparty: party,
        recipient,
    };
    let messages = body.ceremony.messages;
    let ran = app
        .pool
        .run(Class::Sign, move || {
            let mut export = Export::provider(share, params, os_rng())?;
            drive(&mut export, &messages)
        })
        .await?;
    let Progress::Done(messages, _) = ran.map_err(|error| ceremony_error(&error))? else {
        return Err(ApiError::invalid("the first message is incomplete"));
    };
    let activity = settle(app, caller, wallet, (body.export_id, recipient)).await?;
    Ok(CeremonyReply {
        next: None,
        messages,
        created: None,
        signed: None,
        activity: Some(activity),
    })
}

/// A fresh start proof for an export nobody has made (custody rules 4, 7 and 28).
async fn check_start(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    body: &ExportRequest,
) -> Result<(), ApiError> {
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    if attempts::by_id(&mut conn, environment, body.export_id)
        .await?
        .is_some()
        || exports::is_made(&mut conn, environment, body.export_id).await?
    {
        let message = "that export was made already: begin a new one";
        return Err(ApiError::new(ErrorCode::CeremonyConflict, message));
    }
    if body.share_proof.is_some() {
        // Checked against the share itself, when that is open.
        return Ok(());
    }
    let of = (wallet.wallet, body.export_id);
    let since = app.now().saturating_add_millis(-START_LASTS);
    let proven = proofs::has_fresh(&mut conn, environment, of, ProofOperation::Export, since);
    if !is_locked(app, caller, wallet) && proven.await? {
        return Ok(());
    }
    Err(start_unproven())
}

/// Before anything leaves: the export is used up, and the wallet is marked for ever (custody rules
/// 2 and 4).
async fn settle(
    app: &App,
    caller: &Caller,
    wallet: &WalletRow,
    (export, recipient): (AttemptId, Option<Recipient>),
) -> Result<halfkey_core::wire::ActivityRef, ApiError> {
    let environment = &caller.environment.id;
    let recipient = recipient.map(|one| one.to_string());
    let mut tx = app.db.begin().await?;
    if let Some(recipient) = &recipient {
        // It may have been taken off the list since it was looked up.
        let listed = recipients::listed(tx.conn(), environment, recipient).await?;
        if listed.is_none() {
            let message = "the recipient was removed";
            return Err(ApiError::new(ErrorCode::RecipientRefused, message));
        }
    } else if recipients::is_required(tx.conn(), environment).await? {
        let message = "this environment exports to listed recipients only: name one";
        return Err(ApiError::new(ErrorCode::RecipientRefused, message));
    }
    let of = (wallet.wallet, export);
    if !exports::insert(&mut tx, environment, of, recipient.as_deref()).await? {
        let message = "that export was made already: begin a new one";
        return Err(ApiError::new(ErrorCode::CeremonyConflict, message));
    }
    wallets::mark_exported(&mut tx, environment, wallet.wallet).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "wallet.exported", &actor)
        .wallet(wallet.wallet)
        .attempt(export)
        .request(caller.request)
        .detail(serde_json::json!({
            "generation": wallet.generation,
            "recipient": recipient,
        }));
    let activity = tx.record(&entry).await?;
    halfkey_core::crash_point("export.before-commit");
    tx.commit().await?;
    halfkey_core::crash_point("export.after-commit");
    app.advance_anchor().await;
    Ok(activity)
}
