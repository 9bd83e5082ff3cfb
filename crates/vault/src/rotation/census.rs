//! How many wrapped keys there are under each KEK version.

use std::collections::BTreeMap;

use halfkey_core::UnixMillis;

use crate::store::MAX_PAGE;
use crate::{Error, GetRecord, KekInfo, ListRecords, RecordName, SealedRecord};

/// One KEK version and the wrapped keys under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCount {
    /// The KEK.
    pub kek_uri: String,
    /// Its version.
    pub kek_version: String,
    /// How many wrapped keys there are.
    pub wraps: u64,
    /// When the version was made, where its provider was asked and tells.
    pub created_at: Option<UnixMillis>,
}

/// What stands in a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Sealed records.
    pub sealed: u64,
    /// Everything else: rows, tombstones.
    pub plain: u64,
    /// Names of sealed records that cannot be parsed.
    pub damaged: Vec<RecordName>,
    /// Ascending by URI and version.
    pub versions: Vec<VersionCount>,
}

impl Census {
    /// How many wrapped keys stand under versions made before `then`, of those whose age is known.
    pub fn older_than(&self, then: UnixMillis) -> u64 {
        let old = self.versions.iter().filter(|version| {
            let created_at = version.created_at;
            created_at.is_some_and(|created_at| created_at < then)
        });
        old.map(|version| version.wraps)
            .fold(0, u64::saturating_add)
    }

    /// How many wrapped keys stand under one version.
    pub fn wraps_under(&self, kek_uri: &str, kek_version: &str) -> u64 {
        let same = |version: &&VersionCount| {
            version.kek_uri == kek_uri && version.kek_version == kek_version
        };
        self.versions
            .iter()
            .find(same)
            .map_or(0, |version| version.wraps)
    }
}

/// Reads every record under `prefix` and counts; needs no right to open. `keks` tell the ages of
/// their versions.
///
/// # Errors
/// The store's.
pub async fn census(
    list: &dyn ListRecords,
    get: &dyn GetRecord,
    prefix: &str,
    keks: &[KekInfo],
) -> Result<Census, Error> {
    let mut census = Census::default();
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = list.list(prefix, after.as_ref(), MAX_PAGE).await?;
        for name in page.names {
            // Gone since it was listed.
            let Some(found) = get.get(&name).await? else {
                continue;
            };
            if !SealedRecord::is_marked(&found.value) {
                census.plain = census.plain.saturating_add(1);
                continue;
            }
            let Ok(record) = SealedRecord::from_bytes(&found.value) else {
                census.damaged.push(name);
                continue;
            };
            census.sealed = census.sealed.saturating_add(1);
            for wrapped in record.wraps() {
                let count = counts
                    .entry((wrapped.kek_uri, wrapped.kek_version))
                    .or_default();
                *count = count.saturating_add(1);
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let counted = counts.into_iter().map(|((kek_uri, kek_version), wraps)| {
        let created_at = created_at(keks, &kek_uri, &kek_version);
        VersionCount {
            kek_uri,
            kek_version,
            wraps,
            created_at,
        }
    });
    census.versions = counted.collect();
    Ok(census)
}

fn created_at(keks: &[KekInfo], kek_uri: &str, kek_version: &str) -> Option<UnixMillis> {
    let kek = keks.iter().find(|kek| kek.uri == kek_uri)?;
    let versions = kek.versions.iter();
    versions
        .filter(|version| version.version == kek_version)
        .find_map(|version| version.created_at)
}
