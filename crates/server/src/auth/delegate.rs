//! A delegate: whoever holds a wallet's API key. It signs with that wallet, and nothing else.

use halfkey_core::wire::{ErrorCode, Operation, Scope, WALLET_API_KEY, WalletKeyScope};
use halfkey_core::{AttemptId, DelegationId, Generation, PartyIndex, RequestId, WalletId};
use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use super::Caller;
use crate::api_error::ApiError;
use crate::app::App;
use crate::db::delegations::{self, DelegationRow};
use crate::db::wallets::WalletRow;
use crate::ids::TokenId;
use crate::token_text::WALLET_KEY;

/// What a delegate was given.
#[derive(Debug, Clone)]
pub(crate) struct Delegate {
    pub(crate) id: DelegationId,
    wallet: WalletId,
    generation: Generation,
    attempt: AttemptId,
    party: PartyIndex,
    scopes: Vec<WalletKeyScope>,
}

impl Delegate {
    /// Any other wallet is not there.
    pub(crate) fn is_for(&self, wallet: &WalletRow) -> Result<(), ApiError> {
        if self.wallet == wallet.wallet {
            Ok(())
        } else {
            Err(ApiError::not_found("wallet"))
        }
    }

    /// Refuses what the delegate was not given.
    pub(crate) fn may_sign(
        &self,
        wallet: &WalletRow,
        party: PartyIndex,
        operation: Operation,
    ) -> Result<(), ApiError> {
        if (self.generation, self.attempt) != (wallet.generation, wallet.attempt) {
            let message = "the wallet has other shares now: it has to be delegated again";
            return Err(ApiError::new(ErrorCode::StaleGeneration, message));
        }
        if self.party != party {
            return Err(ApiError::invalid("that is another party's share"));
        }
        match WalletKeyScope::for_operation(operation) {
            Some(scope) if self.scopes.contains(&scope) => Ok(()),
            Some(scope) => {
                let message = format!("this wallet API key lacks the scope {scope}");
                Err(ApiError::new(ErrorCode::ScopeMissing, message))
            }
            None => Err(ApiError::new(
                ErrorCode::PayloadRefused,
                "a delegate proves nothing",
            )),
        }
    }
}

/// Whether a request shows a wallet's API key.
pub(crate) fn has_wallet_key(headers: &HeaderMap) -> bool {
    headers.contains_key(WALLET_API_KEY)
}

/// The delegation is over.
pub(crate) fn revoked() -> ApiError {
    let message = "the delegation was revoked";
    ApiError::new(ErrorCode::DelegationRevoked, message)
}

impl App {
    /// Checks a wallet's API key, against the database every time: in time, not revoked, of this
    /// environment.
    pub(crate) async fn authorize_delegate(
        &self,
        headers: &HeaderMap,
        request: RequestId,
        environment: &str,
    ) -> Result<Caller, ApiError> {
        let mut values = headers.get_all(WALLET_API_KEY).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(ApiError::unauthenticated());
        };
        let hash = value.to_str().ok().and_then(|text| WALLET_KEY.hash(text));
        let hash = hash.ok_or_else(ApiError::unauthenticated)?;
        let mut conn = self.db.read().acquire().await?;
        let row = delegations::by_key_hash(&mut conn, &hash).await?;
        drop(conn);
        let row = row
            .filter(|row| row.key_hash.ct_eq(&hash).into())
            .ok_or_else(ApiError::unauthenticated)?;
        if row.environment.as_str() != environment {
            return Err(ApiError::not_found("environment"));
        }
        if row.revoked_at.is_some() {
            return Err(revoked());
        }
        if row.expires_at <= self.now() {
            let message = "the wallet API key has expired";
            return Err(ApiError::new(ErrorCode::TokenExpired, message));
        }
        Ok(Caller {
            environment: self.environment(environment)?,
            // Ceremonies are the delegation's own: no other key steps them, and a revocation finds
            // them.
            token: owner_of(row.id),
            request,
            scopes: vec![Scope::Sign],
            thaws: false,
            delegate: Some(delegate(row)),
        })
    }
}

/// Under which id a delegation owns its ceremonies.
pub(crate) const fn owner_of(id: DelegationId) -> TokenId {
    TokenId::from_bytes(*id.as_bytes())
}

fn delegate(row: DelegationRow) -> Delegate {
    Delegate {
        id: row.id,
        wallet: row.wallet,
        generation: row.generation,
        attempt: row.attempt,
        party: row.party,
        scopes: row.scopes,
    }
}
