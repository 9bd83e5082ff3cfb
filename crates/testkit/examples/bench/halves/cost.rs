//! What one kind of operation cost per call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::proxy::Counts;
use crate::table::Table;
use crate::{Failure, cpu};

/// Where the clocks and counters are.
pub(super) struct Bench {
    pub(super) provider: cpu::Tasks,
    /// The proxy's thread in this process, which is no part of the customer's half.
    pub(super) proxy: cpu::Tasks,
    pub(super) counts: Arc<Counts>,
}

/// One kind of operation: what it cost per call. Times are medians.
pub(super) struct Cost {
    /// CPU of this process without the proxy.
    pub(super) customer: Duration,
    pub(super) provider: Duration,
    wall: Duration,
    to_provider: f64,
    to_customer: f64,
    round_trips: f64,
}

impl Bench {
    /// What one call of `work` cost, over so many; `beside` runs before each, unmeasured by this.
    pub(super) async fn cost(
        &self,
        times: u32,
        mut beside: impl FnMut(u32) -> Result<(), Failure>,
        mut work: impl AsyncFnMut(u32) -> Result<(), Failure>,
    ) -> Result<Cost, Failure> {
        let [up, down, trips] = self.counts.snapshot();
        let (mut customer, mut provider, mut walls) = (vec![], vec![], vec![]);
        for number in 0..times {
            beside(number)?;
            let (theirs, proxy) = (self.provider.used(), self.proxy.used());
            let (process, wall) = (cpu::process(), Instant::now());
            work(number).await?;
            walls.push(wall.elapsed());
            let process = cpu::process().saturating_sub(process);
            let proxy = self.proxy.used().saturating_sub(proxy);
            provider.push(self.provider.used().saturating_sub(theirs));
            customer.push(process.saturating_sub(proxy));
        }
        let [up2, down2, trips2] = self.counts.snapshot();
        let per = |after: u64, before: u64| {
            u32::try_from(after - before).map_or(f64::NAN, |n| f64::from(n) / f64::from(times))
        };
        Ok(Cost {
            customer: cpu::median(customer),
            provider: cpu::median(provider),
            wall: cpu::median(walls),
            to_provider: per(up2, up),
            to_customer: per(down2, down),
            round_trips: per(trips2, trips),
        })
    }
}

impl Cost {
    pub(super) fn add(&self, table: &mut Table, group: &str) {
        let wall = format!("{:.1} ms wall", self.wall.as_secs_f64() * 1e3);
        table.time(group, "customer half", self.customer, "SDK and HTTP client");
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
