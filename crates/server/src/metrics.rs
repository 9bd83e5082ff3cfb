//! Counters in Prometheus text form, on a listener of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;

/// Everything counted. Names and meanings: `docs/guides/operating.md`.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    signatures: Mutex<BTreeMap<&'static str, u64>>,
    slots: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) wallets_created: AtomicU64,
    pub(crate) wallets_committed: AtomicU64,
    pub(crate) wallets_changed: AtomicU64,
    pub(crate) wallets_locked: AtomicU64,
    pub(crate) ceremonies_expired: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
}

fn bump<K: Ord>(map: &Mutex<BTreeMap<K, u64>>, key: K) {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    let count = map.entry(key).or_default();
    *count = count.saturating_add(1);
}

impl Metrics {
    pub(crate) fn request(&self, route: &str, status: StatusCode) {
        bump(&self.requests, (route.to_owned(), status.as_u16()));
    }

    pub(crate) fn signature(&self, operation: &'static str) {
        bump(&self.signatures, operation);
    }

    pub(crate) fn slot(&self, outcome: &'static str) {
        bump(&self.slots, outcome);
    }

    /// The text form; `live` is how many ceremonies are live, `tasks` how many tasks run that go
    /// to their end whether or not their caller waits.
    pub(crate) fn render(&self, live: usize, tasks: usize) -> String {
        let mut text = String::new();
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let requests: Vec<_> = requests
            .iter()
            .map(|((route, status), n)| (format!("route=\"{route}\",status=\"{status}\""), *n))
            .collect();
        family(&mut text, "halfkey_requests_total", "counter", &requests);
        family(
            &mut text,
            "halfkey_signatures_total",
            "counter",
            &by(&self.signatures, "operation"),
        );
        family(
            &mut text,
            "halfkey_slots_total",
            "counter",
            &by(&self.slots, "outcome"),
        );
        let plain = [
            (
                "halfkey_wallets_created_total",
                "counter",
                &self.wallets_created,
            ),
            (
                "halfkey_wallets_committed_total",
                "counter",
                &self.wallets_committed,
            ),
            (
                "halfkey_wallets_changed_total",
                "counter",
                &self.wallets_changed,
            ),
            (
                "halfkey_wallets_locked_total",
                "counter",
                &self.wallets_locked,
            ),
            (
                "halfkey_ceremonies_expired_total",
                "counter",
                &self.ceremonies_expired,
            ),
            (
                "halfkey_connections_refused_total",
                "counter",
                &self.connections_refused,
            ),
            ("halfkey_connections_open", "gauge", &self.connections_open),
        ];
        for (name, kind, value) in plain {
            family(
                &mut text,
                name,
                kind,
                &[(String::new(), value.load(Ordering::Relaxed))],
            );
        }
        for (name, now) in [
            ("halfkey_ceremonies_live", live),
            ("halfkey_tasks_open", tasks),
        ] {
            let now = u64::try_from(now).unwrap_or(u64::MAX);
            family(&mut text, name, "gauge", &[(String::new(), now)]);
        }
        text
    }
}

fn by(map: &Mutex<BTreeMap<&'static str, u64>>, label: &str) -> Vec<(String, u64)> {
    let map = map.lock().unwrap_or_else(PoisonError::into_inner);
    map.iter()
        .map(|(value, count)| (format!("{label}=\"{value}\""), *count))
        .collect()
}

fn family(text: &mut String, name: &str, kind: &str, samples: &[(String, u64)]) {
    // Writing into a string cannot fail.
    let mut line = |arguments: core::fmt::Arguments<'_>| {
        if text.write_fmt(arguments).is_ok() {
            text.push('\n');
        }
    };
    line(format_args!("# TYPE {name} {kind}"));
    for (labels, value) in samples {
        if labels.is_empty() {
            line(format_args!("{name} {value}"));
        } else {
            line(format_args!("{name}{{{labels}}} {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_families_with_labels() {
        let metrics = Metrics::default();
        metrics.request("/healthz", StatusCode::OK);
        metrics.request("/healthz", StatusCode::OK);
        metrics.slot("signed");
        let text = metrics.render(3, 2);
        assert!(text.contains("halfkey_requests_total{route=\"/healthz\",status=\"200\"} 2\n"));
        assert!(text.contains("# TYPE halfkey_slots_total counter\n"));
        assert!(text.contains("halfkey_ceremonies_live 3\n"));
    }
}
