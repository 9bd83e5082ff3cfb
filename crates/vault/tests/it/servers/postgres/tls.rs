//! TLS 1.3 with a checked certificate, or an explicit word to go below.

use halfkey_testkit::servers::TestCa;
use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::tools;
use halfkey_vault::Error;
use halfkey_vault::net::{MinTls, TlsConfig};
use halfkey_vault::store::postgres::{PostgresConfig, PostgresRecords};

use super::config;
use crate::support::environment;

fn over_tls(server: &Postgres, min_tls: MinTls) -> PostgresConfig {
    PostgresConfig {
        tls: TlsConfig {
            ca_file: Some(server.ca_file()),
            min_tls,
        },
        ..config(server, "postgres")
    }
}

#[tokio::test]
async fn tls_1_3_is_spoken_and_less_is_refused() {
    tools::real_part("postgres");
    let new = Postgres::start(Tls::V1_3);
    let opened = PostgresRecords::open(&over_tls(&new, MinTls::V1_3), &environment()).await;
    opened.unwrap();

    let old = Postgres::start(Tls::V1_2);
    let refused = PostgresRecords::open(&over_tls(&old, MinTls::V1_3), &environment()).await;
    match refused {
        Err(Error::Insecure(why)) => assert!(why.contains("TLSv1.2"), "{why}"),
        other => panic!("{other:?}"),
    }
    let allowed = PostgresRecords::open(&over_tls(&old, MinTls::V1_2), &environment()).await;
    allowed.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_ca_and_a_server_without_tls_are_refused() {
    tools::real_part("postgres");
    let server = Postgres::start(Tls::V1_3);
    let (stranger, mut config) = (TestCa::new(), over_tls(&server, MinTls::V1_3));
    config.tls.ca_file = Some(stranger.ca_file());
    let refused = PostgresRecords::open(&config, &environment()).await;
    assert!(matches!(refused, Err(Error::Insecure(_))), "{refused:?}");

    let plain = super::server();
    let mut config = super::config(plain, "postgres");
    config.tls.ca_file = Some(stranger.ca_file());
    let refused = PostgresRecords::open(&config, &environment()).await;
    assert!(matches!(refused, Err(Error::Insecure(_))), "{refused:?}");
}

#[tokio::test]
async fn a_unix_socket_needs_no_tls() {
    let server = super::server();
    let mut config = config(server, &server.database());
    config.socket = Some(server.dir().to_owned());
    PostgresRecords::open(&config, &environment())
        .await
        .unwrap();
}
