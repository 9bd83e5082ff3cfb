//! `halfkey init`: environment, keyrings of both halves, identity, first token.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{Clock, SecretString, SystemClock};
use halfkey_server::tokens::NewToken;
use halfkey_server::{InitOptions, InitOutcome, tokens};
use serde_json::json;

use crate::context::{CustomerConfig, DataDir};
use crate::exit_code::Failure;
use crate::output::Output;

/// The address `serve` listens on unless told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:7373";

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    provider_storage: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let storage = provider_storage.map(|path| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::input(format!("{}: {}", path.display(), error.kind())))
    });
    let (outcome, config) = initialise(data, passphrase, storage.transpose()?).await?;
    let value = json!({
        "data_dir": data.path(),
        "environment": outcome.environment,
        "created": outcome.created,
        "provider_identity": outcome.identity_public_key,
        "provider_fingerprint": outcome.identity_fingerprint,
        "api_url": config.api_url,
        "token_file": data.token_file(),
    });
    output.result(&value, || {
        let verb = if outcome.created {
            "made"
        } else {
            "already there; nothing changed"
        };
        format!(
            "data directory     {}\nenvironment        {} ({verb})\nprovider identity  {}\n\
             fingerprint        {}\n\
             API token          {} (0600)\n\nNext: halfkey serve",
            data.path().display(),
            outcome.environment,
            outcome.identity_public_key,
            outcome.identity_fingerprint,
            data.token_file().display(),
        )
    });
    Ok(())
}

/// Makes what is missing on both sides; what exists stays as it is.
pub(crate) async fn initialise(
    data: &DataDir,
    passphrase: Option<SecretString>,
    storage: Option<String>,
) -> Result<(InitOutcome, CustomerConfig), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = InitOptions {
        passphrase,
        storage,
        environment: None,
        name: "default".to_owned(),
        first_token: first_token(clock.as_ref()),
        clock: Arc::clone(&clock),
    };
    let outcome = halfkey_server::init(data.path(), options).await?;
    match &outcome.token {
        Some((_, token)) => data.write_token(token)?,
        // Only its hash is kept, so a lost token is replaced, not shown again.
        None if !data.token_file().exists() => {
            let new = first_token(clock.as_ref());
            let environment = Some(&outcome.environment);
            let made = tokens::create(data.path(), environment, new, clock).await?;
            data.write_token(&made.token)?;
        }
        None => {}
    }
    let config = if let Some(config) = data.read_config()? {
        config
    } else {
        let config = CustomerConfig {
            environment: outcome.environment.clone(),
            api_url: DEFAULT_URL.to_owned(),
            provider_identity: outcome.identity_public_key.clone(),
            ca_file: None,
            escrow_key: None,
        };
        data.write_config(&config)?;
        config
    };
    Ok((outcome, config))
}

/// All scopes, for a year.
fn first_token(clock: &dyn Clock) -> NewToken {
    NewToken {
        name: "init".to_owned(),
        expires_at: Some(super::token::expiry(clock, 365)),
        ..NewToken::default()
    }
}
