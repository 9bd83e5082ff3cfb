//! What every request shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::{Signer as _, SigningKey};
use halfkey_core::wire::{AttemptReply, AttemptState};
use halfkey_core::{AttemptId, Clock, EnvironmentId, UnixMillis, WalletId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api_error::ApiError;
use crate::audit_sink::DbSink;
use crate::boot_counter::BootCounter;
use crate::ceremony::pending::Pending;
use crate::ceremony::pool::Pool;
use crate::ceremony::table::Table;
use crate::ceremony::wallet_permits::WalletPermits;
use crate::config::Limits;
use crate::db::Db;
use crate::environment_keys::EnvironmentKeys;
use crate::metrics::Metrics;
use crate::session::Sessions;

tokio::task_local! {
    /// The permit of the request being answered.
    pub(crate) static REQUEST: Arc<OwnedSemaphorePermit>;
}

/// Permits of [`App::tasks`].
pub(crate) const TASKS: u32 = 1 << 20;

/// One environment as this process serves it.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) id: EnvironmentId,
    pub(crate) identity: SigningKey,
    pub(crate) keys: EnvironmentKeys,
    /// Whether bytes are signed here whose meaning cannot be told (custody rule 20).
    pub(crate) allow_blind: bool,
    /// Whether webhooks may be on this machine.
    pub(crate) allow_loopback_webhooks: bool,
}

/// What every request shares.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) environments: HashMap<EnvironmentId, Arc<Environment>>,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) counter: BootCounter,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Table,
    pub(crate) permits: WalletPermits,
    /// Held while webhooks are told what is due.
    pub(crate) telling: tokio::sync::Mutex<()>,
    pub(crate) pending: Arc<Pending>,
    pub(crate) pool: Pool,
    pub(crate) metrics: Metrics,
    /// One permit per request being answered.
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) draining: AtomicBool,
    /// One permit per task that must end before the process does.
    pub(crate) tasks: Arc<Semaphore>,
}

impl App {
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The environment with this id in a path; an unknown one is simply not there.
    pub(crate) fn environment(&self, id: &str) -> Result<Arc<Environment>, ApiError> {
        id.parse::<EnvironmentId>()
            .ok()
            .and_then(|id| self.environments.get(&id).map(Arc::clone))
            .ok_or_else(|| ApiError::not_found("environment"))
    }

    /// An audit sink for an operation without a slot.
    pub(crate) fn plain_sink(&self) -> Arc<DbSink> {
        Arc::new(DbSink::plain(self.db.clone()))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Runs `work` to its end even if the caller hangs up: nothing durable stops half-way, and a
    /// lock is written whether or not the cheater waits for the answer.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let kept = self.kept_to_the_end();
        let task = tokio::spawn(async move {
            let result = work.await;
            drop(kept);
            result
        });
        task.await
            .unwrap_or_else(|error| Err(ApiError::internal(error)))
    }

    /// The same on a thread that is kept until it ends: for a signature, whose every step is a
    /// query, a commit or the engine. Handing each to another thread and back would cost more than
    /// most of them.
    pub(crate) async fn to_the_end_on_a_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let kept = self.kept_to_the_end();
        let runtime = tokio::runtime::Handle::current();
        let task = tokio::task::spawn_blocking(move || {
            let result = runtime.block_on(work);
            drop(kept);
            result
        });
        task.await
            .unwrap_or_else(|error| Err(ApiError::internal(error)))
    }

    /// What the request counts against counts until the work ends, not until the caller leaves.
    fn kept_to_the_end(&self) -> impl Send + 'static {
        (self.task_permit(), REQUEST.try_with(Arc::clone).ok())
    }

    /// Moves the restore anchor on before a reply that must not be forgotten by a restore unseen.
    pub(crate) async fn advance_anchor(&self) {
        if let Err(error) = self.counter.advance(&self.db).await {
            tracing::error!(%error, "the boot counter file cannot be written");
        }
    }

    /// Keeps a shutdown waiting until it is dropped.
    pub(crate) fn task_permit(&self) -> Option<OwnedSemaphorePermit> {
        // There are more permits than requests can run; without one a task still runs.
        Arc::clone(&self.tasks).try_acquire_owned().ok()
    }

    /// How many such tasks run now.
    pub(crate) fn tasks_open(&self) -> usize {
        let all = usize::try_from(TASKS).unwrap_or(usize::MAX);
        all.saturating_sub(self.tasks.available_permits())
    }

    /// Waits until every such task has ended.
    pub(crate) async fn tasks_ended(&self) {
        let all = Arc::clone(&self.tasks).acquire_many_owned(TASKS).await;
        drop(all);
    }

    /// The restore epoch: raised by every accepted restore and every recovery of a wallet.
    pub(crate) fn restore_epoch(&self) -> u64 {
        self.counter.restore_epoch()
    }

    /// Where an attempt stands, signed (custody rules 6 and 17).
    pub(crate) fn attempt_reply(
        &self,
        environment: &Environment,
        attempt_id: AttemptId,
        wallet_id: Option<WalletId>,
        state: AttemptState,
    ) -> AttemptReply {
        let restore_epoch = self.restore_epoch();
        let bytes = AttemptReply::signed_bytes(&environment.id, attempt_id, state, restore_epoch);
        let signature = hex::encode(environment.identity.sign(&bytes).to_bytes());
        AttemptReply {
            attempt_id,
            wallet_id,
            state,
            restore_epoch,
            signature,
        }
    }
}
