use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    ActivityRef, DeliverShareReply, DeliverShareRequest, EncryptedDelegatedPayload, ErrorCode,
    Scope, WalletKeyScope, WalletState,
};
use halfkey_core::{AttemptId, PartyIndex, SecretBytes, SecretString, UnixMillis};
use halfkey_envelope::{DelegationData, RecipientKey};

use super::change::{START_LASTS, start_unproven};
use super::{check_generation, check_unlocked, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::delegations::{self, DelegationRow};
use crate::db::sql;
use crate::db::wallets::WalletRow;
use crate::db::{Entry, Tx, delegation_keys, events, proofs, wallets};
use crate::delegation::CREATED;
use crate::freeze;
use crate::token_text::WALLET_KEY;
use crate::web::Call;

const DAY_SECS: u64 = 24 * 60 * 60;
const DEFAULT_SECS: u64 = 30 * DAY_SECS;
const LONGEST_SECS: u64 = 366 * DAY_SECS;
/// Live delegations of one generation of a wallet.
const MOST_LIVE: usize = 16;

/// `POST /sdk/{env}/waas/{wallet}/delegatedAccess/delivery`: takes one customer share, encrypted
/// for a delegate, makes the wallet's API key for it, and keeps both for the delegate, encrypted.
/// Started by a proof from that very share (custody rules 7 and 28). Takes the API token.
pub(super) async fn deliver(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Delegate))
        .await?;
    let decoded = call.decode::<DeliverShareRequest>().await?;
    let (worker, body, digest) = (Arc::clone(&app), decoded.body, decoded.digest);
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            freeze::check(&worker, &caller, Some(&row.wallet)).await?;
            let wanted = Wanted {
                expires_in: lifetime(&body)?,
                scopes: scopes(&body),
                caller,
                body,
                digest,
            };
            take(&worker, &wanted, row).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

struct Wanted {
    caller: Caller,
    body: DeliverShareRequest,
    digest: [u8; 32],
    scopes: Vec<WalletKeyScope>,
    /// In milliseconds.
    expires_in: i64,
}

fn lifetime(body: &DeliverShareRequest) -> Result<i64, ApiError> {
    let secs = body.expires_in_secs.unwrap_or(DEFAULT_SECS);
    if !(1..=LONGEST_SECS).contains(&secs) {
        return Err(ApiError::invalid("a delegation lasts 1 second to 366 days"));
    }
    Ok(i64::try_from(secs.saturating_mul(1000)).unwrap_or(i64::MAX))
}

fn scopes(body: &DeliverShareRequest) -> Vec<WalletKeyScope> {
    if body.scopes.is_empty() {
        return WalletKeyScope::DEFAULT.to_vec();
    }
    let mut scopes = body.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

async fn take(
    app: &App,
    wanted: &Wanted,
    wallet: WalletRow,
) -> Result<DeliverShareReply, ApiError> {
    let Wanted { caller, body, .. } = wanted;
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    // Read again under the transaction: a lock or a change may have come in between.
    let wallet = wallets::by_id(tx.conn(), environment, wallet.wallet)
        .await?
        .ok_or_else(|| ApiError::not_found("wallet"))?;
    if let Some(known) = delegations::by_id(tx.conn(), environment, body.delegation_id).await? {
        return repeated(wanted, &known);
    }
    check_unlocked(app, &caller.environment, &wallet)?;
    if wallet.stored_state != WalletState::Active {
        let message = "the wallet is not active: prove and commit it first";
        return Err(ApiError::new(ErrorCode::WalletNotActive, message));
    }
    check_generation(&wallet, body.generation, body.attempt_id)?;
    let party = proven_party(app, &mut tx, wanted, &wallet).await?;
    check_others(&mut tx, wanted, &wallet, party).await?;
    let recipient = recipient(&mut tx, wanted).await?;
    let (row, key) = row_of(&tx, wanted, &wallet, (party, &recipient))?;
    delegations::insert(&mut tx, &row).await?;
    let activity = record(&mut tx, wanted, &row).await?;
    let data = data(wanted, &wallet, &row, seal(&recipient, &key)?);
    let data = serde_json::to_value(data).map_err(ApiError::internal)?;
    events::insert(&mut tx, environment, CREATED, Some(row.id), &data).await?;
    halfkey_core::crash_point("delegation.before-commit");
    tx.commit().await?;
    halfkey_core::crash_point("delegation.after-commit");
    app.advance_anchor().await;
    Ok(reply(&row, Some(activity)))
}

fn reply(row: &DelegationRow, activity: Option<ActivityRef>) -> DeliverShareReply {
    DeliverShareReply {
        delegated_share_delivery_id: row.id,
        status: "accepted".to_owned(),
        expires_at: row.expires_at.to_string(),
        activity,
    }
}

/// The same request again has the same effect: none.
fn repeated(wanted: &Wanted, known: &DelegationRow) -> Result<DeliverShareReply, ApiError> {
    if known.content_hash == wanted.digest {
        return Ok(reply(known, None));
    }
    let message = "that delegation id was used for another delegation";
    Err(ApiError::new(ErrorCode::DelegationConflict, message))
}

/// Whose share started this: the proof says, not the caller.
async fn proven_party(
    app: &App,
    tx: &mut Tx,
    wanted: &Wanted,
    wallet: &WalletRow,
) -> Result<PartyIndex, ApiError> {
    let start = AttemptId::from_bytes(*wanted.body.delegation_id.as_bytes());
    let since = app.now().saturating_add_millis(-START_LASTS);
    let of = (wallet.wallet, start);
    let operation = ProofOperation::Delegate;
    let environment = &wanted.caller.environment.id;
    proofs::fresh_party(tx.conn(), environment, of, operation, since)
        .await?
        .ok_or_else(start_unproven)
}

/// Never both customer shares (custody rule 31): all delegates of a generation have the same one.
async fn check_others(
    tx: &mut Tx,
    wanted: &Wanted,
    wallet: &WalletRow,
    party: PartyIndex,
) -> Result<(), ApiError> {
    let environment = &wanted.caller.environment.id;
    let now = tx.now();
    let mut others = delegations::of_wallet(tx.conn(), environment, wallet.wallet).await?;
    others.retain(|one| (one.generation, one.attempt) == (wallet.generation, wallet.attempt));
    if others.iter().any(|one| one.party != party) {
        let message = "another customer share of this generation was delegated: never both";
        return Err(ApiError::new(ErrorCode::DelegationConflict, message));
    }
    let is_live = |one: &&DelegationRow| one.revoked_at.is_none() && one.expires_at > now;
    if others.iter().filter(is_live).count() >= MOST_LIVE {
        let message = "the wallet has 16 live delegations: revoke one first";
        return Err(ApiError::new(ErrorCode::DelegationConflict, message));
    }
    Ok(())
}

/// The registered key that the envelope names and fits.
async fn recipient(tx: &mut Tx, wanted: &Wanted) -> Result<RecipientKey, ApiError> {
    let envelope = &wanted.body.encrypted_delegated_share;
    let environment = &wanted.caller.environment.id;
    let Some(kid) = envelope.kid.as_deref() else {
        return Err(ApiError::invalid("the envelope names no key (kid)"));
    };
    let row = delegation_keys::by_kid(tx.conn(), environment, kid).await?;
    let row = row
        .filter(|row| row.revoked_at.is_none())
        .ok_or_else(|| ApiError::invalid("the envelope is for a key that is not registered"))?;
    let key = RecipientKey::from_pem(&row.public_key).map_err(ApiError::internal)?;
    halfkey_envelope::check_for(envelope, &key)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(key)
}

fn row_of(
    tx: &Tx,
    wanted: &Wanted,
    wallet: &WalletRow,
    (party, recipient): (PartyIndex, &RecipientKey),
) -> Result<(DelegationRow, SecretString), ApiError> {
    let key = WALLET_KEY.generate();
    let key_hash = WALLET_KEY.hash(key.expose());
    let row = DelegationRow {
        id: wanted.body.delegation_id,
        environment: wanted.caller.environment.id.clone(),
        wallet: wallet.wallet,
        generation: wallet.generation,
        attempt: wallet.attempt,
        party,
        kid: recipient.kid(),
        content_hash: wanted.digest,
        key_hash: key_hash.ok_or_else(|| ApiError::internal("a new key is well formed"))?,
        scopes: wanted.scopes.clone(),
        created_at: tx.now(),
        expires_at: expiry(tx.now(), wanted.expires_in),
        revoked_at: None,
        revoked_because: None,
    };
    Ok((row, key))
}

const fn expiry(now: UnixMillis, lasts: i64) -> UnixMillis {
    now.saturating_add_millis(lasts)
}

async fn record(
    tx: &mut Tx,
    wanted: &Wanted,
    row: &DelegationRow,
) -> Result<ActivityRef, sql::Error> {
    let actor = wanted.caller.actor();
    let detail = serde_json::json!({
        "delegation": row.id.to_string(),
        "kid": row.kid,
        "party": row.party,
        "generation": row.generation,
        "scopes": row.scopes,
        "expiresAt": row.expires_at.to_string(),
    });
    let entry = Entry::new(&row.environment, "delegation.created", &actor)
        .wallet(row.wallet)
        .attempt(row.attempt)
        .request(wanted.caller.request);
    tx.record(&entry.detail(detail)).await
}

/// The wallet's API key as only the delegate reads it. It is kept nowhere else.
fn seal(
    recipient: &RecipientKey,
    key: &SecretString,
) -> Result<EncryptedDelegatedPayload, ApiError> {
    let content = SecretBytes::new(key.expose().as_bytes().to_vec());
    halfkey_envelope::seal(recipient, &content, &mut os_rng()).map_err(ApiError::internal)
}

fn data(
    wanted: &Wanted,
    wallet: &WalletRow,
    row: &DelegationRow,
    encrypted_wallet_api_key: EncryptedDelegatedPayload,
) -> DelegationData {
    DelegationData {
        wallet_id: wallet.wallet,
        chain: wallet.chain,
        public_key: wallet.address.clone(),
        user_id: None,
        encrypted_delegated_share: wanted.body.encrypted_delegated_share.clone(),
        encrypted_wallet_api_key,
        share_set_id: Some(wallet.share_set.to_string()),
        delegation_id: Some(row.id.to_string()),
        expires_at: Some(row.expires_at.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(secs: Option<u64>, scopes: Vec<WalletKeyScope>) -> DeliverShareRequest {
        let text = String::new;
        DeliverShareRequest {
            encrypted_delegated_share: EncryptedDelegatedPayload {
                alg: text(),
                iv: text(),
                ct: text(),
                tag: text(),
                ek: text(),
                kid: None,
            },
            delegation_id: halfkey_core::DelegationId::from_bytes([0; 16]),
            generation: halfkey_core::Generation(0),
            attempt_id: AttemptId::from_bytes([0; 16]),
            scopes,
            expires_in_secs: secs,
        }
    }

    #[test]
    fn a_delegation_always_ends() {
        let lasts = |secs| lifetime(&body(secs, Vec::new())).ok();
        assert_eq!(lasts(None), Some(30 * 24 * 60 * 60 * 1000));
        assert_eq!(lasts(Some(1)), Some(1000));
        assert!(lasts(Some(LONGEST_SECS)).is_some());
        for secs in [0, LONGEST_SECS + 1, u64::MAX] {
            assert_eq!(lasts(Some(secs)), None, "{secs}");
        }
    }

    #[test]
    fn dangerous_scopes_have_to_be_asked_for() {
        let given = scopes(&body(None, Vec::new()));
        assert!(!given.contains(&WalletKeyScope::Authorization));
        assert!(!given.contains(&WalletKeyScope::Blind));
        let twice = vec![WalletKeyScope::Blind, WalletKeyScope::Blind];
        assert_eq!(scopes(&body(None, twice)), [WalletKeyScope::Blind]);
    }
}
