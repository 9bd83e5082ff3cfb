//! For how long each half keeps earlier generations for the other: requirement 9.

use std::sync::Arc;
use std::time::Duration;

use halfkey::{StoreOptions, WalletStore};
use halfkey_vault::Storage;

use super::check::Check;
use crate::commands::wallet::anonymous;
use crate::context::DataDir;

const TITLE: &str = "earlier generations are kept for the other half's horizon";
/// A provider that does not answer is no reason to wait.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(data: &DataDir, storage: &Storage, api_url: Option<&str>) -> Check {
    let ours = days(storage.config.backup_horizon_days.duration());
    let client = match anonymous(data, api_url, PATIENCE) {
        Ok(client) => client,
        Err(failure) => return unknown(ours, &failure.message),
    };
    let store = WalletStore::new(
        Arc::new(client),
        storage.vault.clone(),
        Arc::clone(&storage.properties),
        StoreOptions::default(),
    );
    let kept = match store.kept_generations().await {
        Ok(kept) => kept,
        Err(error) => return unknown(ours, &error.to_string()),
    };
    match store.client().provider_horizon().await {
        Ok(theirs) => judge(ours, theirs.map(days), kept),
        Err(error) => unknown(ours, &error.to_string()),
    }
}

fn judge(ours: u64, theirs: Option<u64>, kept: usize) -> Check {
    match theirs {
        Some(theirs) => Check::pass(
            9,
            TITLE,
            format!(
                "copies of this half reach back {ours} days, the provider's {theirs}; {kept} \
                 earlier generations are kept here"
            ),
        ),
        None => Check::cannot_tell(
            9,
            TITLE,
            format!(
                "copies of this half reach back {ours} days; the provider does not say, so all \
                 {kept} earlier generations are kept here"
            ),
            "a provider of this version says it: serve --backup-horizon",
        ),
    }
}

fn unknown(ours: u64, why: &str) -> Check {
    Check::cannot_tell(
        9,
        TITLE,
        format!(
            "copies of this half reach back {ours} days; the provider's horizon is not known: {why}"
        ),
        "run doctor where the provider answers",
    )
}

const fn days(horizon: Duration) -> u64 {
    horizon.as_secs() / 86_400
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn both_horizons_are_told() {
        let check = judge(7, Some(30), 2);
        assert_eq!(check.status, Status::Pass);
        for part in ["7 days", "'s 30;", "2 earlier"] {
            assert!(check.evidence.contains(part), "{}", check.evidence);
        }
        assert_eq!(judge(7, None, 2).status, Status::CannotTell);
        assert_eq!(unknown(7, "no answer").status, Status::CannotTell);
    }
}
