use halfkey_core::UnixMillis;
use sha2::{Digest as _, Sha256};

use super::sql::{self, SqliteConnection};
use crate::Error;
use crate::blocking::blocking;

/// Numbered, one file each, never changed once released.
const MIGRATIONS: [(i64, &str); 10] = [
    (1, include_str!("../../migrations/0001_initial.sql")),
    (2, include_str!("../../migrations/0002_changes.sql")),
    (3, include_str!("../../migrations/0003_backups.sql")),
    (4, include_str!("../../migrations/0004_exports.sql")),
    (5, include_str!("../../migrations/0005_recipients.sql")),
    (6, include_str!("../../migrations/0006_freezes.sql")),
    (7, include_str!("../../migrations/0007_delegations.sql")),
    (8, include_str!("../../migrations/0008_webhooks.sql")),
    (9, include_str!("../../migrations/0009_escrow.sql")),
    (10, include_str!("../../migrations/0010_horizons.sql")),
];

/// Applies what is missing; refuses a database with migrations this version does not know.
pub(super) async fn run(conn: &mut SqliteConnection, now: UnixMillis) -> Result<(), Error> {
    sql::query(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
        ) STRICT",
    )
    .execute(conn)
    .await?;
    blocking(|| conn.control("BEGIN IMMEDIATE"))?;
    let done = apply(conn, now).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    blocking(|| conn.control(end))?;
    done
}

async fn apply(conn: &mut SqliteConnection, now: UnixMillis) -> Result<(), Error> {
    let applied = sql::query("SELECT version, sha256 FROM schema_migrations ORDER BY version")
        .fetch_all(conn)
        .await?;
    for row in &applied {
        let version: i64 = row.try_get("version")?;
        let hash: String = row.try_get("sha256")?;
        let Some((_, sql)) = MIGRATIONS.iter().find(|(number, _)| *number == version) else {
            return Err(Error::Schema(format!(
                "migration {version} is of a newer version"
            )));
        };
        if hash != fingerprint(sql) {
            return Err(Error::Schema(format!(
                "migration {version} is not the one applied"
            )));
        }
    }
    for (version, sql) in MIGRATIONS.into_iter().skip(applied.len()) {
        conn.batch(sql)?;
        sql::query("INSERT INTO schema_migrations (version, sha256, applied_at) VALUES (?, ?, ?)")
            .bind(version)
            .bind(fingerprint(sql))
            .bind(now.0)
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn fingerprint(sql: &str) -> String {
    hex::encode(Sha256::digest(sql))
}
