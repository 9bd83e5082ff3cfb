//! The session token: got for the API token, renewed before it expires.

use core::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use halfkey_core::random::os_rng;
use halfkey_core::wire::AuthenticateReply;
use halfkey_core::{RequestId, SecretString, UnixMillis};
use http::Method;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::transport::{Call, Retry};
use crate::{Error, Result, WalletClient};

/// A token is renewed this long before it expires, so that it does not expire on the way.
const MARGIN_MS: i64 = 30_000;

#[derive(Default)]
pub(super) struct Session {
    open: AtomicBool,
    /// Held across a renewal: everybody else waits for the new token.
    tokens: Mutex<Option<Tokens>>,
}

struct Tokens {
    api_token: SecretString,
    /// None before the first call of a client that authenticates lazily.
    current: Option<SessionToken>,
}

struct SessionToken {
    token: SecretString,
    renew_at: Option<UnixMillis>,
}

impl Session {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

impl WalletClient {
    pub(super) async fn start_session(&self, api_token: SecretString) -> Result<()> {
        let mut tokens = self.inner.session.tokens.lock().await;
        let current = Some(self.exchange(&api_token).await?);
        *tokens = Some(Tokens { api_token, current });
        Ok(())
    }

    pub(super) async fn keep_api_token(&self, api_token: SecretString) {
        let current = None;
        *self.inner.session.tokens.lock().await = Some(Tokens { api_token, current });
    }

    /// A session token that is not about to expire and is not `refused`.
    pub(super) async fn session_token(
        &self,
        refused: Option<&SecretString>,
    ) -> Result<SecretString> {
        let mut slot = self.inner.session.tokens.lock().await;
        let tokens = slot.as_mut().ok_or(Error::NotAuthenticated)?;
        let is_due = |at| self.clock().now() >= at;
        let usable = |current: &&SessionToken| {
            !current.renew_at.is_some_and(is_due) && refused != Some(&current.token)
        };
        if let Some(current) = tokens.current.as_ref().filter(usable) {
            return Ok(current.token.clone());
        }
        let renewed = self.exchange(&tokens.api_token).await?;
        Ok(tokens.current.insert(renewed).token.clone())
    }

    /// The API token the session was made with.
    pub(super) async fn api_token(&self) -> Result<SecretString> {
        let slot = self.inner.session.tokens.lock().await;
        let tokens = slot.as_ref().ok_or(Error::NotAuthenticated)?;
        Ok(tokens.api_token.clone())
    }

    async fn exchange(&self, api_token: &SecretString) -> Result<SessionToken> {
        let path = self.environment_route("waas/authenticate");
        let key = RequestId::generate(&mut os_rng()).to_string();
        let call = Call {
            method: Method::POST,
            path: &path,
            bearer: Some(api_token),
            wallet_key: None,
            idempotency_key: Some(&key),
            body: None,
            retry: Retry::Idempotent,
        };
        let reply: AuthenticateReply = self.transport().send(&call).await?.decode()?;
        let token = SecretString::from(reply.encoded_jwts.minified_jwt);
        let renew_at = renewal_time(token.expose(), self.clock().now());
        self.inner.session.open.store(true, Ordering::Release);
        Ok(SessionToken { token, renew_at })
    }
}

#[derive(Deserialize)]
struct Expiry {
    exp: i64,
}

/// When to renew: the token's `exp` (not verified: it only steers when to ask again) minus a margin
/// of at most half the time left.
fn renewal_time(token: &str, now: UnixMillis) -> Option<UnixMillis> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let expiry: Expiry = serde_json::from_slice(&payload).ok()?;
    let expires = expiry.exp.saturating_mul(1000);
    let left = expires.saturating_sub(now.0);
    let margin = MARGIN_MS.min(left.checked_div(2)?).max(0);
    Some(UnixMillis(expires.saturating_sub(margin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        let now = UnixMillis(1_000_000);
        let hour = renewal_time(&token(r#"{"exp":4600}"#), now);
        assert_eq!(hour, Some(UnixMillis(4_570_000)));
        let short = renewal_time(&token(r#"{"exp":1010}"#), now);
        assert_eq!(short, Some(UnixMillis(1_005_000)));
    }

    #[test]
    fn a_token_that_is_no_jwt_is_used_until_refused() {
        for text in [
            "",
            "opaque",
            "a.b.c",
            &token("{}"),
            &token(r#"{"exp":"1"}"#),
        ] {
            assert_eq!(renewal_time(text, UnixMillis(0)), None, "{text}");
        }
    }
}
