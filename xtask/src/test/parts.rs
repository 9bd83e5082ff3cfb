//! Which tests ran against which real part.

use std::collections::BTreeSet;

use super::report::TestReport;

/// A part: how it is shown, and how a test's path or the ledger names it.
const PARTS: [(&str, &[&str]); 26] = [
    ("anvil", &["anvil"]),
    ("LiteSVM", &["litesvm"]),
    ("SQLite", &["sqlite"]),
    ("eth-account", &["eth_account"]),
    ("solders", &["solders"]),
    ("ethers", &["ethers"]),
    ("Node's crypto", &["node_crypto"]),
    ("cast", &["cast"]),
    ("rage", &["rage"]),
    ("typage", &["typage"]),
    ("record judge (Python)", &["judge"]),
    ("backup judges (Node, Python)", &["backup_judge"]),
    ("PostgreSQL", &["postgres"]),
    ("Redis, single", &["redis"]),
    ("Redis over TLS", &["redis_tls"]),
    ("Redis Cluster", &["redis_cluster"]),
    ("Redis Sentinel", &["redis_sentinel"]),
    ("OpenBao", &["openbao"]),
    ("SoftHSM", &["softhsm"]),
    ("AWS: moto (emulated)", &["moto"]),
    ("AWS: ministack (emulated)", &["ministack"]),
    ("Google: own fake", &["gcp"]),
    ("Google: drongo (emulated)", &["drongo"]),
    ("Azure: own fake", &["azure_fake"]),
    ("Azure: vendor's Python SDK", &["azure_python_sdk"]),
    ("killed processes", &["process", "crash", "rewrap_killed"]),
];

/// Per part, how many tests that passed used it: those that said so in the ledger, and those that
/// live in a module named after it. Tests of the same name in two crates count twice.
pub(super) fn count(report: &TestReport) -> Vec<(&'static str, usize)> {
    PARTS
        .iter()
        .map(|(shown, keys)| (*shown, tests_of(report, keys)))
        .collect()
}

fn tests_of(report: &TestReport, keys: &[&str]) -> usize {
    let said: BTreeSet<&str> = report
        .used
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(used, _)| keys.contains(&used.replace('-', "_").as_str()))
        .map(|(_, test)| test)
        .collect();
    let in_module = |name: &str| name.split("::").any(|word| keys.contains(&word));
    report
        .passed
        .iter()
        .filter(|name| in_module(name) || said.contains(name.as_str()))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_test_once_per_part_and_only_when_it_passed() {
        let mut report = TestReport::default();
        for line in [
            "test anvil::a ... ok",
            "test flow::b ... ok",
            "test flow::c ... FAILED",
            "test canvil::d ... ok",
        ] {
            report.take(line);
        }
        report.used =
            "anvil\tanvil::a\nanvil\tflow::b\nanvil\tflow::c\neth-account\tflow::b\n".to_owned();
        let counts = count(&report);
        assert!(counts.contains(&("anvil", 2)));
        assert!(counts.contains(&("eth-account", 1)));
        assert!(counts.contains(&("LiteSVM", 0)));
    }
}
