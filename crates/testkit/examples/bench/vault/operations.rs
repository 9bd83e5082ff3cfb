//! Sealed writes and reads on one back-end, and the calls they make.

use std::sync::Arc;
use std::time::{Duration, Instant};

use halfkey_core::SystemClock;
use halfkey_vault::{DekCache, DekCacheLimits, Expect, RecordName, Storage, Vault};

use super::counting::{Calls, counting};
use super::place::Place;
use super::{access, context, environment, share};
use crate::table::Table;
use crate::{Failure, cpu};

/// Odd, so that there is one in the middle.
const TIMES: u32 = 21;

/// One kind of operation, each run by itself.
struct Runs {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
    kms: u32,
    store: u32,
    trips: u64,
}

impl Runs {
    /// Runs `work` again and again.
    async fn of(
        place: &Place,
        calls: &Calls,
        mut work: impl AsyncFnMut() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        work().await?;
        let (kms, store, trips) = (calls.kms(), calls.store(), place.round_trips());
        let (mut cpu, mut wall) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let (begun, used, beside) = (Instant::now(), cpu::process(), place.proxy_cpu());
            work().await?;
            wall.push(begun.elapsed());
            let beside = place.proxy_cpu().saturating_sub(beside);
            cpu.push(cpu::process().saturating_sub(used + beside));
        }
        Ok(Self {
            cpu,
            wall,
            kms: calls.kms() - kms,
            store: calls.store() - store,
            trips: place.round_trips() - trips,
        })
    }

    fn add(self, table: &mut Table, place: &Place, what: &str) {
        let per = |count: f64| count / f64::from(TIMES);
        let mut note = format!(
            "{:.2} ms wall, {} KMS, {} store calls",
            cpu::median(self.wall).as_secs_f64() * 1e3,
            per(self.kms.into()),
            per(self.store.into()),
        );
        if place.is_remote() {
            let trips = u32::try_from(self.trips).map_or(f64::NAN, f64::from);
            note = format!("{note}, {:.1} round trips", per(trips));
        }
        table.time(&place.name, what, cpu::median(self.cpu), &note);
    }
}

/// A sealed write and both kinds of read on the tiers of `place`.
pub(super) async fn measure(table: &mut Table, place: &Place) -> Result<(), Failure> {
    let storage = place.open().await?;
    measure_vault(table, place, &storage.vault).await?;
    storage.close().await;
    Ok(())
}

/// The same on a vault that is open.
pub(super) async fn measure_vault(
    table: &mut Table,
    place: &Place,
    vault: &Vault,
) -> Result<(), Failure> {
    let (vault, calls) = counting(vault)?;
    let vault = vault.with_dek_cache(dek_cache()?);
    let (ctx, share, access) = (context()?, share(), access());
    let name = RecordName::new("bench/share")?;
    let write = async || {
        vault
            .store(&name, &ctx, &share, Expect::Any, &access)
            .await?;
        Ok(())
    };
    let runs = Runs::of(place, &calls, write).await?;
    runs.add(table, place, "write (seal, put, read back)");
    let read = async || {
        vault.load(&name, &ctx, &access).await?;
        Ok(())
    };
    let runs = Runs::of(place, &calls, read).await?;
    runs.add(table, place, "read (get, unwrap, open)");
    let warm = async || {
        vault.load_warm(&name, &ctx, &access).await?;
        Ok(())
    };
    let runs = Runs::of(place, &calls, warm).await?;
    runs.add(table, place, "read with a data key in memory");
    Ok(())
}

/// The goal: one KMS call per cold open, none per warm one.
pub(super) async fn kms_calls(table: &mut Table) -> Result<(), Failure> {
    let place = Place::embedded()?;
    let storage = place.open().await?;
    let (vault, calls) = counting(&storage.vault)?;
    let cached = vault.clone().with_dek_cache(dek_cache()?);
    let ctx = context()?;
    let name = RecordName::new("bench/share")?;
    vault
        .store(&name, &ctx, &share(), Expect::Absent, &access())
        .await?;
    let cold = asked(&vault, &name, &calls).await?;
    let first = asked(&cached, &name, &calls).await?;
    let warm = asked(&cached, &name, &calls).await?;
    table.exactly("KMS calls per 10 cold opens", cold, 10);
    table.exactly("KMS calls per 10 opens with a data key cache", first, 1);
    table.exactly("KMS calls per 10 warm opens", warm, 0);
    storage.close().await;
    Ok(())
}

/// How often ten opens ask the KMS.
async fn asked(vault: &Vault, name: &RecordName, calls: &Calls) -> Result<u32, Failure> {
    let before = calls.kms();
    for _ in 0..10 {
        vault.load_warm(name, &context()?, &access()).await?;
    }
    Ok(calls.kms() - before)
}

fn dek_cache() -> Result<Arc<DekCache>, Failure> {
    let limits = DekCacheLimits {
        max_age_ms: 300_000,
        max_uses: 10_000,
        max_entries: 10,
    };
    Ok(Arc::new(DekCache::new(limits, Arc::new(SystemClock))?))
}

impl Place {
    /// Opens the tiers of its `storage.toml`.
    async fn open(&self) -> Result<Storage, Failure> {
        let (dir, environment) = (self.dir.path().join("data"), environment()?);
        let (config, clock) = (&self.config, Arc::new(SystemClock));
        Ok(Storage::create_or_open(&dir, &environment, config, None, clock, "bench").await?)
    }
}
