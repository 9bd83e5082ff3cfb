//! What every connection is set to and must be, before anything of ours is sent over it. A pool
//! only tries again when a connection does not pass; so why it does not is kept here, and whoever
//! waits for a connection is told.

use std::sync::{Arc, OnceLock};

use halfkey_core::EnvironmentId;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;

use super::PEER;
use super::error::from_sqlx;
use super::statements::Statements;
use crate::Error;

/// One place for all connections of a database.
#[derive(Debug)]
pub(super) struct Session {
    /// Where the tables are; found once, then pinned.
    schema: String,
    must_be_tls_1_3: bool,
    statements: Statements,
    /// Set once the tables were seen to be marked with it.
    environment: OnceLock<EnvironmentId>,
    /// The last refusal.
    refused: watch::Sender<Option<Arc<Error>>>,
}

/// Why a connection is not used.
enum Unfit {
    /// It is not what it must be; the next one will not be either.
    Refused(Error),
    /// It broke; the pool makes another one.
    Broken(sqlx::Error),
}

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Self {
        let is_answer = matches!(error, sqlx::Error::Database(_));
        if !is_answer {
            return Self::Broken(error);
        }
        match from_sqlx(error) {
            transient if transient.is_transient() => {
                Self::Broken(sqlx::Error::Protocol(transient.to_string()))
            }
            refusal => Self::Refused(refusal),
        }
    }
}

impl Session {
    pub(super) fn new(schema: String, must_be_tls_1_3: bool, statements: Statements) -> Self {
        Self {
            schema,
            must_be_tls_1_3,
            statements,
            environment: OnceLock::new(),
            refused: watch::Sender::new(None),
        }
    }

    /// From now on every new connection must find the tables marked with it.
    pub(super) fn expect_environment(&self, environment: &EnvironmentId) {
        self.environment.get_or_init(|| environment.clone());
    }

    /// Sees refusals from now on.
    pub(super) fn refusals(&self) -> watch::Receiver<Option<Arc<Error>>> {
        self.refused.subscribe()
    }

    /// Sets up and checks a new connection.
    pub(super) async fn prepare(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match self.fit(connection).await {
            Ok(()) => Ok(()),
            Err(Unfit::Broken(error)) => Err(error),
            Err(Unfit::Refused(error)) => {
                let said = sqlx::Error::Configuration(error.to_string().into());
                self.refused.send_replace(Some(Arc::new(error)));
                Err(said)
            }
        }
    }

    async fn fit(&self, connection: &mut PgConnection) -> Result<(), Unfit> {
        if self.must_be_tls_1_3 {
            check_tls(connection).await?;
        }
        let set = sqlx::query(SETTINGS).bind(&self.schema);
        set.execute(&mut *connection).await?;
        check_durable(connection).await?;
        match self.environment.get() {
            Some(environment) => self.check_environment(connection, environment).await,
            None => Ok(()),
        }
    }

    async fn check_environment(
        &self,
        connection: &mut PgConnection,
        environment: &EnvironmentId,
    ) -> Result<(), Unfit> {
        let query = sqlx::query_scalar::<_, String>(self.statements.read_mark());
        let found = query.fetch_optional(connection).await?;
        match found {
            Some(found) if found == environment.as_str() => Ok(()),
            Some(found) => Err(Unfit::Refused(Error::Environment {
                what: format!("the {PEER} tables"),
                found,
                expected: environment.to_string(),
            })),
            None => Err(Unfit::Refused(Error::Config(format!(
                "the {PEER} tables are marked with no environment; open them once with the right \
                 to migrate"
            )))),
        }
    }
}

/// Nothing is looked for but in the pinned schema (temporary tables last, so that none can stand
/// in front of ours). A commit waits for at least this server's disk and a synchronous standby's;
/// `remote_apply` waits for more and stays. A lost race must be a lost race, not an outage,
/// whatever the default isolation.
const SETTINGS: &str = "SELECT
    set_config('search_path', quote_ident($1) || ', pg_temp', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
    set_config('default_transaction_isolation', 'read committed', false)";

/// A server that may forget what it acknowledged is no place for a key share.
async fn check_durable(connection: &mut PgConnection) -> Result<(), Unfit> {
    let shown = sqlx::query_as::<_, (String, String, String, bool)>(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'),
                current_setting('synchronous_commit'), pg_is_in_recovery()",
    );
    let (fsync, pages, commit, standby) = shown.fetch_one(connection).await?;
    if standby {
        // What it shows may be older than what was acknowledged (custody rule 11).
        let error = Error::temporary(format!("{PEER}: it is a standby"));
        return Err(Unfit::Refused(error));
    }
    for (setting, value) in [("fsync", &fsync), ("full_page_writes", &pages)] {
        if value != "on" {
            return Err(Unfit::Refused(Error::NotDurable(format!(
                "{PEER} runs with {setting} = {value}"
            ))));
        }
    }
    if commit != "on" && commit != "remote_apply" {
        return Err(Unfit::Refused(Error::NotDurable(format!(
            "{PEER} does not let this session set synchronous_commit"
        ))));
    }
    Ok(())
}

/// The library would also speak TLS 1.2.
async fn check_tls(connection: &mut PgConnection) -> Result<(), Unfit> {
    let version = sqlx::query_scalar::<_, Option<String>>(
        "SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()",
    );
    let version = version.fetch_optional(connection).await?.flatten();
    if version.as_deref() == Some("TLSv1.3") {
        return Ok(());
    }
    let version = version.unwrap_or_else(|| "no TLS".to_owned());
    Err(Unfit::Refused(Error::Insecure(format!(
        "{PEER} speaks {version}; TLS 1.3 is required"
    ))))
}

/// The same refusal for one more caller.
pub(super) fn again(refusal: &Error) -> Error {
    match refusal {
        Error::Insecure(why) => Error::Insecure(why.clone()),
        Error::NotDurable(why) => Error::NotDurable(why.clone()),
        Error::Denied(why) => Error::Denied(why.clone()),
        Error::Config(why) => Error::Config(why.clone()),
        Error::Environment {
            what,
            found,
            expected,
        } => Error::Environment {
            what: what.clone(),
            found: found.clone(),
            expected: expected.clone(),
        },
        Error::Backend { message, temporary } => Error::Backend {
            message: message.clone(),
            temporary: *temporary,
        },
        other => Error::permanent(other.to_string()),
    }
}
