//! The vault's audit events go into the activity chain of the provider's own database.
//!
//! One sink serves one operation. For an OT ceremony it takes the slot in the transaction of the
//! opening's event, so that a signature costs two commits and no share is opened without its slot
//! (custody rule 14).

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use halfkey_core::wire::ActivityRef;
use halfkey_core::{RequestId, WalletId};
use halfkey_vault::{AuditEvent, AuditOutcome, AuditPosition, AuditSink, Error as VaultError};

use crate::ceremony::pending::Pending;
use crate::db::slots::{self, Opened, SlotKey};
use crate::db::{Db, Entry, locks};

/// Why no slot was taken, and so nothing opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotRefusal {
    /// The ceremony id was used before.
    Used,
    /// As many as allowed are open.
    Full,
    /// The generation was locked in the meantime.
    Locked,
}

/// Takes the events of one operation.
#[derive(Debug)]
pub(crate) struct DbSink {
    db: Db,
    slot: Option<WantedSlot>,
    taken: Mutex<Option<Result<(), SlotRefusal>>>,
    /// Where the last event stands.
    last: Mutex<Option<ActivityRef>>,
}

#[derive(Debug)]
struct WantedSlot {
    key: SlotKey,
    cap: u64,
    /// Locks that are not in the database yet.
    pending: Arc<Pending>,
}

impl DbSink {
    /// A sink for an operation without a slot.
    pub(crate) const fn plain(db: Db) -> Self {
        Self {
            db,
            slot: None,
            taken: Mutex::new(None),
            last: Mutex::new(None),
        }
    }

    /// A sink that takes `slot` when the share is about to be given out; at most `cap` are open.
    pub(crate) const fn with_slot(db: Db, key: SlotKey, cap: u64, pending: Arc<Pending>) -> Self {
        Self {
            db,
            slot: Some(WantedSlot { key, cap, pending }),
            taken: Mutex::new(None),
            last: Mutex::new(None),
        }
    }

    /// Where the last event of the operation stands.
    pub(crate) fn position(&self) -> Option<ActivityRef> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// What became of the slot; `None` when it was never asked for.
    pub(crate) fn slot_taken(&self) -> Option<Result<(), SlotRefusal>> {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_taken(&self, taken: Result<(), SlotRefusal>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
    }

    async fn write(&self, event: &AuditEvent) -> Result<AuditPosition, Failure> {
        let mut tx = self.db.begin().await?;
        let wants_slot = event.outcome == AuditOutcome::Granted;
        if let Some(WantedSlot { key, cap, pending }) = self.slot.as_ref().filter(|_| wants_slot) {
            let subject = (key.wallet, key.generation);
            if pending.holds(&key.environment, subject)
                || locks::exists(tx.conn(), &key.environment, subject).await?
            {
                return Err(Failure::Slot(SlotRefusal::Locked));
            }
            match slots::open(&mut tx, key, self.db.boot(), *cap).await? {
                Opened::Open => {}
                Opened::Used => return Err(Failure::Slot(SlotRefusal::Used)),
                Opened::Full => return Err(Failure::Slot(SlotRefusal::Full)),
            }
        }
        let kind = match event.outcome {
            AuditOutcome::Granted => format!("share.{}", event.action),
            AuditOutcome::Refused => format!("share.{}.refused", event.action),
        };
        let activity = tx.record(&entry_of(event, &kind)).await?;
        halfkey_core::crash_point("audit.before-commit");
        tx.commit().await?;
        halfkey_core::crash_point("audit.after-commit");
        if wants_slot && self.slot.is_some() {
            self.set_taken(Ok(()));
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(activity.clone());
        drop(last);
        Ok(AuditPosition {
            chain: *self.db.boot(),
            sequence: activity.sequence,
            head: decode_head(&activity.head),
        })
    }
}

/// Why an event was not written.
enum Failure {
    Slot(SlotRefusal),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

fn entry_of<'a>(event: &'a AuditEvent, kind: &'a str) -> Entry<'a> {
    Entry {
        environment: &event.environment,
        kind,
        actor: &event.actor,
        wallet: event.wallet.parse::<WalletId>().ok(),
        attempt: None,
        request: event.request_id.parse::<RequestId>().ok(),
        detail: serde_json::json!({
            "purpose": event.purpose,
            "record": event.record,
            "why": event.detail,
        }),
    }
}

fn decode_head(head: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    // The text was made by `hex::encode` of 32 bytes.
    let decoded = hex::decode_to_slice(head, &mut bytes);
    debug_assert!(decoded.is_ok());
    bytes
}

#[async_trait]
impl AuditSink for DbSink {
    async fn append(&self, event: AuditEvent) -> Result<AuditPosition, VaultError> {
        self.write(&event).await.map_err(|failure| match failure {
            Failure::Slot(refusal) => {
                self.set_taken(Err(refusal));
                VaultError::AuditUnavailable("no slot for this ceremony".to_owned())
            }
            Failure::Database(error) => VaultError::AuditUnavailable(error.to_string()),
        })
    }
}
