//! `examples/postgres_aws_kms.rs` does what it says, against the real PostgreSQL and moto.

#[expect(dead_code, reason = "its main")]
#[path = "../../../../examples/postgres_aws_kms.rs"]
mod postgres_aws_kms;

use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::tools;

use super::{access, emulators};
use crate::support::{environment, replaced};

#[tokio::test]
async fn postgres_and_aws_kms() {
    tools::real_part("postgres");
    let (server, moto) = (Postgres::start(Tls::Off), emulators::moto().endpoint());
    let kms = access::kms(&moto).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    let dir = tempfile::tempdir().unwrap();
    let aws = format!(
        "region = \"eu-central-1\"\nendpoint = \"{moto}\"\ndeadline_ms = 60000\n\
         [kms.credentials.keys]\naccess_key_id = {{ file = \"{id}\" }}\n\
         secret_access_key = {{ file = \"{id}\" }}",
        id = server.file("aws", "AKIAIOSFODNN7EXAMPLE").display()
    );
    let storage = replaced(
        postgres_aws_kms::STORAGE,
        &[
            ("alias/halfkey", &alias),
            ("region = \"eu-central-1\"", &aws),
            ("db.internal", "127.0.0.1"),
            ("5432", &server.port().to_string()),
            ("\"wallets\"", "\"postgres\""),
            ("\"halfkey\"", "\"postgres\""),
            (
                "/run/secrets/pg",
                &server.password_file().display().to_string(),
            ),
        ],
    );
    let data = dir.path().join("data");
    let report = postgres_aws_kms::run(&data, &environment(), &storage)
        .await
        .unwrap();
    for said in [
        "kms: aws-kms",
        "records: postgres",
        "cache: postgres",
        "at revision 1:",
        "opened as it was: true",
        "cached: Some(",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
    let dump = server.dump("postgres");
    assert!(dump.contains("/shares/") && !dump.contains("a key share"));
}
