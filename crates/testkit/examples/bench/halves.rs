//! Both halves over real HTTP: keygen, activation and signatures; each half's CPU, round trips and
//! bytes, and how many times the engine's own CPU that is.

mod cost;
mod provider;

use std::sync::Arc;

use halfkey::{
    CreateOptions, EvmWalletClient, PendingWallet, ServerKeyShare, SvmWalletClient,
    ThresholdSignatureScheme, Variant, WalletClient, WalletProperties,
};
use halfkey_mpc::KeyShare;

pub(crate) use self::provider::serve;

use self::cost::{Bench, Cost};
use self::provider::Provider;
use crate::alone::{Engine, Runs};
use crate::proxy::Proxy;
use crate::table::{Table, ratio};
use crate::{Failure, cpu};

const SIGNS: u32 = 50;
const KEYGENS: u32 = 3;
const SCHEME: ThresholdSignatureScheme = ThresholdSignatureScheme::TwoOfTwo;
const RATIOS: &str = "halves beside the engine alone, CPU";

type Wallet = (WalletProperties, Vec<ServerKeyShare>);

pub(crate) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let engine = Engine::new()?;
    let provider = Provider::start().await?;
    let proxy = Proxy::start(provider.addr)?;
    let client = provider.connect(proxy.addr).await?;
    let bench = Bench {
        provider: cpu::Tasks::of_process(provider.pid),
        proxy: proxy.thread,
        counts: Arc::clone(&proxy.counts),
    };
    let halves = Halves {
        bench,
        engine,
        client,
    };
    halves.ecdsa(table).await?;
    halves.ed25519(table).await?;
    drop(halves);
    provider.stop().await
}

struct Halves {
    bench: Bench,
    engine: Engine,
    client: WalletClient,
}

impl Halves {
    async fn ecdsa(&self, table: &mut Table) -> Result<(), Failure> {
        let mut alone = Runs::default();
        let beside = |_| Engine::ecdsa_keygen(&mut alone);
        let key = Key::Ecdsa(EvmWalletClient::new(&self.client));
        let (keygen, (wallet, shares)) = self.create(table, KEYGENS, beside, &key).await?;
        alone.add(table, "DKLs23 keygen 2-of-2");
        compare(table, "ECDSA keygen", &keygen, &alone);

        let evm = EvmWalletClient::new(&self.client);
        evm.sign_message(&wallet, &shares, "warm").await?;
        let mut alone = Runs::default();
        let beside = |number| self.engine.ecdsa_sign(&mut alone, number);
        let sign = async |number| {
            let message = format!("message {number}");
            evm.sign_message(&wallet, &shares, &message).await?;
            Ok(())
        };
        let cost = self.bench.cost(SIGNS, beside, sign).await?;
        cost.add(table, "sign ECDSA (EIP-191 message), 2-of-2");
        alone.add(table, "DKLs23 sign");
        compare(table, "ECDSA sign", &cost, &alone);
        table.at_most(
            "ECDSA sign, provider CPU / engine alone",
            ratio(cost.provider, alone.median().provider),
            "x",
            1.4,
        );
        Ok(())
    }

    async fn ed25519(&self, table: &mut Table) -> Result<(), Failure> {
        let mut alone = Runs::default();
        let beside = |_| Engine::ed25519_keygen(&mut alone);
        let svm = SvmWalletClient::new(&self.client).with_variant(Variant::Ed25519Standard);
        let key = Key::Ed25519(svm);
        let (keygen, (wallet, shares)) = self.create(table, SIGNS, beside, &key).await?;
        alone.add(table, "FROST Ed25519 keygen 2-of-2");
        compare(table, "Ed25519 keygen", &keygen, &alone);

        let svm = SvmWalletClient::new(&self.client);
        svm.sign_message(&wallet, &shares, "warm").await?;
        let mut alone = Runs::default();
        let beside = |_| self.engine.ed25519_sign(&mut alone);
        let sign = async |number| {
            let message = format!("message {number}");
            svm.sign_message(&wallet, &shares, &message).await?;
            Ok(())
        };
        let cost = self.bench.cost(SIGNS, beside, sign).await?;
        cost.add(table, "sign Ed25519 (message), 2-of-2");
        alone.add(table, "FROST Ed25519 sign");
        compare(table, "Ed25519 sign", &cost, &alone);
        table.at_most(
            "Ed25519 sign, provider CPU",
            cost.provider.as_secs_f64() * 1e3,
            "ms",
            0.5,
        );
        Ok(())
    }

    /// Keygen by itself, then activation by itself; the last wallet.
    async fn create(
        &self,
        table: &mut Table,
        times: u32,
        beside: impl FnMut(u32) -> Result<(), Failure>,
        key: &Key<'_>,
    ) -> Result<(Cost, Wallet), Failure> {
        // The first opens the connection.
        let mut pending = vec![key.keygen().await?];
        let shares = pending.last().ok_or("no wallet")?.shares().to_vec();
        let made = async |_| {
            pending.push(key.keygen().await?);
            Ok(())
        };
        let keygen = self.bench.cost(times, beside, made).await?;
        keygen.add(table, &format!("keygen {}, 2-of-2", key.name()));
        let mut last = None;
        let activated = async |_| {
            last = Some(pending.pop().ok_or("no wallet")?.activate().await?);
            Ok(())
        };
        // All of them, so that the last is the one whose shares are at hand.
        let activate = self.bench.cost(times + 1, |_| Ok(()), activated).await?;
        activate.add(table, &format!("activate {}, 2-of-2", key.name()));
        let share = shares.first().ok_or("no share")?.decode_secret()?;
        let name = format!("{} share at rest, binary", key.name());
        table.add(
            "shares",
            &name,
            f64::from(u32::try_from(share.len())?),
            "B",
            "",
        );
        let decoding = cpu::per_call(SIGNS, || drop(KeyShare::decode(&share)));
        let name = format!("{} share, decoding it", key.name());
        table.time(
            "shares",
            &name,
            decoding,
            "in every signature of either half",
        );
        Ok((keygen, (last.ok_or("no wallet")?, shares)))
    }
}

/// How many times the engine's own CPU each half took.
fn compare(table: &mut Table, what: &str, cost: &Cost, alone: &Runs) {
    let engine = alone.median();
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
            Self::Ecdsa(evm) => evm.create_wallet_account_pending(SCHEME, &options).await?,
            Self::Ed25519(svm) => svm.create_wallet_account_pending(SCHEME, &options).await?,
        })
    }
}
