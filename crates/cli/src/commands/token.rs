//! `halfkey token …`: API tokens of this provider.

use std::sync::Arc;

use halfkey_core::wire::Scope;
use halfkey_core::{Clock, SystemClock, UnixMillis};
use halfkey_server::tokens::{self, NewToken, TokenInfo};
use serde_json::{Value, json};

use crate::args::Token;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) async fn run(data: &DataDir, command: Token, output: Output) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match command {
        Token::Create {
            name,
            scopes,
            expires_days,
        } => {
            let scopes = if scopes.is_empty() {
                Scope::DEFAULT.to_vec()
            } else {
                scopes
            };
            let expires_at = Some(expiry(clock.as_ref(), expires_days));
            let new = NewToken {
                name,
                scopes,
                expires_at,
            };
            let made = tokens::create(data.path(), None, new, clock).await?;
            let value = json!({ "token": made.token.expose(), "info": describe(&made.info) });
            output.result(&value, || {
                format!(
                    "{}\n\nid {} — the token is shown once. Keep it like a password.",
                    made.token.expose(),
                    made.info.id,
                )
            });
        }
        Token::List => {
            let list = tokens::list(data.path(), None, clock).await?;
            let values: Vec<_> = list.iter().map(describe).collect();
            output.result(&values, || table(&list));
        }
        Token::Revoke { id } => {
            tokens::revoke(data.path(), None, id.parse()?, clock).await?;
            output.result(&json!({ "id": id, "revoked": true }), || {
                format!("revoked {id}")
            });
        }
    }
    Ok(())
}

/// `days` from now.
pub(super) fn expiry(clock: &dyn Clock, days: u32) -> UnixMillis {
    clock
        .now()
        .saturating_add_millis(i64::from(days).saturating_mul(DAY_MS))
}

fn describe(info: &TokenInfo) -> Value {
    let time = |at: Option<UnixMillis>| at.map(|at| at.to_string());
    json!({
        "id": info.id.to_string(),
        "environment": info.environment,
        "name": info.name,
        "scopes": info.scopes,
        "created_at": info.created_at.to_string(),
        "expires_at": time(info.expires_at),
        "last_used_at": time(info.last_used_at),
        "revoked_at": time(info.revoked_at),
    })
}

fn table(list: &[TokenInfo]) -> String {
    let mut lines = vec![format!(
        "{:<36}  {:<12}  {:<24}  scopes",
        "id", "name", "expires"
    )];
    for info in list {
        let scopes: Vec<_> = info.scopes.iter().map(|scope| scope.as_str()).collect();
        let end = match (info.revoked_at, info.expires_at) {
            (Some(_), _) => "revoked".to_owned(),
            (None, Some(at)) => at.to_string(),
            (None, None) => "never".to_owned(),
        };
        let (id, name) = (info.id.to_string(), &info.name);
        lines.push(format!(
            "{id:<36}  {name:<12}  {end:<24}  {}",
            scopes.join(" ")
        ));
    }
    lines.join("\n")
}
