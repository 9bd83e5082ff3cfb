//! Making the tables, one migration per version.

use halfkey_core::EnvironmentId;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::Database;
use super::statements::Statements;
use crate::Error;

/// Oldest first; `{p}` is the tables' prefix.
const MIGRATIONS: [&str; 1] = [include_str!(
    "../../../migrations/postgres/0001_records_and_properties.sql"
)];

/// Two processes that start at once must not both make the tables.
const LOCK: i64 = 0x4841_4C46_4B45_5901;

/// Makes what is absent, and marks new tables with the environment.
pub(super) async fn run(database: &Database, environment: &EnvironmentId) -> Result<(), Error> {
    let mut call = database.call().await?;
    let statements = &database.statements;
    let done = call
        .run(|connection| make_all(connection, statements, environment))
        .await;
    call.end(done)
}

async fn make_all(
    connection: &mut PgConnection,
    statements: &Statements,
    environment: &EnvironmentId,
) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
    // Only what is absent: changing a table that is in use would wait for its readers, and hold up
    // every later one.
    let made = sqlx::query_scalar::<_, bool>(
        "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL",
    )
    .bind(statements.with_prefix("{p}records"))
    .bind(statements.with_prefix("{p}properties"))
    .fetch_one(&mut *tx)
    .await?;
    if !made {
        for migration in MIGRATIONS {
            make(&mut tx, &statements.with_prefix(migration)).await?;
        }
    }
    sqlx::query(statements.write_mark())
        .bind(environment.as_str())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

async fn make(connection: &mut PgConnection, script: &str) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(script.to_owned())).await?;
    Ok(())
}
