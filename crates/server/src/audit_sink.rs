//! The vault's audit events go into the activity chain of the provider's own database.
//!
//! One sink serves one operation. For an OT ceremony it takes the slot in the transaction of the
//! opening's event, so that a signature costs two commits and no share is opened without its slot
//! (custody rule 14). A one-round signature costs one: its opening's event says what is signed, and
//! is the signature's entry too.

use crate::db::sql;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use halfkey_core::wire::ActivityRef;
use halfkey_core::{RequestId, WalletId};
use halfkey_vault::{AuditEvent, AuditOutcome, AuditPosition, AuditSink, Error as VaultError};

use crate::ceremony::pending::Pending;
use crate::db::slots::{self, Opened, SlotKey};
use crate::db::{Db, Entry};

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
    goes_with: GoesWith,
    granted: Mutex<Option<Result<(), SlotRefusal>>>,
    /// Where the last event stands.
    last: Mutex<Option<ActivityRef>>,
}

/// What the event of a granted opening is written with.
#[derive(Debug)]
enum GoesWith {
    Nothing,
    Slot(WantedSlot),
    /// The signature that the opening is for.
    Signature(serde_json::Value),
}

#[derive(Debug)]
struct WantedSlot {
    key: SlotKey,
    cap: u64,
    /// Locks that are not in the database yet.
    pending: Arc<Pending>,
}

impl DbSink {
    const fn new(db: Db, goes_with: GoesWith) -> Self {
        Self {
            db,
            goes_with,
            granted: Mutex::new(None),
            last: Mutex::new(None),
        }
    }

    /// A sink for an operation without a slot.
    pub(crate) const fn plain(db: Db) -> Self {
        Self::new(db, GoesWith::Nothing)
    }

    /// A sink whose event of the opening is the entry of the one-round signature `detail` tells of.
    /// The log then never lacks a signature; one that is refused all the same gets a second entry.
    pub(crate) const fn with_signature(db: Db, detail: serde_json::Value) -> Self {
        Self::new(db, GoesWith::Signature(detail))
    }

    /// A sink that takes `slot` when the share is about to be given out; at most `cap` are open.
    pub(crate) const fn with_slot(db: Db, key: SlotKey, cap: u64, pending: Arc<Pending>) -> Self {
        Self::new(db, GoesWith::Slot(WantedSlot { key, cap, pending }))
    }

    /// Where the last event of the operation stands.
    pub(crate) fn position(&self) -> Option<ActivityRef> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Whether the granted opening stands in the log, with what it goes with; `None` when it never
    /// came to that.
    pub(crate) fn granted(&self) -> Option<Result<(), SlotRefusal>> {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_granted(&self, granted: Result<(), SlotRefusal>) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = Some(granted);
    }

    async fn write(&self, event: &AuditEvent) -> Result<AuditPosition, Failure> {
        let activity = match event.outcome {
            AuditOutcome::Granted => self.write_granted(event).await?,
            AuditOutcome::Refused => {
                let kind = format!("share.{}.refused", event.action);
                self.db.record(&entry_of(event, &kind)).await?
            }
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(activity.clone());
        drop(last);
        Ok(AuditPosition {
            chain: *self.db.boot(),
            sequence: activity.sequence,
            head: decode_head(&activity.head),
        })
    }

    async fn write_granted(&self, event: &AuditEvent) -> Result<ActivityRef, Failure> {
        let kind = format!("share.{}", event.action);
        let entry = entry_of(event, &kind);
        halfkey_core::crash_point("audit.before-commit");
        let activity = match &self.goes_with {
            GoesWith::Nothing => self.db.record(&entry).await?,
            GoesWith::Signature(signature) => {
                self.db.record(&signed_entry(&entry, signature)).await?
            }
            GoesWith::Slot(wanted) => self.take_slot(wanted, &entry).await?,
        };
        halfkey_core::crash_point("audit.after-commit");
        self.set_granted(Ok(()));
        Ok(activity)
    }

    async fn take_slot(
        &self,
        WantedSlot { key, cap, pending }: &WantedSlot,
        entry: &Entry<'_>,
    ) -> Result<ActivityRef, Failure> {
        let mut tx = self.db.begin().await?;
        if pending.holds(&key.environment, (key.wallet, key.generation)) {
            return Err(Failure::Slot(SlotRefusal::Locked));
        }
        match slots::open(&mut tx, key, self.db.boot(), *cap).await? {
            Opened::Open => {}
            Opened::Used => return Err(Failure::Slot(SlotRefusal::Used)),
            Opened::Full => return Err(Failure::Slot(SlotRefusal::Full)),
            Opened::Locked => return Err(Failure::Slot(SlotRefusal::Locked)),
        }
        let activity = tx.record(entry).await?;
        tx.commit().await?;
        Ok(activity)
    }
}

/// The opening's entry as that of the signature it is for.
fn signed_entry<'a>(opening: &Entry<'a>, signature: &serde_json::Value) -> Entry<'a> {
    let mut detail = signature.clone();
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("opened".to_owned(), opening.detail.clone());
    }
    Entry {
        kind: "signed",
        detail,
        ..opening.clone()
    }
}

/// Why an event was not written.
enum Failure {
    Slot(SlotRefusal),
    Database(sql::Error),
}

impl From<sql::Error> for Failure {
    fn from(error: sql::Error) -> Self {
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
                self.set_granted(Err(refusal));
                VaultError::AuditUnavailable("no slot for this ceremony".to_owned())
            }
            Failure::Database(error) => VaultError::AuditUnavailable(error.to_string()),
        })
    }
}
