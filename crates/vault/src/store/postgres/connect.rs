//! Connections: TLS 1.3 off this machine, durable commits, one environment.

use core::time::Duration;

use halfkey_core::EnvironmentId;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};

use super::error::from_sqlx;
use super::statements::Statements;
use super::{Database, PEER, PostgresConfig, migrate};
use crate::Error;
use crate::net::MinTls;

impl Database {
    /// Connects, makes absent tables where it may, and checks all that can be checked.
    pub(super) async fn open(
        config: &PostgresConfig,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        let statements = Statements::new(config.checked_prefix()?);
        let database = Self {
            pool: connect(config).await?,
            statements,
            deadline: config.deadline(),
        };
        match database.prepare(config, environment).await {
            Ok(()) => Ok(database),
            Err(error) => {
                database.pool.close().await;
                Err(error)
            }
        }
    }

    async fn prepare(
        &self,
        config: &PostgresConfig,
        environment: &EnvironmentId,
    ) -> Result<(), Error> {
        self.check_durable().await?;
        if config.migrate {
            migrate::run(self, environment).await?;
        }
        self.check_environment(environment).await
    }

    /// A server that may forget what it acknowledged is no place for a key share.
    async fn check_durable(&self) -> Result<(), Error> {
        let shown = sqlx::query_as::<_, (String, String, String, bool)>(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'),
                    current_setting('synchronous_commit'), pg_is_in_recovery()",
        );
        let (fsync, pages, commit, standby) = self.within(shown.fetch_one(&self.pool)).await?;
        if standby {
            // What it shows may be older than what was acknowledged (custody rule 11).
            return Err(Error::temporary(format!("{PEER}: it is a standby")));
        }
        for (setting, value) in [("fsync", &fsync), ("full_page_writes", &pages)] {
            if value != "on" {
                return Err(Error::NotDurable(format!(
                    "{PEER} runs with {setting} = {value}"
                )));
            }
        }
        if commit == "off" {
            return Err(Error::NotDurable(format!(
                "{PEER} does not let this session set synchronous_commit"
            )));
        }
        Ok(())
    }

    async fn check_environment(&self, environment: &EnvironmentId) -> Result<(), Error> {
        let query = sqlx::query_scalar::<_, String>(self.statements.read_mark());
        let found = self.within(query.fetch_optional(&self.pool)).await?;
        match found {
            Some(found) if found == environment.as_str() => Ok(()),
            Some(found) => Err(Error::Environment {
                what: format!("the {PEER} tables"),
                found,
                expected: environment.to_string(),
            }),
            None => Err(Error::Config(format!(
                "the {PEER} tables are marked with no environment; open them once with the right \
                 to migrate"
            ))),
        }
    }
}

async fn connect(config: &PostgresConfig) -> Result<PgPool, Error> {
    let options = options(config)?;
    let must_be_tls_1_3 = !config.is_local() && config.tls.min_tls == MinTls::V1_3;
    // What is asked of a server on this machine is asked where TLS was asked for.
    let checks_tls =
        must_be_tls_1_3 || (asks_for_tls(config) && config.tls.min_tls == MinTls::V1_3);
    let deadline = config.deadline();
    // The pool tries again when a connection does not pass; the first one says why it does not.
    let first = tokio::time::timeout(deadline, async {
        let mut first = options.connect().await?;
        if checks_tls {
            check_tls(&mut first).await?;
        }
        sqlx::Connection::close(first).await
    });
    match first.await {
        Ok(first) => first.map_err(from_sqlx)?,
        Err(_) => return Err(Error::Timeout(PEER.to_owned())),
    }
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections.max(1))
        .acquire_timeout(deadline)
        .idle_timeout(Duration::from_mins(5))
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if checks_tls {
                    check_tls(connection).await?;
                }
                sqlx::query(SESSION).execute(connection).await.map(drop)
            })
        });
    Ok(pool.connect_lazy_with(options))
}

/// A lost race must be a lost race, not an outage, whatever the server's default isolation.
const SESSION: &str = "SELECT set_config('synchronous_commit', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false)";

/// Before anything of ours is sent. The library would also speak TLS 1.2.
async fn check_tls(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let version = sqlx::query_scalar::<_, Option<String>>(
        "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    let version = version.fetch_optional(connection).await?.flatten();
    if version.as_deref() == Some("TLSv1.3") {
        return Ok(());
    }
    let version = version.unwrap_or_else(|| "no TLS".to_owned());
    Err(sqlx::Error::Tls(Box::new(TooOld(version))))
}

/// A connection with less than TLS 1.3.
#[derive(Debug, thiserror::Error)]
#[error("{PEER} speaks {0}; TLS 1.3 is required")]
pub(super) struct TooOld(String);

fn asks_for_tls(config: &PostgresConfig) -> bool {
    config.socket.is_none() && config.tls.ca_file.is_some()
}

fn options(config: &PostgresConfig) -> Result<PgConnectOptions, Error> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .username(&config.user)
        .database(&config.database)
        .application_name("halfkey")
        .port(config.port)
        .disable_statement_logging();
    options = match &config.socket {
        Some(socket) => options.socket(socket).ssl_mode(PgSslMode::Disable),
        None => options.host(&config.host),
    };
    if config.socket.is_none() {
        let needs_tls = !config.is_local() || asks_for_tls(config);
        options = options.ssl_mode(if needs_tls {
            PgSslMode::VerifyFull
        } else {
            PgSslMode::Disable
        });
        if let Some(file) = &config.tls.ca_file {
            let pem = std::fs::read(file).map_err(|error| {
                Error::Config(format!("ca_file {}: {}", file.display(), error.kind()))
            })?;
            options = options.ssl_root_cert_from_pem(pem);
        }
    }
    if let Some(password) = &config.password {
        options = options.password(password.read()?.expose());
    }
    Ok(options)
}
