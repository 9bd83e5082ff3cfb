//! Making a key: two round trips, after which both halves hold a pending generation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    ActivityRef, AttemptState, CeremonyMessage, CeremonyReply, CreatedWallet, ErrorCode,
    ProofState, WalletState,
};
use halfkey_core::{WalletId, crash_point};
use halfkey_mpc::{Error as MpcError, Import, KeyShare, Keygen, KeygenParams, ShareHeader};
use halfkey_vault::{Access, Purpose};

use super::drive::{Progress, ceremony_error, check_parties, drive};
use super::key_share;
use super::pool::{Class, StepFailure};
use super::running::{Running, Stepped};
use super::table::Cell;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::db::wallets::WalletRow;
use crate::db::{Entry, Tx, attempts, shares, wallets};

/// A key being made.
#[derive(Debug)]
pub(crate) struct KeygenRun {
    caller: Caller,
    params: KeygenParams,
    keygen: Keygen,
}

/// Answers the first messages.
pub(crate) async fn start(
    app: &Arc<App>,
    caller: Caller,
    (wallet, import): (WalletId, Option<Import>),
    params: KeygenParams,
    messages: Vec<CeremonyMessage>,
) -> Result<Stepped, ApiError> {
    let identity = caller.environment.identity.clone();
    let agreed = params.clone();
    let ran = app
        .pool
        .run(Class::Keygen, move || {
            let mut keygen = match import {
                Some(import) => {
                    Keygen::provider_import(agreed, import, wallet, &identity, os_rng())?
                }
                None => Keygen::provider(agreed, wallet, &identity, os_rng())?,
            };
            let progress = drive(&mut keygen, &messages)?;
            Ok((keygen, progress))
        })
        .await;
    advance(app, caller, params, ran).await
}

impl KeygenRun {
    /// Takes the messages of the next request.
    pub(crate) async fn step(
        self: Box<Self>,
        app: &Arc<App>,
        _cell: &Cell,
        messages: Vec<CeremonyMessage>,
    ) -> Result<Stepped, ApiError> {
        let Self {
            caller,
            params,
            mut keygen,
        } = *self;
        check_parties(&messages, params.scheme)?;
        let ran = app
            .pool
            .run(Class::Keygen, move || {
                let progress = drive(&mut keygen, &messages)?;
                Ok((keygen, progress))
            })
            .await;
        advance(app, caller, params, ran).await
    }
}

async fn advance(
    app: &Arc<App>,
    caller: Caller,
    params: KeygenParams,
    ran: Result<Result<(Keygen, Progress<KeyShare>), MpcError>, StepFailure>,
) -> Result<Stepped, ApiError> {
    match ran? {
        Ok((keygen, Progress::More(messages))) => {
            let run = KeygenRun {
                caller,
                params,
                keygen,
            };
            Ok(Stepped::More(Running::Keygen(Box::new(run)), messages))
        }
        Ok((_, Progress::Done(messages, share))) => {
            let (created, activity) = stage(app, &caller, &share).await?;
            Ok(Stepped::Finished(Box::new(CeremonyReply {
                next: None,
                messages,
                created: Some(created),
                signed: None,
                activity: Some(activity),
            })))
        }
        // There is no wallet to lock yet: a cheater of keygen gets no key.
        Err(error) => Err(ceremony_error(&error)),
    }
}

/// Stores wallet, attempt and sealed share in one transaction; only then may the reply leave
/// (custody rule 6).
async fn stage(
    app: &App,
    caller: &Caller,
    share: &KeyShare,
) -> Result<(CreatedWallet, ActivityRef), ApiError> {
    let header = share.header();
    let row = wallet_row(app, share)?;
    let context = key_share::context(header, &row.canonical_address);
    let access = Access {
        actor: caller.actor(),
        purpose: Purpose::Create,
        request_id: caller.request,
    };
    let vault = caller.environment.keys.vault(app.plain_sink());
    let encoded = share.encode().map_err(|error| ceremony_error(&error))?;
    crash_point("create.before-seal");
    let sealed = vault.seal(&context, &encoded, &access).await?;
    crash_point("create.after-seal");

    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    refuse_known_attempt(&mut tx, header).await?;
    wallets::insert(&mut tx, environment, &row)
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                ApiError::new(
                    ErrorCode::WalletExists,
                    "the address belongs to a wallet already",
                )
            } else {
                error.into()
            }
        })?;
    let of = (header.generation, header.attempt);
    attempts::insert_staged(
        &mut tx,
        environment,
        header.attempt,
        header.wallet,
        header.generation,
    )
    .await?;
    shares::insert(&mut tx, environment, header.wallet, of, sealed.as_bytes()).await?;
    let actor = caller.actor();
    let detail = serde_json::json!({
        "address": row.address,
        "chain": row.chain.as_str(),
        "scheme": row.scheme.as_str(),
        "custodyOrigin": row.custody_origin,
    });
    let entry = Entry::new(environment, "wallet.staged", &actor)
        .wallet(header.wallet)
        .attempt(header.attempt)
        .request(caller.request)
        .detail(detail);
    let activity = tx.record(&entry).await?;
    crash_point("create.before-stage");
    tx.commit().await?;
    crash_point("create.after-stage");
    app.metrics.wallets_created.fetch_add(1, Ordering::Relaxed);
    let created = CreatedWallet {
        wallet_id: header.wallet,
        attempt_id: header.attempt,
        generation: header.generation,
        custody_origin: header.custody_origin,
        restore_epoch: Some(app.restore_epoch()),
    };
    Ok((created, activity))
}

/// A tombstone beats everything that comes later (custody rule 6).
async fn refuse_known_attempt(tx: &mut Tx, header: &ShareHeader) -> Result<(), ApiError> {
    match attempts::by_id(tx.conn(), &header.environment, header.attempt).await? {
        None => Ok(()),
        Some(row) if row.state == AttemptState::Aborted => Err(ApiError::new(
            ErrorCode::AttemptAborted,
            "the attempt was aborted",
        )),
        Some(_) => Err(ApiError::new(
            ErrorCode::CeremonyConflict,
            "the attempt is staged already",
        )),
    }
}

fn wallet_row(app: &App, share: &KeyShare) -> Result<WalletRow, ApiError> {
    let header = share.header();
    let account_public_key = share.account_public_key().to_vec();
    let address =
        halfkey_chain::address(header.chain, &account_public_key).map_err(ApiError::internal)?;
    let canonical_address =
        halfkey_chain::canonical_address(header.chain, &address).map_err(ApiError::internal)?;
    Ok(WalletRow {
        wallet: header.wallet,
        chain: header.chain,
        address,
        canonical_address,
        scheme: header.scheme,
        key_type: header.key_type,
        derivation_path: header.derivation_path.clone(),
        share_set: header.share_set,
        key_share: header.key_share,
        group_public_key: header.group_public_key.clone(),
        account_public_key,
        custody_origin: header.custody_origin,
        exported: false,
        horizon_ms: None,
        stored_state: WalletState::Pending,
        proof: ProofState::Unproven,
        generation: header.generation,
        attempt: header.attempt,
        created_at: app.now(),
        locked: None,
        refresh_needed: None,
    })
}
