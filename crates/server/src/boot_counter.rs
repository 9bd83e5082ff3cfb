//! Tells a restored database from one that went on (custody rules 11 and 14).
//!
//! A small file beside the keyring holds the number of the last boot and an anchor: an entry of the
//! activity chain known to be durable. A database that lacks either was restored from an older
//! copy, so OT state it accounts for may have been used since. The file must not be backed up
//! together with the database.

use crate::db::sql;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Error;
use crate::boot_settle;
use crate::db::boots::{self, Meta};
use crate::db::{Db, Entry, Tx, activities, locks};
use crate::provider_dir::{ProviderDir, read_if_there, write_durably};
use halfkey_core::crash_point;

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    version: u32,
    boot_counter: u64,
    restore_epoch: u64,
    /// The number of a boot that was about to be committed.
    #[serde(default)]
    starting: Option<u64>,
    #[serde(default)]
    anchor: Option<Anchor>,
}

/// An entry that every later copy of the database contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    chain: String,
    sequence: u64,
    head: String,
}

/// The counter file of a serving process.
#[derive(Debug)]
pub(crate) struct BootCounter {
    path: PathBuf,
    content: Mutex<Content>,
    epoch: AtomicU64,
}

impl BootCounter {
    /// Writes the file of a new provider. A missing file of a provider that has run stays missing.
    pub(crate) async fn create_if_missing(dir: &ProviderDir, db: &Db) -> Result<(), Error> {
        let path = dir.boot_counter();
        if read_if_there(&path)?.is_some() {
            return Ok(());
        }
        let mut conn = db.read().acquire().await?;
        let meta = boots::meta(&mut conn).await?;
        if meta.boot_counter > 0 {
            return Ok(());
        }
        write(
            &path,
            &Content {
                version: 1,
                ..Content::default()
            },
        )
    }

    /// Counts this boot: refuses a restored database, or accepts it with all that follows from it.
    /// Settles what dead boots left behind.
    pub(crate) async fn boot(
        dir: &ProviderDir,
        db: &Db,
        accept_restore: bool,
    ) -> Result<Self, Error> {
        let path = dir.boot_counter();
        let file = read(&path)?;
        let mut tx = db.begin().await?;
        let meta = boots::meta(tx.conn()).await?;
        let restored = why_restored(&mut tx, file.as_ref(), meta).await?;
        if let (Some(why), false) = (&restored, accept_restore) {
            return Err(Error::Restored { why: why.clone() });
        }
        let known = file.clone().unwrap_or_default();
        let epoch = meta.restore_epoch.max(known.restore_epoch);
        let next = Meta {
            boot_counter: meta.boot_counter.max(known.boot_counter).saturating_add(1),
            restore_epoch: epoch.saturating_add(u64::from(restored.is_some())),
        };
        boots::set_meta(tx.conn(), next).await?;
        if let Some(why) = &restored {
            accept(&mut tx, why).await?;
        }
        boot_settle::settle(&mut tx, dir, db.boot()).await?;
        let anchor = record_boot(&mut tx, next).await?;
        if let (Some(file), None) = (file, &restored) {
            // A crash between the commit and the file's own turn is no sign of an older file.
            let starting = Some(next.boot_counter);
            write(&path, &Content { starting, ..file })?;
        }
        crash_point("boot.before-commit");
        tx.commit().await?;
        crash_point("boot.after-commit");
        boot_settle::settled(dir)?;
        let content = Content {
            version: 1,
            boot_counter: next.boot_counter,
            restore_epoch: next.restore_epoch,
            starting: None,
            anchor: Some(anchor),
        };
        write(&path, &content)?;
        let content = Mutex::new(content);
        Ok(Self {
            path,
            content,
            epoch: AtomicU64::new(next.restore_epoch),
        })
    }

    /// The restore epoch.
    pub(crate) fn restore_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Begins the next restore epoch, in the transaction of what makes it one. Once that is durable
    /// [`Self::began`] has to say so.
    pub(crate) async fn begin_epoch(tx: &mut Tx) -> Result<u64, sql::Error> {
        let meta = boots::meta(tx.conn()).await?;
        let restore_epoch = meta.restore_epoch.saturating_add(1);
        let next = Meta {
            restore_epoch,
            ..meta
        };
        boots::set_meta(tx.conn(), next).await?;
        Ok(restore_epoch)
    }

    /// The epoch is durable in the database: now the file is told, and every reply.
    pub(crate) async fn began(&self, epoch: u64) -> Result<(), Error> {
        let mut content = self.content.lock().await;
        let next = Content {
            restore_epoch: content.restore_epoch.max(epoch),
            ..content.clone()
        };
        self.epoch.fetch_max(epoch, Ordering::AcqRel);
        let (path, bytes) = (self.path.clone(), next.clone());
        tokio::task::spawn_blocking(move || write(&path, &bytes))
            .await
            .map_err(|_| Error::Bug("writing the counter panicked"))??;
        *content = next;
        Ok(())
    }

    /// Moves the anchor to the newest durable entry, so that a copy from before it is found out.
    pub(crate) async fn advance(&self, db: &Db) -> Result<(), Error> {
        let Some((sequence, head)) = db.durable_head().await else {
            return Ok(());
        };
        let mut content = self.content.lock().await;
        if content
            .anchor
            .as_ref()
            .is_some_and(|anchor| anchor.sequence >= sequence)
        {
            return Ok(());
        }
        let anchor = Anchor {
            chain: hex::encode(db.boot()),
            sequence,
            head: hex::encode(head),
        };
        let next = Content {
            anchor: Some(anchor),
            ..content.clone()
        };
        let (path, bytes) = (self.path.clone(), next.clone());
        tokio::task::spawn_blocking(move || write(&path, &bytes))
            .await
            .map_err(|_| Error::Bug("writing the counter panicked"))??;
        *content = next;
        Ok(())
    }
}

async fn why_restored(
    tx: &mut Tx,
    file: Option<&Content>,
    meta: Meta,
) -> Result<Option<String>, Error> {
    let Some(file) = file else {
        return Ok(Some(
            "the boot counter file beside the keyring is missing".to_owned(),
        ));
    };
    if file.boot_counter > meta.boot_counter {
        return Ok(Some(format!(
            "the boot counter is {}, the database knows {}",
            file.boot_counter, meta.boot_counter
        )));
    }
    if meta.boot_counter > file.boot_counter.max(file.starting.unwrap_or_default()) {
        return Ok(Some(format!(
            "the boot counter file is itself an older copy: it says {}, the database {}",
            file.boot_counter, meta.boot_counter
        )));
    }
    if file.restore_epoch > meta.restore_epoch {
        return Ok(Some(
            "it is from before the last accepted restore".to_owned(),
        ));
    }
    let Some(anchor) = &file.anchor else {
        return Ok(None);
    };
    let (chain, head) = (hex::decode(&anchor.chain), hex::decode(&anchor.head));
    let (Ok(chain), Ok(head)) = (chain, head) else {
        return Ok(Some("the boot counter file is damaged".to_owned()));
    };
    if activities::contains(tx.conn(), &chain, anchor.sequence, &head).await? {
        return Ok(None);
    }
    Ok(Some(format!(
        "activity {} of boot {} is missing",
        anchor.sequence, anchor.chain
    )))
}

async fn record_boot(tx: &mut Tx, meta: Meta) -> Result<Anchor, sql::Error> {
    let detail = serde_json::json!({
        "bootCounter": meta.boot_counter,
        "restoreEpoch": meta.restore_epoch,
    });
    let activity = tx.record(&Entry::of_node("serving").detail(detail)).await?;
    Ok(Anchor {
        chain: activity.chain,
        sequence: activity.sequence,
        head: activity.head,
    })
}

/// What follows from going on with a restored database.
async fn accept(tx: &mut Tx, why: &str) -> Result<(), sql::Error> {
    let wallets = locks::after_restore(tx, "the provider's database was restored").await?;
    tracing::warn!(
        why,
        wallets,
        "restored database accepted: ECDSA wallets need a refresh"
    );
    let detail = serde_json::json!({ "why": why, "wallets": wallets });
    let entry = Entry::of_node("restore.accepted").detail(detail);
    tx.record(&entry).await.map(drop)
}

fn read(path: &std::path::Path) -> Result<Option<Content>, Error> {
    let Some(bytes) = read_if_there(path)? else {
        return Ok(None);
    };
    let content: Content = serde_json::from_slice(&bytes).map_err(|_| Error::SealedFile {
        path: path.to_owned(),
        why: "it is not a boot counter".to_owned(),
    })?;
    if content.version != 1 {
        return Err(Error::Schema(
            "the boot counter file is of a newer version".to_owned(),
        ));
    }
    Ok(Some(content))
}

fn write(path: &std::path::Path, content: &Content) -> Result<(), Error> {
    let bytes = serde_json::to_vec(content).map_err(|_| Error::Bug("a counter is JSON"))?;
    write_durably(path, &bytes)
}
