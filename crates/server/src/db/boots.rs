//! Boots of processes, and the counters that reveal a restored database.

use sqlx::SqliteConnection;

use super::columns::{bytes, signed, unsigned};
use super::{BootKind, Tx};

/// The counters of this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) boot_counter: u64,
    pub(crate) restore_epoch: u64,
}

pub(crate) async fn meta(conn: &mut SqliteConnection) -> Result<Meta, sqlx::Error> {
    let row = sqlx::query("SELECT boot_counter, restore_epoch FROM meta WHERE id = 1")
        .fetch_one(conn)
        .await?;
    Ok(Meta {
        boot_counter: unsigned(&row, "boot_counter")?,
        restore_epoch: unsigned(&row, "restore_epoch")?,
    })
}

pub(crate) async fn set_meta(conn: &mut SqliteConnection, meta: Meta) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE meta SET boot_counter = ?, restore_epoch = ? WHERE id = 1")
        .bind(signed(meta.boot_counter)?)
        .bind(signed(meta.restore_epoch)?)
        .execute(conn)
        .await
        .map(drop)
}

/// Registers this process. Its first activity entry follows in the same transaction.
pub(crate) async fn insert(
    tx: &mut Tx,
    boot: &[u8; 16],
    kind: BootKind,
) -> Result<(), sqlx::Error> {
    let now = tx.now();
    sqlx::query("INSERT INTO boots (boot_id, kind, started_at) VALUES (?, ?, ?)")
        .bind(boot.as_slice())
        .bind(match kind {
            BootKind::Serve => "serve",
            BootKind::Admin => "admin",
        })
        .bind(now.0)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// The last entry of the chain of the newest boot that has one: chain, number, hash.
pub(crate) async fn newest_chain_head(
    conn: &mut SqliteConnection,
) -> Result<Option<([u8; 16], u64, [u8; 32])>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT a.chain, a.sequence, a.head FROM activities a
         WHERE a.chain = (SELECT b.boot_id FROM boots b ORDER BY b.rowid DESC LIMIT 1)
         ORDER BY a.sequence DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok((
            bytes(&row, "chain")?,
            unsigned(&row, "sequence")?,
            bytes(&row, "head")?,
        ))
    })
    .transpose()
}
