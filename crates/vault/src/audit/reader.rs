//! Reading an audit log that may be a copy, in pages.

use std::path::Path;

use halfkey_core::UnixMillis;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use super::chain::{self, Standing};
use super::sqlite::{chains, entries_from, joins};
use super::{AuditEvent, AuditPosition};
use crate::Error;
use crate::store::sqlite::from_sqlx;

/// Rows read at a time.
pub(super) const PAGE: u32 = 1000;

/// One entry, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: AuditPosition,
    /// Which node wrote it.
    pub node: String,
    /// What it says.
    pub event: AuditEvent,
}

/// An audit log, read only.
#[derive(Debug)]
pub struct AuditReader {
    pool: SqlitePool,
}

impl AuditReader {
    /// Opens the SQLite file at `path`.
    ///
    /// # Errors
    /// When it cannot be read as a database.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            pool: open(path).await?,
        })
    }

    /// Closes the file.
    pub async fn close(self) {
        self.pool.close().await;
    }

    pub(super) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Calls `each` for every entry at or after `since`, chain by chain in the order they began,
    /// until it fails. Entries whose outcome cannot be read are left to the verifier.
    ///
    /// # Errors
    /// The file's, and those of `each`.
    pub async fn for_each(
        &self,
        since: Option<UnixMillis>,
        mut each: impl FnMut(&Entry) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let mut number = i64::MIN;
        loop {
            let page = chains(&self.pool, number, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            number = last.number;
            for row in page {
                self.chain(&row.start.chain, &row.start.node, since, &mut each)
                    .await?;
            }
        }
    }

    async fn chain(
        &self,
        chain: &[u8; 16],
        node: &str,
        since: Option<UnixMillis>,
        each: &mut (impl FnMut(&Entry) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let mut next = 0;
        loop {
            let page = entries_from(&self.pool, chain, next, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            next = last.sequence.saturating_add(1);
            for row in page {
                let Some(event) = row.event else { continue };
                if since.is_some_and(|since| event.at < since) {
                    continue;
                }
                each(&Entry {
                    position: AuditPosition {
                        chain: *chain,
                        sequence: row.sequence,
                        head: row.head,
                    },
                    node: node.to_owned(),
                    event,
                })?;
            }
        }
    }

    /// Where every chain stands, ascending by id: what a checkpoint signs.
    pub(super) async fn standings(&self) -> Result<Vec<Standing>, Error> {
        let mut standings = Vec::new();
        let mut number = i64::MIN;
        loop {
            let page = chains(&self.pool, number, PAGE).await?;
            let Some(last) = page.last() else { break };
            number = last.number;
            for row in page {
                let mut start = row.start;
                start.joins = joins(&self.pool, &start.chain).await?;
                standings.push(self.standing(chain::genesis(&start), start.chain).await?);
            }
        }
        standings.sort_unstable_by_key(|standing| standing.chain);
        Ok(standings)
    }

    async fn standing(&self, genesis: [u8; 32], chain: [u8; 16]) -> Result<Standing, Error> {
        let last: Option<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT sequence, head FROM audit_entries WHERE chain = ?1
             ORDER BY sequence DESC LIMIT 1",
        )
        .bind(chain.as_slice())
        .fetch_optional(&self.pool)
        .await
        .map_err(from_sqlx)?;
        let Some((sequence, head)) = last else {
            return Ok(Standing {
                chain,
                entries: 0,
                head: genesis,
            });
        };
        let damaged = || Error::corrupt("the audit log", "an entry's number or hash is not one");
        let entries = u64::try_from(sequence).map_err(|_| damaged())?;
        Ok(Standing {
            chain,
            entries: entries.saturating_add(1),
            head: head.try_into().map_err(|_| damaged())?,
        })
    }
}

/// Read only; nothing in the file is trusted.
pub(super) async fn open(path: &Path) -> Result<SqlitePool, Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1);
    pool.connect_with(options).await.map_err(from_sqlx)
}
