//! Whether a wallet outlives the provider, and who could then use it (custody rule 30).

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use halfkey::age::Identity;
use zeroize::Zeroizing;

use super::check::Check;
use crate::context::DataDir;

const SURVIVES: &str = "TWO_OF_TWO wallets outlive the provider";
const APART: &str = "the escrow key and the customer's shares are in different hands";
/// Larger files are no identities.
const MOST: u64 = 64 * 1024;

pub(super) fn run(data: &DataDir) -> Vec<Check> {
    let required = data.read_config().ok().flatten();
    let Some(key) = required.and_then(|config| config.escrow_key) else {
        return vec![Check::cannot_tell(
            2,
            SURVIVES,
            "this side insists on no escrow key: if the provider is gone for good, TWO_OF_TWO \
             wallets without escrow are gone with it",
            "halfkey escrow register AGE1… --require; or TWO_OF_THREE",
        )];
    };
    let survives = Check::pass(
        2,
        SURVIVES,
        format!("none is made or changed unless the provider's share is sealed to {key}"),
    );
    vec![survives, apart(data, &key)]
}

fn apart(data: &DataDir, key: &str) -> Check {
    for dir in [data.path().to_owned(), data.customer()] {
        if let Some(file) = identity_in(&dir, key) {
            return Check::fail(
                4,
                APART,
                format!("{file} is the secret half of {key}, beside the shares"),
                "move it to another machine, in other hands; treat it as seen, and register \
                 another key",
            );
        }
    }
    Check::cannot_tell(
        4,
        APART,
        format!(
            "who holds the secret half of {key}? Whoever also opens this vault, or a backup of it, \
             has every key; and whoever lost it rescues nothing"
        ),
        "ask, and drill with it: halfkey wallet rescue ADDRESS --drill --escrow-identity FILE",
    )
}

/// A file of the directory that is the identity of `key`. Looks no deeper: what is elsewhere, a
/// person has to be asked about.
fn identity_in(dir: &Path, key: &str) -> Option<String> {
    for entry in fs::read_dir(dir).ok()?.flatten() {
        let is_small = entry
            .metadata()
            .is_ok_and(|found| found.is_file() && found.len() <= MOST);
        if is_small && is_identity(&entry.path(), key) {
            return Some(entry.path().display().to_string());
        }
    }
    None
}

fn is_identity(file: &Path, key: &str) -> bool {
    let mut bytes = Zeroizing::new(Vec::with_capacity(65_537));
    let read = File::open(file).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
    let text = core::str::from_utf8(&bytes).ok();
    let identity = text.and_then(|text| text.parse::<Identity>().ok());
    read.is_ok() && identity.is_some_and(|found| found.recipient().to_string() == key)
}

#[cfg(test)]
mod tests {
    use halfkey_core::random::os_rng;

    use super::super::check::Status;
    use super::*;

    const IDENTITY: &str =
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    #[test]
    fn an_identity_beside_the_shares_fails_and_elsewhere_a_person_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path());
        let key = IDENTITY
            .parse::<Identity>()
            .unwrap()
            .recipient()
            .to_string();
        let check = apart(&data, &key);
        assert_eq!(check.status, Status::CannotTell);
        assert!(check.evidence.contains("who holds"), "{}", check.evidence);
        fs::create_dir(data.customer()).unwrap();
        let file = data.customer().join("escrow.key");
        fs::write(&file, format!("# public key: {key}\n{IDENTITY}\n")).unwrap();
        let check = apart(&data, &key);
        assert_eq!(check.status, Status::Fail);
        assert!(!check.evidence.contains("AGE-SECRET"));
        // Another key's identity is none of this.
        let other = Identity::generate(&mut os_rng()).recipient().to_string();
        assert_eq!(apart(&data, &other).status, Status::CannotTell);
    }
}
