//! Secrets that no row refers to: found, and removed once they are old enough.
//!
//! Between a writer's new secret and its row, that secret looks like an orphan. So one is removed
//! only when at least two sweeps found it to be one, the first of them a grace time ago: far longer
//! than a writer lives, whose every call has a deadline. The secrets are listed before the rows, so
//! that a row set in between is seen; and when a single row cannot be read, nothing is removed.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use halfkey_core::UnixMillis;
use serde::{Deserialize, Serialize};

use super::pointer::{self, Pointer};
use super::{SecretManagerRecords, index_mark};
use crate::store::MAX_PAGE;
use crate::store::secret::SecretId;
use crate::{Error, RecordName};

/// The shortest time between the first sight of an orphan and its removal.
pub const MIN_GRACE: Duration = Duration::from_hours(1);

/// What earlier sweeps saw: by secret id, when first (milliseconds since 1970). Keep it between
/// sweeps, in memory or in a file; without it the grace time begins anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrphanCandidates(BTreeMap<String, i64>);

impl OrphanCandidates {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a sweep found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// Secrets in the manager.
    pub listed: usize,
    /// Of those, how many a row refers to.
    pub referenced: usize,
    /// Orphans that are not old enough yet.
    pub waiting: usize,
    /// Orphans that were removed.
    pub removed: usize,
    /// Orphans that could not be removed; the next sweep tries again.
    pub failed: usize,
}

impl SecretManagerRecords {
    /// Finds the secrets that no row refers to and removes those that an earlier sweep, at least
    /// `grace` before `now`, found to be orphans too. Needs the rights to list and read the index
    /// and to list and remove secrets.
    ///
    /// # Errors
    /// [`Error::Caller`] for a `grace` below [`MIN_GRACE`]; [`Error::Corrupt`] when a pointer is
    /// damaged, and the stores': then nothing was removed.
    pub async fn sweep_orphans(
        &self,
        candidates: &mut OrphanCandidates,
        grace: Duration,
        now: UnixMillis,
    ) -> Result<SweepReport, Error> {
        if grace < MIN_GRACE {
            return Err(Error::Caller(
                "the grace time of a sweep is at least an hour",
            ));
        }
        let listed = self.list_secrets().await?;
        let referenced = self.list_referenced().await?;
        let orphans: Vec<SecretId> = listed.difference(&referenced).copied().collect();
        let mut report = SweepReport {
            listed: listed.len(),
            referenced: listed.len().saturating_sub(orphans.len()),
            ..SweepReport::default()
        };
        let earlier = core::mem::take(&mut candidates.0);
        for id in orphans {
            let text = id.to_string();
            // Seen for the first time, it is new. A clock that went back makes nothing older.
            let first = earlier
                .get(&text)
                .map_or(now.0, |first| (*first).min(now.0));
            if !is_over(first, grace, now) {
                report.waiting = report.waiting.saturating_add(1);
                candidates.0.insert(text, first);
                continue;
            }
            match self.secrets.remove(id).await {
                Ok(()) => report.removed = report.removed.saturating_add(1),
                Err(error) => {
                    tracing::warn!(secret = %id, %error, "an orphan could not be removed");
                    report.failed = report.failed.saturating_add(1);
                    candidates.0.insert(text, first);
                }
            }
        }
        Ok(report)
    }

    async fn list_secrets(&self) -> Result<BTreeSet<SecretId>, Error> {
        let mut found = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.secrets.list(after.as_deref()).await?;
            found.extend(page.ids);
            if page.next.is_none() {
                break;
            }
            if page.next == after {
                return Err(Error::temporary("the listing of secrets does not go on"));
            }
            after = page.next;
        }
        found.remove(&index_mark::SECRET);
        Ok(found)
    }

    async fn list_referenced(&self) -> Result<BTreeSet<SecretId>, Error> {
        let mut found = BTreeSet::new();
        let mut after: Option<RecordName> = None;
        loop {
            let page = self.index.list("", after.as_ref(), MAX_PAGE).await?;
            for name in &page.names {
                let Some(row) = self.index.get(name).await? else {
                    continue;
                };
                if pointer::is_pointer(&row.value) {
                    let (pointer, _) = Pointer::parse(&row.value)
                        .map_err(|why| Error::corrupt(name.as_str(), why))?;
                    found.insert(pointer.secret);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}

fn is_over(first: i64, grace: Duration, now: UnixMillis) -> bool {
    let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    now.0.saturating_sub(first) >= grace
}
