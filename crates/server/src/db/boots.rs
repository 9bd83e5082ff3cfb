//! Boots of processes, and the counters that reveal a restored database.

use super::sql::{self, SqliteConnection};
use halfkey_core::UnixMillis;

use super::BootKind;
use super::columns::{bytes, signed, unsigned};

/// The counters of this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) boot_counter: u64,
    pub(crate) restore_epoch: u64,
}

pub(crate) async fn meta(conn: &mut SqliteConnection) -> Result<Meta, sql::Error> {
    let row = sql::query("SELECT boot_counter, restore_epoch FROM meta WHERE id = 1")
        .fetch_one(conn)
        .await?;
    Ok(Meta {
        boot_counter: unsigned(&row, "boot_counter")?,
        restore_epoch: unsigned(&row, "restore_epoch")?,
    })
}

pub(crate) async fn set_meta(conn: &mut SqliteConnection, meta: Meta) -> Result<(), sql::Error> {
    sql::query("UPDATE meta SET boot_counter = ?, restore_epoch = ? WHERE id = 1")
        .bind(signed(meta.boot_counter)?)
        .bind(signed(meta.restore_epoch)?)
        .execute(conn)
        .await
        .map(drop)
}

/// Registers this process.
pub(super) async fn insert(
    conn: &mut SqliteConnection,
    boot: &[u8; 16],
    kind: BootKind,
    now: UnixMillis,
) -> Result<(), sql::Error> {
    sql::query("INSERT INTO boots (boot_id, kind, started_at) VALUES (?, ?, ?)")
        .bind(boot.as_slice())
        .bind(match kind {
            BootKind::Serve => "serve",
            BootKind::Admin => "admin",
        })
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// The end of a chain: its id, its last entry's number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainEnd {
    pub(crate) chain: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) head: [u8; 32],
}

/// The ends of every chain that no other chain names yet.
pub(crate) async fn unnamed_ends(conn: &mut SqliteConnection) -> Result<Vec<ChainEnd>, sql::Error> {
    sql::query(
        "SELECT a.chain, a.sequence, a.head FROM boots b
         JOIN activities a ON a.chain = b.boot_id
             AND a.sequence = (SELECT MAX(sequence) FROM activities WHERE chain = b.boot_id)
         WHERE b.named_sequence IS NULL OR b.named_sequence < a.sequence
         ORDER BY b.rowid",
    )
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        Ok(ChainEnd {
            chain: bytes(row, "chain")?,
            sequence: unsigned(row, "sequence")?,
            head: bytes(row, "head")?,
        })
    })
    .collect()
}

/// Notes that a later chain names this end.
pub(super) async fn mark_named(
    conn: &mut SqliteConnection,
    end: &ChainEnd,
) -> Result<(), sql::Error> {
    sql::query("UPDATE boots SET named_sequence = ? WHERE boot_id = ?")
        .bind(signed(end.sequence)?)
        .bind(end.chain.as_slice())
        .execute(conn)
        .await
        .map(drop)
}
