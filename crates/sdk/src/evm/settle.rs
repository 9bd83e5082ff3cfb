use std::sync::Arc;

use halfkey_chain::WirePayload;
use halfkey_core::wire::{AttemptState, ErrorCode};
use halfkey_core::{ServerKeyShare, Signature};
use halfkey_mpc::KeyShare;

use crate::sign;
use crate::{PendingWallet, Result, WalletClient};

/// Signs; when the shares turn out to be of a staged generation, first proves and commits their
/// attempt, then signs (custody rule 8). The provider's refusal came before any ceremony, so the
/// second try is not a retry of one.
pub(crate) async fn sign_or_settle(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    shares: &[ServerKeyShare],
    payload: &WirePayload,
) -> Result<Signature> {
    let refused = match sign::sign(client, share, payload).await {
        Err(error)
            if error.api_code() == Some(ErrorCode::WalletNotActive) && !client.is_delegated() =>
        {
            error
        }
        other => return other,
    };
    let attempt = client.attempt(share.header().attempt).await?;
    if attempt.state != AttemptState::Staged {
        return Err(refused);
    }
    let mut pending = PendingWallet::from_shares(client, shares)?;
    pending.prove(shares).await?;
    pending.activate().await?;
    sign::sign(client, share, payload).await
}
