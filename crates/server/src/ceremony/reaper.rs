//! Once a second: ends ceremonies past their deadline, writes locks and suspicions that could not
//! be written, and moves the restore anchor on. Once a minute: shreds what is beyond its horizon.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::running::dispose_all;
use super::{lock, suspicion};
use crate::app::App;
use crate::db::slots::SlotOutcome;
use crate::sweep;

/// Seconds between two moves of the anchor.
const ANCHOR_EVERY: u32 = 5;
/// Seconds between two sweeps.
const SWEEP_EVERY: u32 = 60;

/// Runs until `stop` changes.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut until_anchor = ANCHOR_EVERY;
    let mut until_sweep = SWEEP_EVERY;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => return,
        }
        reap(&app).await;
        until_anchor = until_anchor.saturating_sub(1);
        if until_anchor == 0 {
            until_anchor = ANCHOR_EVERY;
            app.advance_anchor().await;
        }
        until_sweep = until_sweep.saturating_sub(1);
        if until_sweep == 0 {
            until_sweep = SWEEP_EVERY;
            sweep::run(&app).await;
        }
    }
}

/// Ends what is past its deadline now.
pub(crate) async fn reap(app: &Arc<App>) {
    let expired = app.table.take_expired(app.now());
    let count = u64::try_from(expired.len()).unwrap_or(u64::MAX);
    app.metrics
        .ceremonies_expired
        .fetch_add(count, Ordering::Relaxed);
    // The peer went silent while this node lived: benign (custody rule 14).
    dispose_all(app, expired, SlotOutcome::Abandoned).await;
    lock::write_pending(app).await;
    suspicion::write_pending(app).await;
}
