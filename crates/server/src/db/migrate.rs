use halfkey_core::UnixMillis;
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqlitePool};

use crate::Error;

/// Numbered, one file each, never changed once released.
const MIGRATIONS: [(i64, &str); 9] = [
    (1, include_str!("../../migrations/0001_initial.sql")),
    (2, include_str!("../../migrations/0002_changes.sql")),
    (3, include_str!("../../migrations/0003_backups.sql")),
    (4, include_str!("../../migrations/0004_exports.sql")),
    (5, include_str!("../../migrations/0005_recipients.sql")),
    (6, include_str!("../../migrations/0006_freezes.sql")),
    (7, include_str!("../../migrations/0007_delegations.sql")),
    (8, include_str!("../../migrations/0008_webhooks.sql")),
    (10, include_str!("../../migrations/0010_horizons.sql")),
];

/// Applies what is missing; refuses a database with migrations this version does not know.
pub(super) async fn run(pool: &SqlitePool, now: UnixMillis) -> Result<(), Error> {
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
        ) STRICT",
    )
    .execute(pool)
    .await?;
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let applied = sqlx::query("SELECT version, sha256 FROM schema_migrations ORDER BY version")
        .fetch_all(&mut *tx)
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
        sqlx::raw_sql(sql).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO schema_migrations (version, sha256, applied_at) VALUES (?, ?, ?)")
            .bind(version)
            .bind(fingerprint(sql))
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

fn fingerprint(sql: &str) -> String {
    hex::encode(Sha256::digest(sql))
}
