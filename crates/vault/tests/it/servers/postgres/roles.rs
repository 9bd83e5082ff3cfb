//! The roles of the guide, held by the server's own permissions.

use halfkey_vault::net::SecretSource;
use halfkey_vault::store::postgres::PostgresRecords;
use halfkey_vault::{
    DestroyRecord as _, Error, Expect, GetRecord as _, ListRecords as _, PutRecord as _,
};

use super::{config, server};
use crate::support::{environment, name};

/// The statements to paste, from the guide itself.
fn grants() -> String {
    let guide = include_str!("../../../../../../docs/guides/storage/postgres.md");
    let (_, rest) = guide.split_once("```sql\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

async fn open_as(database: &str, role: &str) -> PostgresRecords {
    let mut config = config(server(), database);
    config.user = role.to_owned();
    config.password = Some(SecretSource::File(server().file(role, "role-password")));
    config.migrate = false;
    PostgresRecords::open(&config, &environment())
        .await
        .unwrap()
}

fn must_be_denied<T: core::fmt::Debug>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::Denied(_)) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn each_role_may_do_its_own_and_nothing_else() {
    let database = server().database();
    let owner = PostgresRecords::open(&config(server(), &database), &environment())
        .await
        .unwrap();
    owner
        .put(&name("old"), b"sealed", Expect::Absent)
        .await
        .unwrap();
    server().sql(&database, &grants());
    for role in ["writer", "opener", "lister", "rewrapper"] {
        let role = format!("ALTER ROLE halfkey_{role} LOGIN PASSWORD 'role-password'");
        server().sql(&database, &role);
    }

    let writer = open_as(&database, "halfkey_writer").await;
    let rev = writer
        .put(&name("new"), b"1", Expect::Absent)
        .await
        .unwrap();
    writer
        .put(&name("new"), b"2", Expect::Rev(rev))
        .await
        .unwrap();
    let listed = writer.list("", None, 10).await.unwrap();
    assert_eq!(listed.names, [name("new"), name("old")]);
    must_be_denied(writer.get(&name("old")).await, "a writer reads");

    let opener = open_as(&database, "halfkey_opener").await;
    assert_eq!(opener.get(&name("new")).await.unwrap().unwrap().value, b"2");
    must_be_denied(
        opener.put(&name("x"), b"", Expect::Absent).await,
        "an opener writes",
    );
    must_be_denied(
        opener.destroy(&name("new"), Expect::Any).await,
        "an opener destroys",
    );

    let lister = open_as(&database, "halfkey_lister").await;
    lister.list("", None, 10).await.unwrap();
    must_be_denied(lister.get(&name("old")).await, "a lister reads");
    must_be_denied(
        lister.put(&name("x"), b"", Expect::Absent).await,
        "a lister writes",
    );

    let rewrapper = open_as(&database, "halfkey_rewrapper").await;
    let found = rewrapper.get(&name("old")).await.unwrap().unwrap();
    rewrapper
        .put(&name("old"), b"moved", Expect::Rev(found.rev))
        .await
        .unwrap();
    rewrapper.list("", None, 10).await.unwrap();
    for expect in [Expect::Absent, Expect::Any] {
        let put = rewrapper.put(&name("x"), b"", expect).await;
        must_be_denied(put, "a rewrapper inserts");
    }
    let rev = rewrapper.get(&name("old")).await.unwrap().unwrap().rev;
    for expect in [Expect::Any, Expect::Rev(rev)] {
        let gone = rewrapper.destroy(&name("old"), expect).await;
        must_be_denied(gone, "a rewrapper destroys");
    }
    let kept = opener.get(&name("old")).await.unwrap().unwrap();
    assert_eq!(kept.value, b"moved");
}
