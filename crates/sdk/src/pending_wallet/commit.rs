use halfkey_core::WalletProperties;
use halfkey_core::wire::{AttemptState, CommitReply, CommitRequest, ErrorCode, WalletState};
use halfkey_mpc::ShareHeader;

use crate::transport::Retry;
use crate::{Error, Result, WalletClient, identity};
use halfkey_core::crash_point::crash_point;

/// Commits the attempt of `header`. A lost reply is no failure: the commit is repeated under its
/// idempotency key, and when that fails too, the provider's signed word on the attempt decides.
/// Returns the restore epoch that the provider has signed it in, where it says.
pub(crate) async fn commit(
    client: &WalletClient,
    header: &ShareHeader,
    unproven: bool,
    properties: &WalletProperties,
    escrow: Option<[u8; 32]>,
) -> Result<Option<u64>> {
    let (wallet, attempt) = (header.wallet.to_string(), header.attempt.to_string());
    let path = client.route(&[&wallet, "attempts", &attempt, "commit"])?;
    let key = format!("{attempt}/commit");
    let body = CommitRequest {
        unproven,
        escrow: escrow.map(hex::encode),
    };
    crash_point("create.before_commit");
    let sent = client
        .post(&path, &body, Some(&key), Retry::Idempotent)
        .await;
    crash_point("create.after_commit");
    match sent {
        Ok(reply) => {
            check(&reply, header, properties)?;
            let Some(signed) = &reply.attempt else {
                return Ok(None);
            };
            let identity = client.provider_identity().await?;
            identity::verify_attempt(signed, header.attempt, client.environment(), &identity)?;
            Ok(Some(signed.restore_epoch))
        }
        Err(error) if is_open(&error) => match client.attempt(header.attempt).await {
            Ok(reply) if is_committed(reply.state) => Ok(Some(reply.restore_epoch)),
            Ok(reply) if reply.state == AttemptState::Aborted => {
                Err(Error::AttemptAborted(header.attempt))
            }
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Whether the answer leaves open what became of the attempt. That it was aborted is believed only
/// when the provider's identity has signed it (custody rule 6).
fn is_open(error: &Error) -> bool {
    matches!(error, Error::Network(_) | Error::Protocol(_))
        || error.api_code() == Some(ErrorCode::AttemptAborted)
}

/// Whether the generation of an attempt in this state is the active one.
pub(crate) const fn is_committed(state: AttemptState) -> bool {
    matches!(state, AttemptState::Committed | AttemptState::Finalised)
}

fn check(reply: &CommitReply, header: &ShareHeader, properties: &WalletProperties) -> Result<()> {
    let chain = header.chain;
    let theirs = halfkey_chain::canonical_address(chain, &reply.account_address)?;
    let ours = halfkey_chain::canonical_address(chain, &properties.account_address)?;
    if theirs != ours {
        return Err(Error::Protocol("the provider committed another address"));
    }
    if reply.state == WalletState::Pending || reply.state == WalletState::Aborted {
        return Err(Error::Protocol("the provider committed without activating"));
    }
    if reply
        .custody_origin
        .is_some_and(|origin| !origin.admits(header.custody_origin))
    {
        return Err(Error::Protocol(
            "the provider tells another custody origin than the share",
        ));
    }
    Ok(())
}
