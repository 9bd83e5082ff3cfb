//! `halfkey vault disable` and `enable`.

use halfkey_vault::Storage;
use serde_json::json;

use super::count;
use super::rotate::{note, note_refused};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

/// Only a version under which nothing stands any more (custody rule 24).
pub(super) async fn disable(
    storage: &Storage,
    version: &str,
    output: Output,
) -> Result<(), Failure> {
    let kek = storage.manage.info().await?;
    if !kek.versions.iter().any(|one| one.version == version) {
        return Err(unknown(version));
    }
    let left = count(storage).await?.wraps_under(&kek.uri, version);
    if left > 0 {
        let why = format!("{left} wrapped keys still stand under version {version}");
        note_refused(storage, "disable", None, &why).await?;
        return Err(Failure::new(ExitKind::Custody, "version_in_use", why)
            .with_hint("halfkey vault rewrap"));
    }
    note(storage, "disable", version).await?;
    storage.manage.disable(version).await?;
    storage.vault.forget_data_keys().await?;
    output.result(&json!({ "version": version, "state": "disabled" }), || {
        format!(
            "version {version} is disabled; keep it: backups may hold records under it until their \
             horizon has passed"
        )
    });
    Ok(())
}

pub(super) async fn enable(
    storage: &Storage,
    version: &str,
    output: Output,
) -> Result<(), Failure> {
    let kek = storage.manage.info().await?;
    if !kek.versions.iter().any(|one| one.version == version) {
        return Err(unknown(version));
    }
    note(storage, "enable", version).await?;
    storage.manage.enable(version).await?;
    output.result(&json!({ "version": version, "state": "enabled" }), || {
        format!("version {version} is enabled")
    });
    Ok(())
}

fn unknown(version: &str) -> Failure {
    Failure::new(
        ExitKind::NotFound,
        "no_such_version",
        format!("the KEK has no version {version}"),
    )
    .with_hint("halfkey vault status")
}
