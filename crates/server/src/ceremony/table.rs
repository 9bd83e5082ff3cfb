//! The table of live ceremonies: bounded per environment, each with a deadline.
//!
//! A ceremony is reached by an opaque single-use reference, which the provider draws for each step
//! (custody rule 17), or, for a repeat of its opening request, by the ceremony id.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halfkey_core::wire::CeremonyReply;
use halfkey_core::{AttemptId, CeremonyId, EnvironmentId, UnixMillis, WalletId};
use tokio::sync::{Notify, OwnedMutexGuard};

use super::running::Running;
use crate::config::Limits;
use crate::ids::{TokenId, random_id};

/// A reference to one step of one ceremony: 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StepRef(pub(crate) [u8; 16]);

impl StepRef {
    pub(crate) fn generate() -> Self {
        Self(random_id())
    }
}

/// Whose a ceremony is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) environment: EnvironmentId,
    pub(crate) token: TokenId,
}

/// What a ceremony counts as: those of wallets in the making never take the place of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Keygen, or a proof.
    Create,
    /// A signature.
    Sign,
}

/// What a ceremony is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) owner: Owner,
    pub(crate) wallet: WalletId,
    pub(crate) attempt: AttemptId,
    pub(crate) ceremony: CeremonyId,
    pub(crate) class: Class,
}

/// A step that was answered, kept for a byte-identical repeat (custody rule 18).
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) step: StepRef,
    pub(crate) reply: CeremonyReply,
}

/// Where a ceremony stands. Locked while a step runs.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What waits, and for which step.
    pub(crate) waiting: Option<(StepRef, Running)>,
    /// The last step answered.
    pub(crate) last: Option<Answered>,
    /// Every step answered, and the digest of what was sent.
    pub(crate) consumed: Vec<(StepRef, [u8; 32])>,
}

/// One ceremony.
#[derive(Debug)]
pub(crate) struct Cell {
    id: u64,
    pub(crate) about: About,
    pub(crate) deadline: UnixMillis,
    killed: AtomicBool,
    pub(crate) state: Arc<tokio::sync::Mutex<State>>,
}

impl Cell {
    /// The wallet was locked or the attempt aborted: nothing of this ceremony may be answered.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
struct Row {
    cell: Arc<Cell>,
    steps: Vec<StepRef>,
    live: bool,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    rows: HashMap<u64, Row>,
    by_step: HashMap<StepRef, u64>,
    by_opening: HashMap<(Owner, CeremonyId), (u64, StepRef)>,
    live: HashMap<(EnvironmentId, Class), usize>,
    finished: VecDeque<u64>,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Table {
    create_limit: usize,
    sign_limit: usize,
    inner: Mutex<Inner>,
    /// Told whenever the last live ceremony has ended.
    emptied: Notify,
}

/// What became of an opening request.
pub(crate) enum Opening {
    /// A new ceremony: run its first step, then settle it.
    New(Arc<Cell>, StepRef, OwnedMutexGuard<State>),
    /// That ceremony id is in use by the same owner.
    Known(Arc<Cell>, StepRef),
    /// As many as allowed are live.
    Full,
}

/// How many finished ceremonies keep their last reply.
const KEPT: usize = 512;

impl Table {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            create_limit: limits.create_ceremonies,
            sign_limit: limits.sign_ceremonies,
            inner: Mutex::default(),
            emptied: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a new ceremony, already locked by the caller.
    pub(crate) fn open(&self, about: About, deadline: UnixMillis) -> Opening {
        let mut inner = self.inner();
        let opening = (about.owner.clone(), about.ceremony);
        if let Some((id, step)) = inner.by_opening.get(&opening).copied()
            && let Some(row) = inner.rows.get(&id)
        {
            return Opening::Known(Arc::clone(&row.cell), step);
        }
        let limit = match about.class {
            Class::Create => self.create_limit,
            Class::Sign => self.sign_limit,
        };
        let counted = (about.owner.environment.clone(), about.class);
        let live = inner.live.entry(counted).or_default();
        if *live >= limit {
            return Opening::Full;
        }
        *live = live.saturating_add(1);
        let id = inner.next_id;
        inner.next_id = id.wrapping_add(1);
        let state = Arc::new(tokio::sync::Mutex::new(State::default()));
        let Ok(guard) = Arc::clone(&state).try_lock_owned() else {
            return Opening::Full;
        };
        let killed = AtomicBool::new(false);
        let cell = Arc::new(Cell {
            id,
            about,
            deadline,
            killed,
            state,
        });
        let step = StepRef::generate();
        inner.by_opening.insert(opening, (id, step));
        let row = Row {
            cell: Arc::clone(&cell),
            steps: Vec::new(),
            live: true,
        };
        inner.rows.insert(id, row);
        Opening::New(cell, step, guard)
    }

    /// Makes `step` lead to `cell`.
    pub(crate) fn add_step(&self, cell: &Cell, step: StepRef) {
        let mut inner = self.inner();
        if let Some(row) = inner.rows.get_mut(&cell.id) {
            row.steps.push(step);
            inner.by_step.insert(step, cell.id);
        }
    }

    /// The ceremony behind a step; `None` when it is gone or somebody else's.
    pub(crate) fn find(&self, step: StepRef, owner: &Owner) -> Option<Arc<Cell>> {
        let inner = self.inner();
        let id = inner.by_step.get(&step)?;
        let cell = &inner.rows.get(id)?.cell;
        (cell.about.owner == *owner).then(|| Arc::clone(cell))
    }

    /// A ceremony has nothing more to receive; its last reply is kept for a while.
    pub(crate) fn finished(&self, cell: &Cell) {
        let mut inner = self.inner();
        inner.end_life(cell.id);
        inner.finished.push_back(cell.id);
        while inner.finished.len() > KEPT {
            if let Some(oldest) = inner.finished.pop_front() {
                inner.remove(oldest);
            }
        }
        self.tell_if_empty(&inner);
    }

    fn tell_if_empty(&self, inner: &Inner) {
        if inner.live() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Until no ceremony is live.
    pub(crate) async fn until_empty(&self) {
        loop {
            // Asked for before the count is read, so that no end goes unheard.
            let emptied = self.emptied.notified();
            if self.live() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Forgets a ceremony.
    pub(crate) fn remove(&self, cell: &Cell) {
        let mut inner = self.inner();
        inner.remove(cell.id);
        self.tell_if_empty(&inner);
    }

    /// Forgets every ceremony past its deadline and returns them.
    pub(crate) fn take_expired(&self, now: UnixMillis) -> Vec<Arc<Cell>> {
        self.take(|cell| cell.deadline <= now)
    }

    /// Kills and forgets every ceremony.
    pub(crate) fn take_all(&self) -> Vec<Arc<Cell>> {
        self.take(|_| true)
    }

    /// Kills and forgets the ceremonies of a wallet, except `but`.
    pub(crate) fn kill_wallet(
        &self,
        environment: &EnvironmentId,
        wallet: WalletId,
        but: Option<&Cell>,
    ) -> Vec<Arc<Cell>> {
        self.take(|cell| {
            cell.about.wallet == wallet
                && cell.about.owner.environment == *environment
                && but.is_none_or(|but| but.id != cell.id)
        })
    }

    /// Kills and forgets every ceremony of an environment.
    pub(crate) fn kill_environment(&self, environment: &EnvironmentId) -> Vec<Arc<Cell>> {
        self.take(|cell| cell.about.owner.environment == *environment)
    }

    /// Kills and forgets the ceremonies that were opened with a credential.
    pub(crate) fn kill_owner(&self, environment: &EnvironmentId, token: TokenId) -> Vec<Arc<Cell>> {
        self.take(|cell| {
            cell.about.owner.token == token && cell.about.owner.environment == *environment
        })
    }

    /// Kills and forgets the ceremonies of an attempt.
    pub(crate) fn kill_attempt(
        &self,
        environment: &EnvironmentId,
        attempt: AttemptId,
    ) -> Vec<Arc<Cell>> {
        self.take(|cell| {
            cell.about.attempt == attempt && cell.about.owner.environment == *environment
        })
    }

    fn take(&self, which: impl Fn(&Cell) -> bool) -> Vec<Arc<Cell>> {
        let mut inner = self.inner();
        let cells: Vec<_> = inner
            .rows
            .values()
            .filter(|row| which(&row.cell))
            .map(|row| Arc::clone(&row.cell))
            .collect();
        for cell in &cells {
            cell.killed.store(true, Ordering::Release);
            inner.remove(cell.id);
        }
        self.tell_if_empty(&inner);
        cells
    }

    /// How many ceremonies are live.
    pub(crate) fn live(&self) -> usize {
        self.inner().live()
    }
}

impl Inner {
    fn live(&self) -> usize {
        self.live.values().sum()
    }

    fn end_life(&mut self, id: u64) {
        let Some(row) = self.rows.get_mut(&id).filter(|row| row.live) else {
            return;
        };
        row.live = false;
        let about = &row.cell.about;
        let counted = (about.owner.environment.clone(), about.class);
        if let Some(count) = self.live.get_mut(&counted) {
            *count = count.saturating_sub(1);
        }
    }

    fn remove(&mut self, id: u64) {
        self.end_life(id);
        let Some(row) = self.rows.remove(&id) else {
            return;
        };
        for step in &row.steps {
            self.by_step.remove(step);
        }
        let about = &row.cell.about;
        self.by_opening
            .remove(&(about.owner.clone(), about.ceremony));
    }
}
