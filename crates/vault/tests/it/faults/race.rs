//! Two writers of one name on a real store: exactly one wins, and what it wrote is there.

use std::sync::Arc;

use halfkey_vault::{Error, Expect};

use super::real::{Count, Real};
use crate::support::{access, ctx, name, secret};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_exactly_one_wins() {
    let (real, count) = (Arc::new(Real::new().await), Count::default());
    for round in 0..40 {
        let at = name(&format!("n{round}"));
        // A new record, and one that both have seen.
        let expect = match round % 2 {
            0 => Expect::Absent,
            _ => Expect::Rev(real.put(&at, "seen", Expect::Absent).await),
        };
        let write = |text: &'static str| {
            let (real, at) = (Arc::clone(&real), at.clone());
            tokio::spawn(async move {
                let (vault, secret) = (&real.vault, secret(text));
                vault.store(&at, &ctx(), &secret, expect, &access()).await
            })
        };
        let (one, two) = (write("one"), write("two"));
        let winner = match (one.await.unwrap(), two.await.unwrap()) {
            (Ok(_), Err(Error::Conflict(_))) => "one",
            (Err(Error::Conflict(_)), Ok(_)) => "two",
            other => panic!("round {round}: {other:?}"),
        };
        real.must_be(&at, winner).await;
        count.one();
    }
    count.must_be(40, "races with one winner");
}
