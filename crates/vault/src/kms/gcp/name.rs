//! Names of keys and versions.

use crate::Error;
use crate::net::gcp::is_segment;

/// Refuses what is not `projects/…/locations/…/keyRings/…/cryptoKeys/…`. What passes can stand in a
/// URL and in a record as it is.
pub(super) fn check(key: &str) -> Result<(), Error> {
    const COLLECTIONS: [&str; 4] = ["projects", "locations", "keyRings", "cryptoKeys"];
    let parts: Vec<&str> = key.split('/').collect();
    let fits = parts.len() == 8
        && parts
            .chunks_exact(2)
            .zip(COLLECTIONS)
            .all(|(pair, collection)| {
                matches!(pair, [name, id] if *name == collection && is_segment(id))
            });
    if fits {
        return Ok(());
    }
    Err(Error::Config(
        "key is not of the form projects/P/locations/L/keyRings/R/cryptoKeys/K".to_owned(),
    ))
}

/// The resource name of a version.
pub(super) fn of_version(key: &str, version: &str) -> String {
    format!("{key}/cryptoKeyVersions/{version}")
}

/// The version in a resource name; `None` unless it is one of `key`.
pub(super) fn version_in<'a>(key: &str, name: &'a str) -> Option<&'a str> {
    let version = name
        .strip_prefix(key)?
        .strip_prefix("/cryptoKeyVersions/")?;
    is_version(version).then_some(version)
}

/// Whether it is written as Google numbers versions: from 1, without signs or leading zeros.
pub(super) fn is_version(text: &str) -> bool {
    number(text).is_some_and(|number| number > 0 && number.to_string() == text)
}

/// A version's number, to sort by.
pub(super) fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

    #[test]
    fn name_rejects_what_is_no_key() {
        for key in [
            KEY,
            "projects/example.com:p-1/locations/europe-west1/keyRings/R_1/cryptoKeys/k",
        ] {
            assert!(check(key).is_ok(), "{key}");
        }
        for key in [
            "",
            "projects/p/locations/l/keyRings/r",
            "projects/p/locations/l/keyRings/r/cryptoKeys/",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
            "projects/p/locations/l/keyRings/../cryptoKeys/k",
            "projects/p/locations/l/keyRings/r?x/cryptoKeys/k",
            "/projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "projects/p/locations/l/keyrings/r/cryptoKeys/k",
        ] {
            assert!(matches!(check(key), Err(Error::Config(_))), "{key}");
        }
    }

    #[test]
    fn name_rejects_versions_of_other_keys_and_other_spellings() {
        assert_eq!(version_in(KEY, &of_version(KEY, "12")), Some("12"));
        for version in ["", "0", "01", "+1", "-1", "1 ", "99999999999999999999999"] {
            assert_eq!(
                version_in(KEY, &of_version(KEY, version)),
                None,
                "{version:?}"
            );
        }
        assert_eq!(version_in(KEY, &of_version(&format!("{KEY}2"), "1")), None);
        assert_eq!(version_in(KEY, KEY), None);
    }
}
