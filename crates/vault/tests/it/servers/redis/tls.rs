//! Over TLS, 1.3 only.

use std::sync::OnceLock;

use halfkey_testkit::servers::TestCa;
use halfkey_testkit::servers::redis::Redis;
use halfkey_testkit::tools;
use halfkey_vault::Error;
use halfkey_vault::net::{MinTls, TlsConfig};
use halfkey_vault::store::redis::{RedisConfig, RedisProperties, RedisRecords};

use super::{must_open, shared, single};
use crate::support::environment;

fn server() -> &'static Redis {
    static SERVER: OnceLock<Redis> = OnceLock::new();
    tools::real_part("redis-tls");
    SERVER.get_or_init(|| Redis::start_tls("TLSv1.3"))
}

fn tls_config(server: &Redis) -> RedisConfig {
    let mut config = single(server);
    config.tls = Some(TlsConfig {
        ca_file: Some(server.ca_file()),
        min_tls: MinTls::V1_3,
    });
    config
}

mod records {
    use super::*;

    async fn make() -> (RedisRecords, ()) {
        (must_open(&tls_config(server())).await, ())
    }
    halfkey_vault::record_store_conformance!(make);
}

mod properties {
    use super::*;

    async fn make() -> (RedisProperties, ()) {
        let store = RedisProperties::open(&tls_config(server()), &environment()).await;
        (store.unwrap(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}

async fn must_be_insecure(config: &RedisConfig, what: &str) {
    let error = RedisRecords::open(config, &environment())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Insecure(_)), "{what}: {error:?}");
}

#[tokio::test]
async fn a_server_without_tls_1_3_is_refused() {
    tools::real_part("redis-tls");
    let old = Redis::start_tls("TLSv1.2");
    let mut config = tls_config(&old);
    must_be_insecure(&config, "TLS 1.2").await;
    config.tls.as_mut().unwrap().min_tls = MinTls::V1_2;
    must_open(&config).await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let other = TestCa::new();
    let mut config = tls_config(server());
    config.tls.as_mut().unwrap().ca_file = Some(other.ca_file());
    must_be_insecure(&config, "another CA").await;
}

/// Redis waits for more of what it takes for a long command, so this can end as a timeout; it does
/// not end in a connection.
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_refused() {
    let mut config = single(shared());
    config.tls = Some(TlsConfig {
        ca_file: Some(server().ca_file()),
        min_tls: MinTls::V1_3,
    });
    config.deadline_ms = 1000;
    let error = RedisRecords::open(&config, &environment()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Insecure(_) | Error::Timeout(_)),
        "{error:?}"
    );
}
