//! Verifying an audit log offline: any edit or removal in the middle is found; the end of a chain
//! is only proven with an anchor kept elsewhere (custody rule 27).
//!
//! The hashes have no key. Whoever may write the file can make every one anew, from the first entry
//! on; until checkpoints are signed, only an anchor tells such a log from the true one.

use core::fmt;
use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::SqlitePool;

use super::AuditPosition;
use super::chain::{self, ChainStart};
use super::reader::{self, PAGE};
use super::sqlite::{ChainRow, chains, entries_from, head_of, joins};
use crate::Error;
use crate::store::sqlite::from_sqlx;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The chain.
    pub chain: [u8; 16],
    /// The entry, where it is one.
    pub sequence: Option<u64>,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What can be said of the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailProof {
    /// No anchor was given: entries may be missing from the end of any chain since the last one
    /// began, and the whole log may have been written anew.
    Unproven,
    /// The log goes at least as far as the anchor, unchanged.
    ProvenTo {
        /// The anchor's entry.
        sequence: u64,
    },
    /// The anchor does not fit: the log was cut or rewritten.
    Broken,
}

/// What the log is found to be. Without an anchor `is_sound` means that the log fits together, not
/// that it is the one that was written: a complete rewrite is found with an anchor only, until
/// signed checkpoints exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many chains it has.
    pub chains: u64,
    /// How many entries.
    pub entries: u64,
    /// What is wrong; empty when every chain is whole.
    pub problems: Vec<Problem>,
    /// What can be said of its end.
    pub tail: TailProof,
}

impl Report {
    /// Whether nothing is wrong, as far as can be told.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.tail != TailProof::Broken
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_sound() { "sound" } else { "BROKEN" };
        write!(
            f,
            "{verdict}: {} chains, {} entries; ",
            self.chains, self.entries
        )?;
        match self.tail {
            TailProof::Unproven => f.write_str(
                "tail unproven (no anchor: a cut end or a complete rewrite would not be found)",
            )?,
            TailProof::ProvenTo { sequence } => write!(f, "proven to entry {sequence}")?,
            TailProof::Broken => f.write_str("does not reach its anchor")?,
        }
        for problem in &self.problems {
            write!(f, "\n  chain {}", hex::encode(problem.chain))?;
            if let Some(sequence) = problem.sequence {
                write!(f, " entry {sequence}")?;
            }
            write!(f, ": {}", problem.what)?;
        }
        Ok(())
    }
}

/// Verifies the log in the SQLite file at `path`, which may be a copy. `anchor` is a position some
/// reply once gave and that was kept elsewhere.
///
/// # Errors
/// When the file cannot be read as an audit log at all.
pub async fn verify(path: &Path, anchor: Option<&AuditPosition>) -> Result<Report, Error> {
    let pool = reader::open(path).await?;
    let report = Verifier::new(anchor).run(&pool).await;
    pool.close().await;
    report
}

struct Verifier<'a> {
    anchor: Option<&'a AuditPosition>,
    anchor_found: bool,
    report: Report,
    /// What every chain walked so far began from: what later ones may name.
    walked: BTreeMap<[u8; 16], [u8; 32]>,
    /// The chain walked last.
    before: Option<[u8; 16]>,
}

impl<'a> Verifier<'a> {
    const fn new(anchor: Option<&'a AuditPosition>) -> Self {
        let report = Report {
            chains: 0,
            entries: 0,
            problems: Vec::new(),
            tail: TailProof::Unproven,
        };
        Self {
            anchor,
            anchor_found: false,
            report,
            walked: BTreeMap::new(),
            before: None,
        }
    }

    async fn run(mut self, pool: &SqlitePool) -> Result<Report, Error> {
        let mut number = i64::MIN;
        loop {
            let page = chains(pool, number, PAGE).await?;
            let Some(last) = page.last() else { break };
            number = last.number;
            for row in page {
                self.walk(pool, row).await?;
            }
        }
        self.find_orphans(pool).await?;
        self.report.tail = match self.anchor {
            None => TailProof::Unproven,
            Some(anchor) if self.anchor_found => TailProof::ProvenTo {
                sequence: anchor.sequence,
            },
            Some(_) => TailProof::Broken,
        };
        Ok(self.report)
    }

    fn problem(&mut self, chain: [u8; 16], sequence: Option<u64>, what: &'static str) {
        self.report.problems.push(Problem {
            chain,
            sequence,
            what,
        });
    }

    async fn walk(&mut self, pool: &SqlitePool, row: ChainRow) -> Result<(), Error> {
        let mut start = row.start;
        let chain = start.chain;
        self.report.chains = self.report.chains.saturating_add(1);
        start.joins = joins(pool, &chain).await?;
        self.check_joins(pool, &start).await?;
        let genesis = chain::genesis(&start);
        let mut head = genesis;
        let mut next = 0_u64;
        loop {
            let page = entries_from(pool, &chain, next, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                if entry.sequence != next {
                    self.problem(chain, Some(next), "missing");
                }
                let found = entry.event.as_ref();
                let computed = found.map(|event| chain::next(chain, entry.sequence, &head, event));
                if computed.is_none_or(|computed| computed.head != entry.head) {
                    self.problem(
                        chain,
                        Some(entry.sequence),
                        "changed, or cut off from before",
                    );
                }
                // Goes on from what is written, so that one edit is reported once.
                head = entry.head;
                self.check_anchor(chain, entry.sequence, &head);
                self.report.entries = self.report.entries.saturating_add(1);
                next = entry.sequence.saturating_add(1);
            }
        }
        self.walked.insert(chain, genesis);
        self.before = Some(chain);
        Ok(())
    }

    /// A chain must name the chain before it, and everything it names at a hash that was really
    /// there. What it should have named besides stands in its own hash.
    async fn check_joins(&mut self, pool: &SqlitePool, start: &ChainStart) -> Result<(), Error> {
        let names_the_one_before = match self.before {
            None => start.joins.is_empty(),
            Some(before) => start.joins.iter().any(|join| join.chain == before),
        };
        if !names_the_one_before {
            self.problem(start.chain, None, "the chain before it is missing");
        }
        for join in &start.joins {
            let genesis = self.walked.get(&join.chain).copied();
            let found = match (genesis, join.entries.checked_sub(1)) {
                (Some(_), Some(last)) => head_of(pool, &join.chain, last).await?,
                (genesis, _) => genesis,
            };
            if found != Some(join.head) {
                self.problem(
                    start.chain,
                    None,
                    "an earlier chain that it names is missing, cut or changed",
                );
            }
        }
        Ok(())
    }

    fn check_anchor(&mut self, chain: [u8; 16], sequence: u64, head: &[u8; 32]) {
        if let Some(anchor) = self.anchor
            && (anchor.chain, anchor.sequence) == (chain, sequence)
            && anchor.head == *head
        {
            self.anchor_found = true;
        }
    }

    /// Entries whose chain has no row.
    async fn find_orphans(&mut self, pool: &SqlitePool) -> Result<(), Error> {
        let orphans: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT DISTINCT chain FROM audit_entries
             WHERE chain NOT IN (SELECT chain FROM audit_chains) LIMIT 100",
        )
        .fetch_all(pool)
        .await
        .map_err(from_sqlx)?;
        for orphan in orphans {
            let chain = <[u8; 16]>::try_from(orphan.as_slice()).unwrap_or_default();
            self.problem(chain, None, "its beginning is missing");
        }
        Ok(())
    }
}
