//! The walk that moves records to the newest KEK version.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use halfkey_core::Clock;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::RecordContexts;
use crate::envelope;
use crate::rewrap::rewrap_record;
use crate::store::MAX_PAGE;
use crate::vault::AuditPolicy;
use crate::{
    Access, AuditEvent, AuditOutcome, AuditSink, BindCtx, Error, Expect, GetRecord, ListRecords,
    PutRecord, RecordName, Rev, RewrapKey, SealedRecord, UnwrapKey, Versioned,
};

/// How often one record is read anew because somebody else wrote it meanwhile.
const CONFLICT_TRIES: u32 = 5;

/// The rights of a rewrap. None of them opens a record, unless `verify` is given.
#[derive(Clone)]
pub struct RewrapParts {
    /// Walks the names.
    pub list: Arc<dyn ListRecords>,
    /// Reads records.
    pub get: Arc<dyn GetRecord>,
    /// Writes them back, by compare and set.
    pub put: Arc<dyn PutRecord>,
    /// Moves a wrapped key.
    pub rewrap: Arc<dyn RewrapKey>,
    /// Where given, each moved key is unwrapped again and held against the record's commitment
    /// before it replaces the old one, so that a provider that answers with garbage loses nothing.
    pub verify: Option<Arc<dyn UnwrapKey>>,
    /// Knows what records are bound to.
    pub contexts: Arc<dyn RecordContexts>,
    /// Takes an event before each record is replaced.
    pub audit: Arc<dyn AuditSink>,
    /// Stamps the events.
    pub clock: Arc<dyn Clock>,
}

impl core::fmt::Debug for RewrapParts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RewrapParts")
    }
}

/// How the walk goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewrapOptions {
    /// Names that start with this.
    pub prefix: String,
    /// The version every key of this KEK is to be under.
    pub newest: String,
    /// How many records are worked on at once; at least 1.
    pub parallel: usize,
    /// How many records are moved per second at most.
    pub per_second: Option<u32>,
}

/// Where the walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Names seen.
    pub seen: u64,
    /// Records moved.
    pub moved: u64,
}

/// What the walk did; the numbers add up to the names seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RewrapReport {
    /// Names seen.
    pub seen: u64,
    /// Moved to the newest version now.
    pub moved: u64,
    /// There already.
    pub already: u64,
    /// Rows, tombstones, and what was gone when it was read.
    pub plain: u64,
    /// Sealed records that carry no wrapped key of this KEK.
    pub foreign: u64,
    /// Sealed records whose context nobody knows.
    pub unknown: Vec<RecordName>,
    /// Records that were not moved and why; they are as they were.
    pub failed: Vec<(RecordName, String)>,
    /// Whether the walk came to its end.
    pub is_complete: bool,
}

impl RewrapReport {
    /// Whether nothing is left under an older version, as far as this walk can tell.
    pub const fn is_clean(&self) -> bool {
        self.is_complete && self.failed.is_empty() && self.unknown.is_empty()
    }

    fn count(&mut self, name: RecordName, outcome: Result<Outcome, Error>) {
        let counter = match outcome {
            Ok(Outcome::Moved) => &mut self.moved,
            Ok(Outcome::Already) => &mut self.already,
            Ok(Outcome::Plain) => &mut self.plain,
            Ok(Outcome::Foreign) => &mut self.foreign,
            Ok(Outcome::Unknown) => return self.unknown.push(name),
            Err(error) => return self.failed.push((name, error.to_string())),
        };
        *counter = counter.saturating_add(1);
    }
}

enum Outcome {
    Moved,
    Already,
    Plain,
    Foreign,
    Unknown,
}

/// Moves records to the newest KEK version.
pub struct Rewrapper {
    parts: RewrapParts,
    access: Access,
    audit_policy: AuditPolicy,
}

impl core::fmt::Debug for Rewrapper {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rewrapper")
            .field("kek_uri", &self.parts.rewrap.kek_uri())
            .finish_non_exhaustive()
    }
}

impl Rewrapper {
    /// With these rights, on behalf of `access`.
    pub const fn new(parts: RewrapParts, access: Access) -> Self {
        Self {
            parts,
            access,
            audit_policy: AuditPolicy::STRICT,
        }
    }

    /// The same, with another word on what happens while the audit sink takes no event.
    #[must_use]
    pub const fn with_audit_policy(mut self, policy: AuditPolicy) -> Self {
        self.audit_policy = policy;
        self
    }

    /// Walks the store once. Records in flight are finished when `stop` becomes true; the report
    /// then is not complete. Calls `progress` after each record.
    ///
    /// # Errors
    /// Those that stop the whole walk: the store cannot be listed, or the audit sink takes no
    /// event. A record that fails is in the report.
    pub async fn run(
        self: &Arc<Self>,
        options: &RewrapOptions,
        stop: &AtomicBool,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<RewrapReport, Error> {
        let mut walk = Walk {
            report: RewrapReport::default(),
            tasks: JoinSet::new(),
            pace: options.per_second.map(pace),
            progress,
        };
        let newest: Arc<str> = options.newest.as_str().into();
        let parallel = options.parallel.max(1);
        let mut after = None;
        loop {
            let list = &self.parts.list;
            let page = list.list(&options.prefix, after.as_ref(), MAX_PAGE).await?;
            for name in page.names {
                if stop.load(Ordering::Acquire) {
                    return walk.finish(false).await;
                }
                while walk.tasks.len() >= parallel {
                    walk.take_one().await?;
                }
                walk.wait_for_pace().await;
                let (this, newest) = (Arc::clone(self), Arc::clone(&newest));
                walk.tasks.spawn(async move {
                    let outcome = this.move_one(&name, &newest).await;
                    (name, outcome)
                });
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return walk.finish(true).await,
            }
        }
    }

    async fn move_one(&self, name: &RecordName, newest: &str) -> Result<Outcome, Error> {
        for _ in 0..CONFLICT_TRIES {
            match self.try_one(name, newest).await {
                // Somebody wrote it meanwhile: what stands there now is looked at anew.
                Err(Error::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(Error::Conflict(name.to_string()))
    }

    async fn try_one(&self, name: &RecordName, newest: &str) -> Result<Outcome, Error> {
        let Some(found) = self.parts.get.get(name).await? else {
            return Ok(Outcome::Plain);
        };
        if !SealedRecord::is_marked(&found.value) {
            return Ok(Outcome::Plain);
        }
        let record = SealedRecord::from_bytes(&found.value)
            .map_err(|why| Error::corrupt(name.as_str(), why))?;
        let uri = self.parts.rewrap.kek_uri();
        if let Some(outcome) = nothing_to_do(&record, uri, newest) {
            return Ok(outcome);
        }
        let Some(ctx) = self.parts.contexts.context(name).await? else {
            return Ok(Outcome::Unknown);
        };
        self.replace(name, &ctx, &record, &found).await?;
        Ok(Outcome::Moved)
    }

    async fn replace(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        record: &SealedRecord,
        found: &Versioned<Vec<u8>>,
    ) -> Result<(), Error> {
        let moved = match rewrap_record(record, ctx, &*self.parts.rewrap).await {
            Ok(moved) => moved,
            Err(error) => {
                let refused = AuditOutcome::Refused;
                self.audit(name, ctx, refused, error.to_string()).await?;
                return Err(error);
            }
        };
        if let Err(error) = self.verify(name, ctx, &moved).await {
            let refused = AuditOutcome::Refused;
            self.audit(name, ctx, refused, error.to_string()).await?;
            return Err(error);
        }
        self.audit(name, ctx, AuditOutcome::Granted, String::new())
            .await?;
        self.write_and_read_back(name, &moved, found.rev).await
    }

    /// A store that says it wrote what it did not would lose the record's last key once the old
    /// version is disabled.
    async fn write_and_read_back(
        &self,
        name: &RecordName,
        moved: &SealedRecord,
        before: Rev,
    ) -> Result<(), Error> {
        let (put, get) = (&self.parts.put, &self.parts.get);
        let rev = put.put(name, moved.as_bytes(), Expect::Rev(before)).await?;
        match get.get(name).await? {
            // Another writer followed: what stands there now is looked at anew.
            Some(found) if found.rev != rev => Err(Error::Conflict(name.to_string())),
            Some(found) if found.value == moved.as_bytes() => Ok(()),
            _ => Err(Error::ReadBack(name.to_string())),
        }
    }

    /// Each moved key is the one the record commits to.
    async fn verify(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        moved: &SealedRecord,
    ) -> Result<(), Error> {
        let Some(unwrap) = &self.parts.verify else {
            return Ok(());
        };
        let uri = self.parts.rewrap.kek_uri();
        let parts = moved.parts();
        for wrapped in &parts.wraps {
            if wrapped.kek_uri != uri {
                continue;
            }
            let dek = unwrap.unwrap(ctx, wrapped).await?;
            if !envelope::is_committed(&dek, &parts.header)? {
                return Err(Error::corrupt(
                    name.as_str(),
                    "the provider moved its key to another key; the record is left as it was",
                ));
            }
        }
        Ok(())
    }

    async fn audit(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        outcome: AuditOutcome,
        detail: String,
    ) -> Result<(), Error> {
        let event = AuditEvent {
            at: self.parts.clock.now(),
            actor: self.access.actor.clone(),
            action: "rewrap".to_owned(),
            purpose: self.access.purpose.as_str().to_owned(),
            environment: ctx.environment.to_string(),
            wallet: ctx.wallet.to_string(),
            record: name.to_string(),
            request_id: self.access.request_id.to_string(),
            outcome,
            detail,
        };
        self.audit_policy.append(&*self.parts.audit, event).await
    }
}

/// Whether the record carries no key of this KEK, or all of them are at the newest version.
fn nothing_to_do(record: &SealedRecord, uri: &str, newest: &str) -> Option<Outcome> {
    let wraps = record.wraps();
    let mut ours = wraps.iter().filter(|one| one.kek_uri == uri).peekable();
    if ours.peek().is_none() {
        return Some(Outcome::Foreign);
    }
    ours.all(|one| one.kek_version == newest)
        .then_some(Outcome::Already)
}

struct Walk<'a> {
    report: RewrapReport,
    tasks: JoinSet<(RecordName, Result<Outcome, Error>)>,
    pace: Option<Interval>,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Walk<'_> {
    async fn wait_for_pace(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
    }

    /// Waits for one record and counts it.
    async fn take_one(&mut self) -> Result<(), Error> {
        let Some(done) = self.tasks.join_next().await else {
            return Ok(());
        };
        let (name, outcome) = done.map_err(|_| Error::permanent("a rewrap stopped midway"))?;
        if let Err(error @ Error::AuditUnavailable(_)) = outcome {
            return Err(error);
        }
        self.report.seen = self.report.seen.saturating_add(1);
        self.report.count(name, outcome);
        (self.progress)(Progress {
            seen: self.report.seen,
            moved: self.report.moved,
        });
        Ok(())
    }

    async fn finish(mut self, is_complete: bool) -> Result<RewrapReport, Error> {
        while !self.tasks.is_empty() {
            self.take_one().await?;
        }
        self.report.is_complete = is_complete;
        self.report.unknown.sort_unstable();
        self.report.failed.sort_unstable();
        Ok(self.report)
    }
}

fn pace(per_second: u32) -> Interval {
    let every = Duration::from_secs(1).checked_div(per_second.max(1));
    let mut pace = interval(every.unwrap_or(Duration::from_secs(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}
