//! `examples/hsm_sqlite.rs` does what it says, against SoftHSM.

#[expect(dead_code, reason = "its main")]
#[path = "../../../../examples/hsm_sqlite.rs"]
mod hsm_sqlite;

use halfkey_testkit::servers::softhsm::{PIN_VARIABLE, SoftHsm};

use super::{TOKEN, create, in_own_process};
use crate::support::{environment, replaced};

#[test]
fn hsm_and_sqlite() {
    in_own_process(async || {
        drop(create().await);
        let dir = tempfile::tempdir().unwrap();
        let storage = replaced(
            hsm_sqlite::STORAGE,
            &[
                (
                    "/usr/lib/softhsm/libsofthsm2.so",
                    &SoftHsm::module().display().to_string(),
                ),
                ("\"custody\"", &format!("\"{TOKEN}\"\ndeadline_ms = 60000")),
                ("HSM_PIN", PIN_VARIABLE),
            ],
        );
        let report = hsm_sqlite::run(&dir.path().join("data"), &environment(), &storage).await;
        let report = report.unwrap();
        for said in [
            "kms: pkcs11",
            "records: sqlite",
            "by version [\"1\"], now by [\"2\"] (the newest is 2)",
            "opened as it was: true",
        ] {
            assert!(report.contains(said), "{said}: {report}");
        }
    });
}
