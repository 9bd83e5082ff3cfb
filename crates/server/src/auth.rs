//! Who asks: an API token or a session made with one, checked against the database every time.

pub(crate) mod delegate;

use std::sync::Arc;

use halfkey_core::RequestId;
use halfkey_core::wire::{ErrorCode, Scope};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;

use delegate::Delegate;

use crate::api_error::ApiError;
use crate::app::{App, Environment};
use crate::db::tokens::{self, TokenRow};
use crate::ids::TokenId;
use crate::session::Refusal;
use crate::token_text::API_TOKEN;

/// A caller whose token was checked.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) environment: Arc<Environment>,
    pub(crate) token: TokenId,
    pub(crate) request: RequestId,
    /// What the credential may do: a session never more than [`Scope::DEFAULT`] (custody rule 28).
    pub(crate) scopes: Vec<Scope>,
    /// Whether the token behind the credential may end a freeze, and so may refresh under one.
    pub(crate) thaws: bool,
    /// Set for a delegate, who only signs.
    pub(crate) delegate: Option<Delegate>,
}

impl Caller {
    /// Refuses a caller whose credential lacks `scope`.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let message = if Scope::DEFAULT.contains(&scope) {
            format!("this token lacks the scope {scope}")
        } else {
            format!("this needs an API token, not a session, with the scope {scope}")
        };
        Err(ApiError::new(ErrorCode::ScopeMissing, message))
    }

    /// The name in logs and activity entries.
    pub(crate) fn actor(&self) -> String {
        match &self.delegate {
            Some(delegate) => format!("delegation:{}", delegate.id),
            None => format!("token:{}", self.token),
        }
    }
}

/// What kind of credential a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A session only.
    Session,
    /// A session or an API token.
    Either,
    /// An API token only.
    ApiToken,
}

impl App {
    /// Checks the credential, that it belongs to the environment in the path, and its scope.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
        request: RequestId,
        environment: &str,
        credential: Credential,
        scope: Option<Scope>,
    ) -> Result<Caller, ApiError> {
        let text = bearer(headers)?;
        let is_api_token = text.starts_with(API_TOKEN.prefix());
        let row = match (credential, is_api_token) {
            (Credential::Session, true) | (Credential::ApiToken, false) => None,
            (_, true) => self.api_token(text).await?,
            (_, false) => self.session(text).await?,
        };
        let Some(row) = row else {
            return Err(ApiError::unauthenticated());
        };
        self.check_alive(&row)?;
        // Somebody else's environment is not there (404), whatever the scopes.
        if row.environment.as_str() != environment {
            return Err(ApiError::not_found("environment"));
        }
        let environment = self.environment(environment)?;
        let mut scopes = row.scopes;
        let thaws = scopes.contains(&Scope::Unfreeze);
        scopes.retain(|scope| is_api_token || Scope::DEFAULT.contains(scope));
        let caller = Caller {
            environment,
            token: row.id,
            request,
            scopes,
            thaws,
            delegate: None,
        };
        scope.map_or(Ok(()), |scope| caller.require(scope))?;
        Ok(caller)
    }

    async fn api_token(&self, text: &str) -> Result<Option<TokenRow>, ApiError> {
        let Some(hash) = API_TOKEN.hash(text) else {
            return Ok(None);
        };
        let mut conn = self.db.read().acquire().await?;
        let row = tokens::by_hash(&mut conn, &hash).await?;
        Ok(row.filter(|row| row.hash.ct_eq(&hash).into()))
    }

    async fn session(&self, text: &str) -> Result<Option<TokenRow>, ApiError> {
        let session = match self.sessions.verify(text, self.now()) {
            Ok(session) => session,
            Err(Refusal::Invalid) => return Ok(None),
            Err(Refusal::Expired) => {
                let message = "the session has expired: authenticate again";
                return Err(ApiError::new(ErrorCode::TokenExpired, message));
            }
        };
        let mut conn = self.db.read().acquire().await?;
        Ok(tokens::by_id(&mut conn, &session.environment, session.token).await?)
    }

    /// Revoked and expired tokens end at once, their sessions too (custody rule 28).
    fn check_alive(&self, row: &TokenRow) -> Result<(), ApiError> {
        if row.revoked_at.is_some() {
            return Err(ApiError::unauthenticated());
        }
        if row.expires_at.is_some_and(|at| at <= self.now()) {
            let message = "the API token has expired";
            return Err(ApiError::new(ErrorCode::TokenExpired, message));
        }
        Ok(())
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::unauthenticated());
    };
    value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("Bearer "))
        .ok_or_else(ApiError::unauthenticated)
}
