//! `halfkey serve`: the provider's half, until SIGTERM or Ctrl-C.

use std::sync::Arc;

use halfkey_core::{SecretString, SystemClock};
use halfkey_server::{Config, Limits, Server, Tls};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Serve;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: Serve,
    output: Output,
) -> Result<(), Failure> {
    let tls = tls_of(&options);
    let scheme = if matches!(tls, Tls::None) {
        "http"
    } else {
        "https"
    };
    let server = Server::start(Config {
        data_dir: data.path().to_owned(),
        listen: options.listen,
        tls,
        metrics_listen: options.metrics_listen,
        passphrase,
        accept_restore: options.accept_restore,
        limits: Limits {
            recipient_delay: options.recipient_delay,
            backup_horizon: options.backup_horizon,
            ..Limits::default()
        },
        allow_blind: options.allow_blind.clone(),
        allow_loopback_webhooks: options.allow_loopback_webhooks,
        clock: Arc::new(SystemClock),
    })
    .await?;
    let url = format!("{scheme}://{}", server.addr());
    let value = json!({
        "url": url,
        "data_dir": data.path(),
        "environment": server.environment(),
        "provider_identity": server.identity_public_key(),
        "provider_fingerprint": server.identity_fingerprint(),
        "ca_file": server.ca_file(),
        "metrics": server.metrics_addr(),
        "allow_blind": options.allow_blind,
    });
    // Before anybody is told that it listens: whoever then stops it stops it in order.
    let mut terminate = signal(SignalKind::terminate())?;
    output.result(&value, || {
        let mut text = format!(
            "halfkey provider on {url}\n  data directory     {}\n  environment        {}\n  \
             provider identity  {}\n  fingerprint        {}",
            data.path().display(),
            server.environment(),
            server.identity_public_key(),
            server.identity_fingerprint(),
        );
        if let Some(file) = server.ca_file() {
            text.push_str("\n  CA file            ");
            text.push_str(&file.display().to_string());
        }
        if let Some(addr) = server.metrics_addr() {
            text.push_str("\n  metrics            http://");
            text.push_str(&addr.to_string());
            text.push_str("/metrics");
        }
        for environment in &options.allow_blind {
            text.push_str("\n  blind signing in   ");
            text.push_str(environment.as_str());
        }
        text
    });
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    output.line("stopping: no new work, finishing what is under way");
    server.shutdown().await;
    Ok(())
}

fn tls_of(options: &Serve) -> Tls {
    match (&options.tls_cert, &options.tls_key, options.dev_tls) {
        (Some(cert), Some(key), _) => Tls::Files {
            cert: cert.clone(),
            key: key.clone(),
        },
        (_, _, true) => Tls::Dev,
        _ => Tls::None,
    }
}
