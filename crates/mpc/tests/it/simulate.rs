//! The seeded fault simulation: 200 seeds here, `HALFKEY_SEEDS` of them in a soak run.

use halfkey_mpc::simulate::{Report, run};

/// Starts after the seeds of a former run with `HALFKEY_FIRST_SEED`; repeats one with both.
fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap())
}

#[test]
fn simulate_seeds() {
    let first = from_environment("HALFKEY_FIRST_SEED", 0);
    let count = from_environment("HALFKEY_SEEDS", 200);
    let mut total = Report::default();
    for seed in first..first + count {
        let report = std::panic::catch_unwind(|| run(seed))
            .unwrap_or_else(|_| panic!("seed {seed} panicked"))
            .unwrap_or_else(|violation| panic!("{violation}"));
        total.results += report.results;
        total.changed += report.changed;
        total.without += report.without;
        total.faults += report.faults;
    }
    // A simulation in which nothing happens, or nothing works, proves nothing.
    if count >= 100 {
        let runs = usize::try_from(count).unwrap();
        assert!(total.results > runs && total.without > runs, "{total:?}");
        assert!(total.changed > runs / 4, "{total:?}");
        assert!(u64::from(total.faults) > count * 2, "{total:?}");
    }
}
