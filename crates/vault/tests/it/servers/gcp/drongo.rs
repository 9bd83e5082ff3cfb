//! The same suites against drongo, an emulator by other people.
//!
//! Beyond the suites it is no judge: it has no versions of keys, takes a wrong checksum and sends
//! none with a secret. Those cases (`kms.rs`, `manage.rs`, `secrets.rs`) run on the stand-in only.

use std::sync::OnceLock;

use halfkey_testkit::servers::drongo::Drongo;
use halfkey_testkit::tools::real_part;
use halfkey_vault::ManageKey as _;
use halfkey_vault::conformance::kms::{self, KeyProvider};
use halfkey_vault::kms::gcp::GcpKek;
use halfkey_vault::net::gcp::ENVIRONMENT_LABEL;
use halfkey_vault::store::gcp_secrets::GcpSecrets;

use super::{fresh, kek_config, two_stores};
use crate::support::environment;

/// Cases of the suite of key providers that drongo 0.8.0 cannot pass, and why. That each one still
/// fails there is a test.
const NOT_FAITHFUL: [(&str, &str); 3] = [
    (
        "two_wraps_of_one_key_differ",
        "its ciphertext is base64 of JSON: nothing is encrypted or random",
    ),
    (
        "a_rewrapped_key_is_the_same_key",
        "the same: wrapped again, a key has the same bytes",
    ),
    (
        "a_damaged_wrap_is_refused",
        "damaged base64 ends its thread: an outage instead of an answer",
    ),
];

fn server() -> &'static Drongo {
    static SERVER: OnceLock<Drongo> = OnceLock::new();
    real_part("drongo");
    SERVER.get_or_init(Drongo::start)
}

async fn make_kek() -> (GcpKek, ()) {
    let server = server();
    let ring = fresh("projects/test/locations/global/keyRings/ring");
    let key = format!("{ring}/cryptoKeys/shares");
    server
        .create_key(&key, &[(ENVIRONMENT_LABEL, "env-test")])
        .await;
    let config = kek_config(server.endpoint(), &key);
    (GcpKek::open(&config, &environment()).await.unwrap(), ())
}

mod kek {
    use super::make_kek;

    // All of `key_provider_conformance!` but `NOT_FAITHFUL`.
    halfkey_vault::conformance_cases!(
        kms,
        make_kek,
        what_was_wrapped_is_unwrapped,
        a_wrap_fits_into_a_record,
        a_wrap_belongs_to_one_context,
        a_wrap_of_another_kek_is_refused,
        a_rewrap_does_not_change_the_context,
    );
}

async fn run(case: &str, kek: &dyn KeyProvider) {
    match case {
        "two_wraps_of_one_key_differ" => kms::two_wraps_of_one_key_differ(kek).await,
        "a_rewrapped_key_is_the_same_key" => kms::a_rewrapped_key_is_the_same_key(kek).await,
        "a_damaged_wrap_is_refused" => kms::a_damaged_wrap_is_refused(kek).await,
        other => panic!("{other} is not in the table"),
    }
}

#[tokio::test]
async fn it_has_no_versions_to_look_after() {
    let (kek, ()) = make_kek().await;
    assert!(kek.info().await.is_err() && kek.rotate().await.is_err());
}

#[tokio::test]
async fn what_is_left_out_still_fails_there() {
    for (case, why) in NOT_FAITHFUL {
        let (kek, ()) = make_kek().await;
        let passed = tokio::spawn(async move { run(case, &kek).await }).await;
        assert!(
            passed.is_err(),
            "{case} passes; no longer true that {why}: move it to the list above"
        );
    }
}

mod secrets {
    use super::{GcpSecrets, fresh, server, two_stores};

    async fn make() -> ([GcpSecrets; 2], ()) {
        (two_stores(server().endpoint(), &fresh("project")).await, ())
    }
    halfkey_vault::secret_store_conformance!(make);
}
