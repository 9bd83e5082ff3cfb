//! Both halves over real HTTP: keygen, activation and signatures; each half's CPU, round trips and
//! bytes, and how many times the engine's own CPU that is.

mod cost;
mod provider;

use std::sync::Arc;

use halfkey::{
    CreateOptions, EvmWalletClient, PendingWallet, ServerKeyShare, SvmWalletClient,
    ThresholdSignatureScheme, Variant, WalletClient, WalletProperties,
};

pub(crate) use self::provider::serve;

use self::cost::{Bench, Cost};
use self::provider::Provider;
use crate::alone::{Engine, Parties};
use crate::proxy::Proxy;
use crate::table::{Table, ratio};
use crate::{Failure, cpu};

const SIGNS: u32 = 50;
const KEYGENS: u32 = 3;
const SCHEME: ThresholdSignatureScheme = ThresholdSignatureScheme::TwoOfTwo;
const RATIOS: &str = "halves beside the engine alone, CPU";

type Wallet = (WalletProperties, Vec<ServerKeyShare>);

pub(crate) async fn measure(table: &mut Table, engine: &Engine) -> Result<(), Failure> {
    let provider = Provider::start().await?;
    let proxy = Proxy::start(provider.addr)?;
    let client = provider.connect(proxy.addr).await?;
    let bench = Bench {
        provider: cpu::Tasks::of_process(provider.pid),
        proxy: proxy.thread,
        counts: Arc::clone(&proxy.counts),
    };

    let (keygen, evm) = create(table, &bench, &Key::Ecdsa(EvmWalletClient::new(&client))).await?;
    beside(table, "ECDSA keygen", &keygen, engine.ecdsa_keygen);
    let ecdsa = sign_evm(table, &bench, &client, &evm).await?;
    let standard = SvmWalletClient::new(&client).with_variant(Variant::Ed25519Standard);
    let (keygen, svm) = create(table, &bench, &Key::Ed25519(standard)).await?;
    beside(table, "Ed25519 keygen", &keygen, engine.ed25519_keygen);
    let ed25519 = sign_svm(table, &bench, &client, &svm).await?;
    beside(table, "ECDSA sign", &ecdsa, engine.ecdsa_sign);
    beside(table, "Ed25519 sign", &ed25519, engine.ed25519_sign);

    table.at_most(
        "ECDSA sign, provider CPU / engine alone",
        ratio(ecdsa.provider, engine.ecdsa_sign.provider),
        "x",
        1.4,
    );
    table.at_most(
        "Ed25519 sign, provider CPU",
        ed25519.provider.as_secs_f64() * 1e3,
        "ms",
        0.5,
    );
    provider.stop().await
}

/// How many times the engine's own CPU each half took.
fn beside(table: &mut Table, what: &str, cost: &Cost, engine: Parties) {
    let both = cost.customer + cost.provider;
    for (half, ours, alone) in [
        ("both halves", both, engine.both()),
        ("customer", cost.customer, engine.customer),
        ("provider", cost.provider, engine.provider),
    ] {
        let name = format!("{what}, {half} / engine alone");
        table.ratio(RATIOS, &name, ours, alone);
    }
}

/// Which kind of wallet is made.
enum Key<'a> {
    Ecdsa(EvmWalletClient<'a>),
    Ed25519(SvmWalletClient<'a>),
}

impl Key<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Ecdsa(_) => "ECDSA",
            Self::Ed25519(_) => "Ed25519 (standard)",
        }
    }

    async fn keygen(&self) -> Result<PendingWallet, Failure> {
        let options = CreateOptions {
            variant: Variant::Ed25519Standard,
            ..CreateOptions::default()
        };
        Ok(match self {
            Self::Ecdsa(client) => {
                client
                    .create_wallet_account_pending(SCHEME, &options)
                    .await?
            }
            Self::Ed25519(client) => {
                client
                    .create_wallet_account_pending(SCHEME, &options)
                    .await?
            }
        })
    }
}

/// Keygen by itself, then activation by itself.
async fn create(
    table: &mut Table,
    bench: &Bench,
    key: &Key<'_>,
) -> Result<(Cost, Wallet), Failure> {
    // The first opens the connection.
    key.keygen().await?;
    let work = async || {
        let mut pending = Vec::new();
        for _ in 0..KEYGENS {
            pending.push(key.keygen().await?);
        }
        Ok(pending)
    };
    let (keygen, pending) = bench.cost(KEYGENS, work).await?;
    keygen.add(table, &format!("keygen {}, 2-of-2", key.name()));
    let shares = pending.last().ok_or("no wallet")?.shares().to_vec();
    let work = async || {
        let mut last = None;
        for wallet in pending {
            last = Some(wallet.activate().await?);
        }
        Ok(last)
    };
    let (activate, wallet) = bench.cost(KEYGENS, work).await?;
    activate.add(table, &format!("activate {}, 2-of-2", key.name()));
    let share = shares.first().ok_or("no share")?.decode_secret()?.len();
    let name = format!("{} share at rest, binary", key.name());
    table.add("shares", &name, f64::from(u32::try_from(share)?), "B", "");
    Ok((keygen, (wallet.ok_or("no wallet")?, shares)))
}

async fn sign_evm(
    table: &mut Table,
    bench: &Bench,
    client: &WalletClient,
    (wallet, shares): &Wallet,
) -> Result<Cost, Failure> {
    let evm = EvmWalletClient::new(client);
    evm.sign_message(wallet, shares, "warm").await?;
    let work = async || {
        for number in 0..SIGNS {
            evm.sign_message(wallet, shares, &format!("message {number}"))
                .await?;
        }
        Ok(())
    };
    let (cost, ()) = bench.cost(SIGNS, work).await?;
    cost.add(table, "sign ECDSA (EIP-191 message), 2-of-2");
    Ok(cost)
}

async fn sign_svm(
    table: &mut Table,
    bench: &Bench,
    client: &WalletClient,
    (wallet, shares): &Wallet,
) -> Result<Cost, Failure> {
    let svm = SvmWalletClient::new(client);
    svm.sign_message(wallet, shares, "warm").await?;
    let work = async || {
        for number in 0..SIGNS {
            svm.sign_message(wallet, shares, &format!("message {number}"))
                .await?;
        }
        Ok(())
    };
    let (cost, ()) = bench.cost(SIGNS, work).await?;
    cost.add(table, "sign Ed25519 (message), 2-of-2");
    Ok(cost)
}
