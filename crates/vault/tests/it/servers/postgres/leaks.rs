//! Nothing plaintext reaches the server.

use halfkey_testkit::Canary;
use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::tools;
use halfkey_vault::Expect;

use super::records;
use crate::support::{access, ctx, name, over_records, secret};

#[tokio::test]
async fn no_file_and_no_dump_holds_the_plaintext() {
    tools::real_part("postgres");
    let server = Postgres::start(Tls::Off);
    let canary = "canary-share-0123456789abcdef-0123456789abcdef";
    let vault = over_records(records(&server).await);
    for round in 0..3 {
        vault
            .store(&name("a"), &ctx(), &secret(canary), Expect::Any, &access())
            .await
            .unwrap();
        vault.load(&name("a"), &ctx(), &access()).await.unwrap();
        if round == 1 {
            vault.destroy(&name("a"), &access()).await.unwrap();
        }
    }
    let search = Canary::text("share", canary);
    let dump = server.dump("test0");
    assert!(
        dump.contains("halfkey_records"),
        "the dump is of the right database"
    );
    search.must_be_absent("the dump", dump.as_bytes());
    search.must_be_absent("the files", &server.files());
}
