//! Opening: TLS 1.3 off this machine, the tables' schema found, their environment checked.

use core::time::Duration;
use std::sync::Arc;

use halfkey_core::{EnvironmentId, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::from_sqlx;
use super::session::{Session, again};
use super::statements::Statements;
use super::{Database, PEER, PostgresConfig, migrate};
use crate::Error;
use crate::net::{MinTls, SecretSource};

impl Database {
    /// Connects, makes absent tables where it may, and checks all that can be checked.
    pub(super) async fn open(
        config: &PostgresConfig,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        let statements = Statements::new(config.checked_prefix()?);
        let options = options(config)?;
        let schema = schema(config, &options).await?;
        // What is asked of a server on this machine is asked where TLS was asked for.
        let uses_tls = !config.is_local() || asks_for_tls(config);
        let must_be_tls_1_3 = uses_tls && config.tls.min_tls == MinTls::V1_3;
        let session = Session::new(schema, must_be_tls_1_3, statements.clone());
        let session = Arc::new(session);
        let database = Self {
            pool: pool(config, options, &session),
            session,
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
        if config.migrate {
            migrate::run(self, environment).await?;
        }
        self.session.expect_environment(environment);
        // The connection that is open already, too.
        let mut refusals = self.session.refusals();
        let mut call = self.call().await?;
        let done = call
            .run(|connection| self.session.prepare(connection))
            .await;
        let checked = call.end(done);
        match (checked, &*refusals.borrow_and_update()) {
            (Err(_), Some(refusal)) => Err(again(refusal)),
            (checked, _) => checked,
        }
    }
}

/// The schema of the tables: the one configured, or where the role would make them. The first
/// connection also says why there is none.
async fn schema(config: &PostgresConfig, options: &PgConnectOptions) -> Result<String, Error> {
    let first = tokio::time::timeout(config.deadline(), async {
        let mut first = options.connect().await?;
        let found = current_schema(&mut first).await?;
        first.close().await?;
        Ok(found)
    });
    let found = match first.await {
        Ok(found) => found.map_err(from_sqlx)?,
        Err(_) => return Err(Error::Timeout(PEER.to_owned())),
    };
    config.schema.clone().or(found).ok_or_else(|| {
        Error::Config(format!(
            "the search_path of the {PEER} role names no schema that is there; set `schema`"
        ))
    })
}

async fn current_schema(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_catalog.current_schema()::text")
        .fetch_one(connection)
        .await
}

fn pool(config: &PostgresConfig, options: PgConnectOptions, session: &Arc<Session>) -> PgPool {
    let session = Arc::clone(session);
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections.max(1))
        .acquire_timeout(config.deadline())
        .idle_timeout(Duration::from_mins(5))
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let session = Arc::clone(&session);
            Box::pin(async move { session.prepare(connection).await })
        });
    pool.connect_lazy_with(options)
}

fn asks_for_tls(config: &PostgresConfig) -> bool {
    config.socket.is_none() && config.tls.ca_file.is_some()
}

/// Everything is said here, so that libpq's environment variables say nothing: the library reads
/// them first. A client certificate is the exception ([`PostgresConfig::password`]).
fn options(config: &PostgresConfig) -> Result<PgConnectOptions, Error> {
    if std::env::var_os("PGOPTIONS").is_some_and(|options| !options.is_empty()) {
        return Err(Error::Config(
            "PGOPTIONS is set in the environment, and would change every session; unset it"
                .to_owned(),
        ));
    }
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
        let pem = match &config.tls.ca_file {
            Some(file) => std::fs::read(file).map_err(|error| {
                Error::Config(format!("ca_file {}: {}", file.display(), error.kind()))
            })?,
            // No certificate, rather than the one of PGSSLROOTCERT.
            None => Vec::new(),
        };
        options = options.ssl_root_cert_from_pem(pem);
    }
    let password = config.password.as_ref().map(SecretSource::read);
    let password = password.transpose()?;
    // None, rather than PGPASSWORD.
    options = options.password(password.as_ref().map_or("", SecretString::expose));
    Ok(options)
}
