//! `halfkey demo`: the whole main job on this machine, against a provider in the same process.

mod report;
mod tiers;
mod transactions;
mod verify;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use halfkey::Timeouts;
use halfkey_core::{ChainName, SecretString, SystemClock};
use halfkey_server::{Config, Limits, RunningServer, Server, Tls};

use self::report::Report;
use crate::args::Demo;
use crate::commands::wallet::Login;
use crate::commands::{init, wallet};
use crate::context::{CustomerConfig, DataDir, read_token};
use crate::exit_code::Failure;
use crate::output::Output;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: &Demo,
    output: Output,
) -> Result<(), Failure> {
    let mut report = Report::new(output);
    report.heading(&format!("data directory: {}", data.path().display()));

    let started = Instant::now();
    let (_, config) = init::initialise(data, passphrase.clone(), None).await?;
    let server = start_provider(data, passphrase.clone()).await?;
    report.step(
        "provider",
        &format!("listening on http://{}", server.addr()),
        started,
    );

    let addresses = Box::pin(create_or_find(
        data,
        passphrase.clone(),
        &config,
        &server,
        options,
        &mut report,
    ))
    .await?;

    // Nothing of the first part is kept: client, store and keyrings are gone with their scope, and
    // the provider is stopped and started anew.
    let started = Instant::now();
    server.shutdown().await;
    let server = start_provider(data, passphrase.clone()).await?;
    report.step(
        "forget",
        "both halves dropped all state and started anew",
        started,
    );

    let signing = sign_all(data, passphrase, &config, &server, &addresses, &mut report);
    Box::pin(signing).await?;
    server.shutdown().await;
    report.finish(&addresses, data);
    Ok(())
}

async fn start_provider(
    data: &DataDir,
    passphrase: Option<SecretString>,
) -> Result<RunningServer, Failure> {
    let server = Server::start(Config {
        data_dir: data.path().to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: Tls::None,
        metrics_listen: None,
        passphrase,
        accept_restore: false,
        limits: Limits::default(),
        allow_blind: Vec::new(),
        allow_loopback_webhooks: Vec::new(),
        clock: Arc::new(SystemClock),
    })
    .await?;
    Ok(server)
}

/// The demo's provider listens on a port of its own; everything else is as `init` wrote it.
fn at_server(config: &CustomerConfig, server: &RunningServer) -> CustomerConfig {
    CustomerConfig {
        api_url: format!("http://{}", server.addr()),
        ..config.clone()
    }
}

async fn open(
    data: &DataDir,
    passphrase: Option<SecretString>,
    config: &CustomerConfig,
    token: &SecretString,
) -> Result<wallet::Opened, Failure> {
    let timeout = Timeouts::default().total;
    wallet::open_with(data, passphrase, config, token, Login::Now, timeout).await
}

/// One wallet per chain: those of an earlier run if there are any.
async fn create_or_find(
    data: &DataDir,
    passphrase: Option<SecretString>,
    config: &CustomerConfig,
    server: &RunningServer,
    options: &Demo,
    report: &mut Report,
) -> Result<[String; 2], Failure> {
    let token = read_token(&data.token_file())?;
    let config = at_server(config, server);
    let opened = open(data, passphrase, &config, &token).await?;
    let mut addresses = [String::new(), String::new()];
    for (slot, chain) in addresses.iter_mut().zip([ChainName::Evm, ChainName::Svm]) {
        let started = Instant::now();
        let found = tiers::find(&opened, chain, options).await?;
        let (properties, verb) = match found {
            Some(properties) => (properties, "reuse"),
            None => (create(&opened, chain, options).await?, "create"),
        };
        let shown = opened.store.show(&properties.account_address).await?;
        let text = format!(
            "{} {} {} (custody: {})",
            chain,
            properties.threshold_signature_scheme,
            properties.account_address,
            shown.stored.custody_origin,
        );
        report.wallet(verb, &properties, &text, started);
        *slot = properties.account_address;
    }
    report.tiers(&tiers::describe(&opened, &addresses).await?);
    opened.close().await;
    Ok(addresses)
}

async fn create(
    opened: &wallet::Opened,
    chain: ChainName,
    options: &Demo,
) -> Result<halfkey_core::WalletProperties, Failure> {
    let wanted = wallet::Wanted {
        chain,
        scheme: options.scheme,
        variant: options.variant,
        idempotency_key: None,
        alias: None,
        get_or_create: false,
    };
    wallet::create_one(opened, &wanted).await
}

async fn sign_all(
    data: &DataDir,
    passphrase: Option<SecretString>,
    config: &CustomerConfig,
    server: &RunningServer,
    [evm, svm]: &[String; 2],
    report: &mut Report,
) -> Result<(), Failure> {
    let started = Instant::now();
    let token = read_token(&data.token_file())?;
    let config = at_server(config, server);
    let opened = open(data, passphrase, &config, &token).await?;
    report.step(
        "reload",
        "shares opened from the vault, properties from the cache",
        started,
    );

    let started = Instant::now();
    let signed = opened
        .store
        .sign_evm_transaction_to_hex(evm, transactions::eip_1559(evm)?)
        .await;
    let signed = opened.done(signed).await?;
    let seen = verify::evm_transaction(&signed, evm)?;
    report.signature("EIP-1559 transaction", &signed, &seen, started);

    let started = Instant::now();
    let text = "hello from halfkey";
    let signature = opened.store.sign_evm_message(evm, text).await;
    let signature = opened.done(signature).await?;
    let seen = verify::evm_message(&signature, text, evm)?;
    report.signature("EIP-191 message", &signature, &seen, started);

    let started = Instant::now();
    let message = transactions::solana_transfer(svm)?;
    let signature = opened.store.sign_svm_transaction(svm, &message).await;
    let signature = opened.done(signature).await?;
    let seen = verify::solana(&signature, &message, svm)?;
    report.signature("Solana transaction", &signature, &seen, started);
    opened.close().await;
    Ok(())
}
