//! Both halves over real HTTP: keygen and signatures, each half's CPU, round trips, bytes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use halfkey::{
    EvmWalletClient, ServerKeyShare, SvmWalletClient, ThresholdSignatureScheme, WalletClient,
    WalletClientOpts, WalletProperties,
};
use halfkey_core::{SecretString, SystemClock};
use halfkey_server::tokens::NewToken;
use halfkey_server::{Config, InitOptions, InitOutcome, Limits, Server, Tls};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::alone::Engine;
use crate::proxy::{self, Counts};
use crate::table::Table;
use crate::{Failure, cpu};

const SIGNS: u32 = 50;
const KEYGENS: u32 = 3;

/// The provider's process: prints its address and serves until its standard input ends.
pub(crate) async fn provider(dir: PathBuf) -> Result<(), Failure> {
    let server = Server::start(Config {
        data_dir: dir,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: Tls::None,
        metrics_listen: None,
        passphrase: None,
        accept_restore: false,
        limits: Limits::default(),
        allow_blind: Vec::new(),
        clock: Arc::new(SystemClock),
    })
    .await?;
    println!("{}", server.addr());
    tokio::task::spawn_blocking(|| {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())
    })
    .await??;
    server.shutdown().await;
    Ok(())
}

/// One kind of operation: what it cost per call.
struct Cost {
    customer: Duration,
    provider: Duration,
    wall: Duration,
    to_provider: f64,
    to_customer: f64,
    round_trips: f64,
}

struct Bench {
    pid: u32,
    counts: Arc<Counts>,
}

impl Bench {
    /// What `work` cost, divided by `times`.
    async fn cost<T>(
        &self,
        times: u32,
        work: impl AsyncFnOnce() -> Result<T, Failure>,
    ) -> Result<(Cost, T), Failure> {
        let [up, down, trips, _] = self.counts.snapshot();
        let (customer, provider, wall) = (cpu::process(), cpu::of(self.pid), Instant::now());
        let result = work().await?;
        let wall = wall.elapsed() / times;
        let customer = cpu::process().saturating_sub(customer) / times;
        let provider = cpu::of(self.pid).saturating_sub(provider) / times;
        let [up2, down2, trips2, _] = self.counts.snapshot();
        let per = |after: u64, before: u64| {
            u32::try_from(after - before).map_or(f64::NAN, |n| f64::from(n) / f64::from(times))
        };
        let cost = Cost {
            customer,
            provider,
            wall,
            to_provider: per(up2, up),
            to_customer: per(down2, down),
            round_trips: per(trips2, trips),
        };
        Ok((cost, result))
    }
}

impl Cost {
    fn add(&self, table: &mut Table, group: &'static str) {
        let wall = format!("{:.1} ms wall", self.wall.as_secs_f64() * 1e3);
        table.time(
            group,
            "customer half",
            self.customer,
            "SDK, HTTP client and counting proxy",
        );
        table.time(group, "provider half", self.provider, &wall);
        table.add(group, "round trips", self.round_trips, "", "");
        table.add(
            group,
            "bytes to the provider",
            self.to_provider,
            "B",
            "headers included",
        );
        table.add(
            group,
            "bytes to the customer",
            self.to_customer,
            "B",
            "headers included",
        );
    }
}

pub(crate) async fn measure(table: &mut Table, engine: &Engine) -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let outcome = initialise(dir.path()).await?;
    let (mut child, addr) = spawn(dir.path()).await?;
    let (proxy, counts) = proxy::start(addr).await?;
    let pid = child.id().ok_or("provider ended")?;
    let client = connect(proxy, &outcome).await?;
    let bench = Bench { pid, counts };

    let (evm, shares) = keygen_evm(table, &bench, &client).await?;
    let ecdsa = sign_evm(table, &bench, &client, &evm, &shares).await?;
    let (svm, shares) = keygen_svm(table, &bench, &client).await?;
    let ed25519 = sign_svm(table, &bench, &client, &svm, &shares).await?;

    let ratio = ecdsa.as_secs_f64() / engine.ecdsa_provider.as_secs_f64();
    table.goal("ECDSA provider CPU / engine alone", ratio, "x", 1.4);
    table.goal(
        "Ed25519 provider CPU per sign",
        ed25519.as_secs_f64() * 1e3,
        "ms",
        0.5,
    );
    let extra = ed25519.saturating_sub(engine.ed25519_provider);
    table.time("goals", "Ed25519 provider CPU above the engine", extra, "");
    drop(child.stdin.take());
    child.wait().await?;
    Ok(())
}

async fn initialise(dir: &Path) -> Result<InitOutcome, Failure> {
    let options = InitOptions {
        passphrase: None,
        environment: None,
        name: "bench".to_owned(),
        first_token: NewToken::default(),
        clock: Arc::new(SystemClock),
    };
    Ok(halfkey_server::init(dir, options).await?)
}

async fn spawn(dir: &Path) -> Result<(Child, SocketAddr), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("provider")
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let line = BufReader::new(stdout)
        .lines()
        .next_line()
        .await?
        .ok_or("provider ended")?;
    Ok((child, line.parse()?))
}

async fn connect(proxy: SocketAddr, outcome: &InitOutcome) -> Result<WalletClient, Failure> {
    let options = WalletClientOpts::new(outcome.environment.to_string())
        .base_api_url(format!("http://{proxy}"))
        .provider_identity(&outcome.identity_public_key);
    let mut client = WalletClient::new(options)?;
    let token: &SecretString = &outcome.token.as_ref().ok_or("no first token")?.1;
    client.authenticate_api_token(token.expose()).await?;
    Ok(client)
}

type Wallet = (WalletProperties, Vec<ServerKeyShare>);

async fn keygen_evm(
    table: &mut Table,
    bench: &Bench,
    client: &WalletClient,
) -> Result<Wallet, Failure> {
    let evm = EvmWalletClient::new(client);
    let work = async || -> Result<Option<Wallet>, Failure> {
        let mut last = None;
        for _ in 0..KEYGENS {
            let scheme = ThresholdSignatureScheme::TwoOfTwo;
            last = Some(evm.create_wallet_account(scheme, None, false).await?);
        }
        Ok(last)
    };
    let (cost, wallet) = bench.cost(KEYGENS, work).await?;
    cost.add(table, "create ECDSA wallet, 2-of-2 (keygen + activate)");
    let wallet = wallet.ok_or("no wallet")?;
    share_size(table, "ECDSA share at rest, binary", &wallet)?;
    Ok(wallet)
}

async fn keygen_svm(
    table: &mut Table,
    bench: &Bench,
    client: &WalletClient,
) -> Result<Wallet, Failure> {
    let svm = SvmWalletClient::new(client);
    let work = async || -> Result<Option<Wallet>, Failure> {
        let mut last = None;
        for _ in 0..KEYGENS {
            let scheme = ThresholdSignatureScheme::TwoOfTwo;
            last = Some(svm.create_wallet_account(scheme, None, false).await?);
        }
        Ok(last)
    };
    let (cost, wallet) = bench.cost(KEYGENS, work).await?;
    cost.add(table, "create Ed25519 wallet, 2-of-2 (keygen + activate)");
    let wallet = wallet.ok_or("no wallet")?;
    share_size(table, "Ed25519 share at rest, binary", &wallet)?;
    Ok(wallet)
}

fn share_size(table: &mut Table, name: &str, (_, shares): &Wallet) -> Result<(), Failure> {
    let share = shares.first().ok_or("no share")?;
    let bytes = u32::try_from(share.decode_secret()?.len())?;
    table.add("shares", name, f64::from(bytes), "B", "");
    Ok(())
}

async fn sign_evm(
    table: &mut Table,
    bench: &Bench,
    client: &WalletClient,
    wallet: &WalletProperties,
    shares: &[ServerKeyShare],
) -> Result<Duration, Failure> {
    let evm = EvmWalletClient::new(client);
    evm.sign_message(wallet, shares, "warm").await?;
    let work = async || -> Result<(), Failure> {
        for number in 0..SIGNS {
            evm.sign_message(wallet, shares, &format!("message {number}"))
                .await?;
        }
        Ok(())
    };
    let (cost, ()) = bench.cost(SIGNS, work).await?;
    cost.add(table, "sign ECDSA (EIP-191 message), 2-of-2");
    Ok(cost.provider)
}

async fn sign_svm(
    table: &mut Table,
    bench: &Bench,
    client: &WalletClient,
    wallet: &WalletProperties,
    shares: &[ServerKeyShare],
) -> Result<Duration, Failure> {
    let svm = SvmWalletClient::new(client);
    svm.sign_message(wallet, shares, "warm").await?;
    let work = async || -> Result<(), Failure> {
        for number in 0..SIGNS {
            svm.sign_message(wallet, shares, &format!("message {number}"))
                .await?;
        }
        Ok(())
    };
    let (cost, ()) = bench.cost(SIGNS, work).await?;
    cost.add(table, "sign Ed25519 (message), 2-of-2");
    Ok(cost.provider)
}
