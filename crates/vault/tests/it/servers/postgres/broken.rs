//! What the server or its set-up can do wrong.

use std::net::TcpListener;

use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::tools;
use halfkey_vault::store::postgres::PostgresRecords;
use halfkey_vault::{DestroyRecord as _, Error, Expect, GetRecord as _, PutRecord as _};

use super::{config, server};
use crate::support::{access, ctx, environment, name, over_records, secret};

#[tokio::test]
async fn tables_of_another_environment_are_refused() {
    let config = config(server(), &server().database());
    let other = "env-other".parse().unwrap();
    PostgresRecords::open(&config, &other).await.unwrap();
    let opened = PostgresRecords::open(&config, &environment()).await;
    match opened {
        Err(Error::Environment { found, .. }) => assert_eq!(found, "env-other"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_password_database_or_prefix_is_named() {
    let good = config(server(), &server().database());
    let mut wrong = good.clone();
    let file = server().file("wrong", "canary-password");
    wrong.password = Some(halfkey_vault::net::SecretSource::File(file));
    let refused = PostgresRecords::open(&wrong, &environment())
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Denied(_)), "{refused:?}");
    assert!(!format!("{refused:?} {refused}").contains("canary"));

    let mut absent = good.clone();
    absent.database = "absent".to_owned();
    let refused = PostgresRecords::open(&absent, &environment()).await;
    assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");

    for prefix in ["x; DROP TABLE", "A", "1a", "\"", &"a".repeat(33)] {
        let mut odd = good.clone();
        odd.table_prefix = prefix.to_owned();
        let refused = PostgresRecords::open(&odd, &environment()).await;
        assert!(
            matches!(refused, Err(Error::Config(_))),
            "{prefix}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn tables_that_are_absent_are_not_made_unasked() {
    let mut config = config(server(), &server().database());
    config.migrate = false;
    let opened = PostgresRecords::open(&config, &environment()).await;
    assert!(matches!(opened, Err(Error::Config(_))), "{opened:?}");
}

#[tokio::test]
async fn two_prefixes_are_two_stores() {
    let config = config(server(), &server().database());
    let mut other = config.clone();
    other.table_prefix = "other_".to_owned();
    let one = PostgresRecords::open(&config, &environment())
        .await
        .unwrap();
    let two = PostgresRecords::open(&other, &environment()).await.unwrap();
    one.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    assert!(two.get(&name("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused() {
    tools::real_part("postgres");
    for setting in ["fsync=off", "full_page_writes=off"] {
        let server = Postgres::start_with(Tls::Off, &[setting]);
        let opened = PostgresRecords::open(&config(&server, "postgres"), &environment()).await;
        assert!(matches!(opened, Err(Error::NotDurable(_))), "{opened:?}");
    }
}

/// `synchronous_commit = off` is the session's to set, and it sets it.
#[tokio::test]
async fn a_session_commits_synchronously_whatever_the_default() {
    let database = server().database();
    let off = format!("ALTER DATABASE {database} SET synchronous_commit = off");
    server().sql("postgres", &off);
    PostgresRecords::open(&config(server(), &database), &environment())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    tools::real_part("postgres");
    let mut server = Postgres::start(Tls::Off);
    let store = PostgresRecords::open(&config(&server, "postgres"), &environment())
        .await
        .unwrap();
    let mut revs = Vec::new();
    for number in 0..50 {
        let at = name(&format!("a{number}"));
        revs.push(
            store
                .put(&at, &[number; 100], Expect::Absent)
                .await
                .unwrap(),
        );
    }
    server.kill_and_restart();
    // The connections of before are dead; each says so once.
    let mut failures = 0;
    let mut number = 0;
    while number < 50 {
        match store.get(&name(&format!("a{number}"))).await {
            Ok(found) => {
                let found = found.unwrap();
                assert_eq!(found.value, [number; 100]);
                assert_eq!(found.rev, revs[usize::from(number)]);
                number += 1;
            }
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                failures += 1;
                assert!(failures <= 10, "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_frozen_server_costs_the_deadline() {
    tools::real_part("postgres");
    let server = Postgres::start(Tls::Off);
    let mut config = config(&server, "postgres");
    let patient = PostgresRecords::open(&config, &environment())
        .await
        .unwrap();
    patient.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    // Long enough to open it on a machine that is busy.
    config.deadline_ms = 3_000;
    let store = PostgresRecords::open(&config, &environment())
        .await
        .unwrap();
    server.freeze("STOP");
    let frozen = store.get(&name("a")).await;
    assert!(matches!(frozen, Err(Error::Timeout(_))), "{frozen:?}");
    server.freeze("CONT");
    assert_eq!(patient.get(&name("a")).await.unwrap().unwrap().value, b"1");
}

/// A port where nobody answers, and one where somebody never does.
#[tokio::test]
async fn a_server_that_is_not_there_is_temporary() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut config = config(server(), "postgres");
    config.deadline_ms = 300;
    config.port = listener.local_addr().unwrap().port();
    let silent = PostgresRecords::open(&config, &environment()).await;
    assert!(matches!(silent, Err(Error::Timeout(_))), "{silent:?}");
    drop(listener);
    let absent = PostgresRecords::open(&config, &environment()).await;
    assert!(absent.is_err_and(|error| error.is_transient()));
}

/// Somebody who may write the table moves one record's bytes under another name.
#[tokio::test]
async fn a_record_that_was_moved_does_not_open() {
    let database = server().database();
    let store = PostgresRecords::open(&config(server(), &database), &environment())
        .await
        .unwrap();
    let vault = over_records(store.clone());
    let mut other = ctx();
    other.generation.0 += 1;
    for (at, ctx) in [("a", ctx()), ("b", other.clone())] {
        vault
            .store(&name(at), &ctx, &secret(at), Expect::Absent, &access())
            .await
            .unwrap();
    }
    server().sql(
        &database,
        "UPDATE halfkey_records SET bytes = (SELECT bytes FROM halfkey_records WHERE name = 'a')
         WHERE name = 'b'",
    );
    vault.load(&name("a"), &ctx(), &access()).await.unwrap();
    let moved = vault.load(&name("b"), &other, &access()).await;
    assert!(matches!(moved, Err(Error::Corrupt { .. })), "{moved:?}");
    store.destroy(&name("b"), Expect::Any).await.unwrap();
}
