//! Tells a restored database from one that went on (custody rules 11 and 14).
//!
//! A small file beside the keyring holds the number of the last boot and an anchor: an entry of the
//! activity chain known to be durable. A database that lacks either was restored from an older
//! copy, so OT state it accounts for may have been used since. The file must not be backed up
//! together with the database.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Error;
use crate::db::boots::{self, Meta};
use crate::db::locks::{self, LockKind};
use crate::db::{BootKind, Db, Entry, Tx, activities, slots};
use crate::provider_dir::{ProviderDir, read_if_there, write_durably};
use halfkey_core::crash_point;

/// Lost slots of one generation before it needs a complete refresh, and before a warning.
const LOST_LIMIT: u64 = 16;
const LOST_WARNING: u64 = 8;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    version: u32,
    boot_counter: u64,
    restore_epoch: u64,
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
                boot_counter: 0,
                restore_epoch: 0,
                anchor: None,
            },
        )
    }

    /// Counts this boot: refuses a restored database, or accepts it with all that follows from it.
    /// Settles the slots of dead boots. Returns the restore epoch as well.
    pub(crate) async fn boot(
        dir: &ProviderDir,
        db: &Db,
        accept_restore: bool,
    ) -> Result<(Self, u64), Error> {
        let path = dir.boot_counter();
        let file = read(&path)?;
        let mut tx = db.begin().await?;
        let meta = boots::meta(tx.conn()).await?;
        let restored = why_restored(&mut tx, file.as_ref(), meta).await?;
        if let (Some(why), false) = (&restored, accept_restore) {
            return Err(Error::Restored { why: why.clone() });
        }
        let in_file = file.map_or(
            Meta {
                boot_counter: 0,
                restore_epoch: 0,
            },
            |file| Meta {
                boot_counter: file.boot_counter,
                restore_epoch: file.restore_epoch,
            },
        );
        let epoch = meta.restore_epoch.max(in_file.restore_epoch);
        let next = Meta {
            boot_counter: meta
                .boot_counter
                .max(in_file.boot_counter)
                .saturating_add(1),
            restore_epoch: epoch.saturating_add(u64::from(restored.is_some())),
        };
        boots::set_meta(tx.conn(), next).await?;
        let previous = boots::newest_chain_head(tx.conn()).await?;
        boots::insert(&mut tx, db.boot(), BootKind::Serve).await?;
        let anchor = record_boot(&mut tx, next, previous).await?;
        if let Some(why) = restored {
            accept(&mut tx, &why).await?;
        }
        settle_slots(&mut tx, db.boot()).await?;
        crash_point("boot.before-commit");
        tx.commit().await?;
        crash_point("boot.after-commit");
        let content = Content {
            version: 1,
            boot_counter: next.boot_counter,
            restore_epoch: next.restore_epoch,
            anchor: Some(anchor),
        };
        write(&path, &content)?;
        Ok((
            Self {
                path,
                content: Mutex::new(content),
            },
            next.restore_epoch,
        ))
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
        write(&self.path, &next)?;
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

/// The first entry of this boot's chain; names the end of the one before, so that cutting that one
/// short shows.
async fn record_boot(
    tx: &mut Tx,
    meta: Meta,
    previous: Option<([u8; 16], u64, [u8; 32])>,
) -> Result<Anchor, sqlx::Error> {
    let previous = previous.map(|(chain, sequence, head)| {
        serde_json::json!({
            "chain": hex::encode(chain), "sequence": sequence, "head": hex::encode(head),
        })
    });
    let detail = serde_json::json!({
        "bootCounter": meta.boot_counter,
        "restoreEpoch": meta.restore_epoch,
        "previousChain": previous,
    });
    let activity = tx
        .record(&Entry {
            detail,
            ..node_entry("boot")
        })
        .await?;
    Ok(Anchor {
        chain: activity.chain,
        sequence: activity.sequence,
        head: activity.head,
    })
}

/// What follows from going on with a restored database.
async fn accept(tx: &mut Tx, why: &str) -> Result<(), sqlx::Error> {
    let wallets = locks::after_restore(tx, "the provider's database was restored").await?;
    tracing::warn!(
        why,
        wallets,
        "restored database accepted: ECDSA wallets need a refresh"
    );
    let detail = serde_json::json!({ "why": why, "wallets": wallets });
    tx.record(&Entry {
        detail,
        ..node_entry("restore.accepted")
    })
    .await
    .map(drop)
}

/// Slots of dead boots are lost; too many lost ones end a generation (custody rule 14).
async fn settle_slots(tx: &mut Tx, boot: &[u8; 16]) -> Result<(), sqlx::Error> {
    if slots::settle_lost(tx, boot).await? == 0 {
        return Ok(());
    }
    for (environment, wallet, generation, lost) in
        slots::lost_at_least(tx.conn(), LOST_WARNING).await?
    {
        tracing::warn!(%environment, %wallet, %generation, lost, "slots lost by crashes");
        if lost < LOST_LIMIT {
            continue;
        }
        let reason = format!("{lost} signing ceremonies were lost to crashes");
        let kind = LockKind::NeedsCompleteRefresh;
        if locks::insert(tx, &environment, (wallet, generation), kind, &reason).await? {
            let detail = serde_json::json!({ "generation": generation, "lost": lost });
            let entry = Entry::new(&environment, "wallet.needs_complete_refresh", "provider");
            tx.record(&entry.wallet(wallet).detail(detail)).await?;
        }
    }
    Ok(())
}

const fn node_entry(kind: &'static str) -> Entry<'static> {
    Entry {
        environment: "",
        kind,
        actor: "provider",
        wallet: None,
        attempt: None,
        request: None,
        detail: serde_json::Value::Null,
    }
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
