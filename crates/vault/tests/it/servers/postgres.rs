//! PostgreSQL.

mod broken;
mod connections;
mod leaks;
mod roles;
mod tls;

use std::sync::OnceLock;

use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::tools;
use halfkey_vault::net::{SecretSource, TlsConfig};
use halfkey_vault::store::postgres::{PostgresConfig, PostgresProperties, PostgresRecords};

use crate::support::environment;

/// One server for all tests that do not break it.
fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    tools::real_part("postgres");
    SERVER.get_or_init(|| Postgres::start(Tls::Off))
}

/// As the superuser over plain TCP to this machine.
fn config(server: &Postgres, database: &str) -> PostgresConfig {
    PostgresConfig {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
        socket: None,
        database: database.to_owned(),
        user: "postgres".to_owned(),
        password: Some(SecretSource::File(server.password_file())),
        tls: TlsConfig::default(),
        schema: None,
        table_prefix: "halfkey_".to_owned(),
        max_connections: 2,
        deadline_ms: 30_000,
        migrate: true,
    }
}

async fn records(server: &Postgres) -> PostgresRecords {
    let config = config(server, &server.database());
    PostgresRecords::open(&config, &environment())
        .await
        .unwrap()
}

mod suite {
    use super::*;

    async fn make() -> (PostgresRecords, ()) {
        (records(server()).await, ())
    }
    halfkey_vault::record_store_conformance!(make);
}

mod properties {
    use super::*;

    async fn make() -> (PostgresProperties, ()) {
        let config = config(server(), &server().database());
        let opened = PostgresProperties::open(&config, &environment()).await;
        (opened.unwrap(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}
