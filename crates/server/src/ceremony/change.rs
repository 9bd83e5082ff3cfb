//! Refresh, reshare and replacement: keygen's two round trips, with the old shares put in. The new
//! generation is staged beside the active one (custody rules 3 and 6).

use std::sync::Arc;

use halfkey_core::crash_point;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    ActivityRef, AttemptState, CeremonyMessage, CeremonyReply, ChangeRequest, CreatedWallet,
    ErrorCode,
};
use halfkey_mpc::{Error as MpcError, KeyShare, Keygen, ShareHeader};
use halfkey_vault::{Access, Purpose};

use super::drive::{Progress, ceremony_error, check_parties, drive};
use super::key_share::{self, OpenFor};
use super::pool::{Class, StepFailure};
use super::running::{Running, Stepped};
use super::table::Cell;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::db::changes::{self, StagedChange};
use crate::db::wallets::{self, WalletRow};
use crate::db::{Entry, Tx, attempts, shares};

mod params;

pub(crate) use params::check_share_proof;

/// A change between two requests.
#[derive(Debug)]
pub(crate) struct ChangeRun {
    context: Context,
    keygen: Keygen,
}

/// Everything about a change except the engine's state.
#[derive(Debug)]
struct Context {
    caller: Caller,
    /// As it was when the change began.
    wallet: WalletRow,
    body: ChangeRequest,
}

type Ran = Result<Result<(Keygen, Progress<KeyShare>), MpcError>, StepFailure>;

/// Opens the provider's share and answers the first messages.
pub(crate) async fn start(
    app: &Arc<App>,
    caller: Caller,
    wallet: WalletRow,
    mut body: ChangeRequest,
) -> Result<Stepped, ApiError> {
    // The one load that passes a lock (custody rule 7): no OT state of it is used.
    let old = key_share::open(
        app,
        &caller,
        (&wallet, None),
        OpenFor::This(Purpose::Change),
    )
    .await
    .map_err(|(error, _)| error)?
    .share;
    if let Some(proof) = &body.share_proof {
        let about = (body.new_attempt_id, body.operation.start_proof());
        check_share_proof(&caller, &wallet, about, &old, proof)?;
    }
    let messages = core::mem::take(&mut body.ceremony.messages);
    let agreed = params::of(&body, &old)?;
    let identity = caller.environment.identity.clone();
    let ran = app
        .pool
        .run(Class::Keygen, move || {
            let mut keygen = Keygen::provider_change(agreed, &old, &identity, os_rng())?;
            let progress = drive(&mut keygen, &messages)?;
            Ok((keygen, progress))
        })
        .await;
    let context = Context {
        caller,
        wallet,
        body,
    };
    advance(app, context, ran).await
}

impl ChangeRun {
    /// Takes the messages of the next request.
    pub(crate) async fn step(
        self: Box<Self>,
        app: &Arc<App>,
        _cell: &Cell,
        messages: Vec<CeremonyMessage>,
    ) -> Result<Stepped, ApiError> {
        let Self {
            context,
            mut keygen,
        } = *self;
        check_parties(&messages, context.body.new_threshold_signature_scheme)?;
        let ran = app
            .pool
            .run(Class::Keygen, move || {
                let progress = drive(&mut keygen, &messages)?;
                Ok((keygen, progress))
            })
            .await;
        advance(app, context, ran).await
    }
}

async fn advance(app: &Arc<App>, context: Context, ran: Ran) -> Result<Stepped, ApiError> {
    match ran? {
        Ok((keygen, Progress::More(messages))) => {
            let run = ChangeRun { context, keygen };
            Ok(Stepped::More(Running::Change(Box::new(run)), messages))
        }
        Ok((_, Progress::Done(messages, share))) => {
            let (created, activity) = stage(app, &context, &share).await?;
            Ok(Stepped::Finished(Box::new(CeremonyReply {
                next: None,
                messages,
                created: Some(created),
                signed: None,
                activity: Some(activity),
            })))
        }
        // Its OT state is new and goes with it: no share of the active generation was at risk.
        Err(error) => Err(ceremony_error(&error)),
    }
}

/// Stores attempt, change and sealed share in one transaction; only then may the reply leave
/// (custody rule 6). The wallet's row is not touched.
async fn stage(
    app: &App,
    context: &Context,
    share: &KeyShare,
) -> Result<(CreatedWallet, ActivityRef), ApiError> {
    let Context {
        caller,
        wallet,
        body,
    } = context;
    let header = share.header();
    let access = Access {
        actor: caller.actor(),
        purpose: Purpose::Change,
        request_id: caller.request,
    };
    let vault = caller.environment.keys.vault(app.plain_sink());
    let encoded = share.encode().map_err(|error| ceremony_error(&error))?;
    let bound = key_share::context(header, &wallet.canonical_address);
    crash_point("change.before-seal");
    let sealed = vault.seal(&bound, &encoded, &access).await?;
    crash_point("change.after-seal");

    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    check_unchanged(&mut tx, context, header).await?;
    let change = staged_change(context, header);
    let of = (header.generation, header.attempt);
    attempts::insert_staged(
        &mut tx,
        environment,
        header.attempt,
        wallet.wallet,
        header.generation,
    )
    .await?;
    changes::insert(&mut tx, environment, &change).await?;
    shares::insert(&mut tx, environment, wallet.wallet, of, sealed.as_bytes()).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "change.staged", &actor)
        .wallet(wallet.wallet)
        .attempt(header.attempt)
        .request(caller.request)
        .detail(serde_json::json!({
            "operation": body.operation.as_str(),
            "generation": header.generation,
            "scheme": header.scheme.as_str(),
            "compromised": body.compromised,
        }));
    let activity = tx.record(&entry).await?;
    crash_point("change.before-stage");
    tx.commit().await?;
    crash_point("change.after-stage");
    let created = CreatedWallet {
        wallet_id: wallet.wallet,
        attempt_id: header.attempt,
        generation: header.generation,
        custody_origin: header.custody_origin,
        restore_epoch: Some(app.restore_epoch()),
    };
    Ok((created, activity))
}

/// What was true when the change began must still be: a new attempt, a new number, the same active
/// generation.
async fn check_unchanged(
    tx: &mut Tx,
    context: &Context,
    header: &ShareHeader,
) -> Result<(), ApiError> {
    let Context { caller, wallet, .. } = context;
    let environment = &caller.environment.id;
    if let Some(known) = attempts::by_id(tx.conn(), environment, header.attempt).await? {
        let code = match known.state {
            AttemptState::Aborted => ErrorCode::AttemptAborted,
            _ => ErrorCode::CeremonyConflict,
        };
        return Err(ApiError::new(code, "the attempt was settled meanwhile"));
    }
    let now = wallets::by_id(tx.conn(), environment, wallet.wallet).await?;
    let from = (wallet.generation, wallet.attempt);
    if now.is_none_or(|now| (now.generation, now.attempt) != from)
        || header.generation <= changes::high_water(tx.conn(), environment, wallet.wallet).await?
    {
        let message = "another change came in between: begin again";
        return Err(ApiError::new(ErrorCode::StaleGeneration, message));
    }
    Ok(())
}

fn staged_change(context: &Context, header: &ShareHeader) -> StagedChange {
    let Context { wallet, body, .. } = context;
    StagedChange {
        operation: body.operation,
        wallet: wallet.wallet,
        attempt: header.attempt,
        generation: header.generation,
        from: (wallet.generation, wallet.attempt),
        scheme: header.scheme,
        share_set: header.share_set,
        key_share: header.key_share,
        custody_origin: header.custody_origin,
        compromised: body.compromised,
        horizon_ms: body.backup_horizon_ms,
    }
}
