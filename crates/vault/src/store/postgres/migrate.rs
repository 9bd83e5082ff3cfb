//! Making the tables, one migration per version.

use halfkey_core::EnvironmentId;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use super::Database;
use crate::Error;

/// Oldest first; `{p}` is the tables' prefix.
const MIGRATIONS: [&str; 1] = [include_str!(
    "../../../migrations/postgres/0001_records_and_properties.sql"
)];

/// Two processes that start at once must not both make the tables.
const LOCK: i64 = 0x4841_4C46_4B45_5901;

/// Makes what is absent, and marks new tables with the environment.
pub(super) async fn run(database: &Database, environment: &EnvironmentId) -> Result<(), Error> {
    let work = async {
        let mut tx = database.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *tx)
            .await?;
        // Only what is absent: changing a table that is in use would wait for its readers, and
        // hold up every later one.
        let made = sqlx::query_scalar::<_, bool>(
            "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL",
        )
        .bind(database.statements.with_prefix("{p}records"))
        .bind(database.statements.with_prefix("{p}properties"))
        .fetch_one(&mut *tx)
        .await?;
        if !made {
            for migration in MIGRATIONS {
                make(&mut tx, &database.statements.with_prefix(migration)).await?;
            }
        }
        sqlx::query(database.statements.write_mark())
            .bind(environment.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    };
    database.within(work).await
}

async fn make(connection: &mut PgConnection, script: &str) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(script.to_owned())).await?;
    Ok(())
}
