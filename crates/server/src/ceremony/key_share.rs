//! Opening the provider's share of a wallet: a real unwrap, past every cache, with its audit event
//! and, for OT keys, its slot made durable first.

use std::sync::Arc;

use halfkey_core::wire::{ActivityRef, ErrorCode};
use halfkey_core::{PartyIndex, SecretBytes};
use halfkey_mpc::{KeyShare, ShareHeader};
use halfkey_vault::{Access, BindCtx, Purpose, RecordPurpose, SealedRecord};
use sha2::{Digest as _, Sha256};

use crate::api_error::ApiError;
use crate::app::{App, Environment};
use crate::audit_sink::{DbSink, SlotRefusal};
use crate::auth::Caller;
use crate::db::shares;
use crate::db::slots::SlotKey;
use crate::db::wallets::WalletRow;

/// What the sealed share of `header` is bound to (custody rule 23).
pub(crate) fn context(header: &ShareHeader, canonical_address: &str) -> BindCtx {
    BindCtx {
        environment: header.environment.clone(),
        chain: header.chain,
        account_address: canonical_address.to_owned(),
        wallet: header.wallet,
        key_share: header.key_share,
        share_set: header.share_set,
        party: header.party,
        scheme: header.scheme,
        purpose: RecordPurpose::Share,
        generation: header.generation,
        attempt: header.attempt,
        group_public_key_hash: Sha256::digest(&header.group_public_key).into(),
    }
}

/// The header that the share of `wallet` must have.
fn expected_header(environment: &Environment, wallet: &WalletRow) -> ShareHeader {
    ShareHeader {
        environment: environment.id.clone(),
        chain: wallet.chain,
        wallet: wallet.wallet,
        share_set: wallet.share_set,
        key_share: wallet.key_share,
        scheme: wallet.scheme,
        key_type: wallet.key_type,
        party: PartyIndex::PROVIDER,
        generation: wallet.generation,
        attempt: wallet.attempt,
        custody_origin: wallet.custody_origin,
        derivation_path: wallet.derivation_path.clone(),
        group_public_key: wallet.group_public_key.clone(),
    }
}

/// The provider's share, and where its opening stands in the activity chain.
#[derive(Debug)]
pub(crate) struct OpenedShare {
    pub(crate) share: Arc<KeyShare>,
    pub(crate) activity: Option<ActivityRef>,
}

/// What the opening of a share is for, and what stands in the log with it.
#[derive(Debug)]
pub(crate) enum OpenFor<'a> {
    /// Nothing else.
    This(Purpose),
    /// A ceremony under a slot, which is taken.
    Slot(Purpose, &'a SlotKey),
    /// The one-round signature that `detail` tells of.
    Signature(serde_json::Value),
}

/// Opens the share of the wallet's current generation. Once the opening stands in the log the
/// caller has to say how it ended, also when this fails (`Err` with `true`).
pub(crate) async fn open(
    app: &App,
    caller: &Caller,
    (wallet, sealed): (&WalletRow, Option<Vec<u8>>),
    why: OpenFor<'_>,
) -> Result<OpenedShare, (ApiError, bool)> {
    let db = app.db.clone();
    let (purpose, sink) = match why {
        OpenFor::This(purpose) => (purpose, DbSink::plain(db)),
        OpenFor::Slot(purpose, slot) => {
            let (cap, pending) = (app.limits.open_slots, Arc::clone(&app.pending));
            (purpose, DbSink::with_slot(db, slot.clone(), cap, pending))
        }
        OpenFor::Signature(detail) => (Purpose::Sign, DbSink::with_signature(db, detail)),
    };
    let sink = Arc::new(sink);
    let opened = open_with(app, caller, (wallet, sealed), purpose, &sink).await;
    let opened = opened.map(|share| OpenedShare {
        share,
        activity: sink.position(),
    });
    opened.map_err(|error| match sink.granted() {
        Some(Err(refusal)) => (slot_error(refusal), false),
        granted => (error, granted.is_some()),
    })
}

async fn open_with(
    app: &App,
    caller: &Caller,
    (wallet, sealed): (&WalletRow, Option<Vec<u8>>),
    purpose: Purpose,
    sink: &Arc<DbSink>,
) -> Result<Arc<KeyShare>, ApiError> {
    let environment = &caller.environment;
    let sealed = if sealed.is_some() {
        sealed
    } else {
        let mut conn = app.db.read().acquire().await?;
        shares::sealed(&mut conn, &environment.id, wallet.wallet, wallet.attempt).await?
    };
    let sealed = sealed.ok_or_else(|| ApiError::internal("a wallet without its share"))?;
    let record = SealedRecord::from_bytes(&sealed).map_err(ApiError::internal)?;
    let header = expected_header(environment, wallet);
    let access = Access {
        actor: caller.actor(),
        purpose,
        request_id: caller.request,
    };
    let vault = environment.keys.vault(Arc::clone(sink));
    let context = context(&header, &wallet.canonical_address);
    // A proof, an export or a change is worth a real unwrap (custody rule 7); a signature is not
    // one call to a KMS each.
    let plaintext: SecretBytes = match purpose {
        Purpose::Sign => vault.open_warm(&context, &record, &access).await?,
        _ => vault.open(&context, &record, &access).await?,
    };
    let share = KeyShare::decode(&plaintext).map_err(ApiError::internal)?;
    if *share.header() != header {
        return Err(ApiError::internal("a share's header is not the wallet's"));
    }
    Ok(Arc::new(share))
}

fn slot_error(refusal: SlotRefusal) -> ApiError {
    match refusal {
        SlotRefusal::Used => {
            let message = "that ceremony id was used before";
            ApiError::new(ErrorCode::CeremonyConflict, message)
        }
        SlotRefusal::Full => too_many_open(),
        SlotRefusal::Locked => ApiError::new(ErrorCode::WalletLocked, "the wallet is locked"),
    }
}

/// As many OT ceremonies of the wallet as allowed are open.
pub(crate) fn too_many_open() -> ApiError {
    let message = "too many signatures of this wallet are being made at once";
    ApiError::new(ErrorCode::TooManyRequests, message)
}
