//! Names of records as keys of objects (`SPEC.md`, section 11).
//!
//! Keys sort as the names do, and a prefix of a name is one of its key, so that the bucket lists as
//! a record store must. A `_` after each `/` keeps parts of a path from being empty, `.` or `..`.

use object_store::path::Path;

use crate::{Error, RecordName};

/// The longest key S3 takes, in bytes.
const MAX_KEY_LEN: usize = 1024;
const MAX_PREFIX_LEN: usize = 200;
/// Before every record's name; also the first guard.
const RECORDS: &str = "records/_";
const MARK: &str = "environment";

/// The keys under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// Empty, or with a `/` at its end.
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Result<Self, Error> {
        let refused = |why: &str| Err(Error::Config(format!("the bucket's prefix {why}")));
        let mut prefix = prefix.to_owned();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        if prefix.len() > MAX_PREFIX_LEN {
            return refused("is longer than 200 bytes");
        }
        if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused("is not printable ASCII");
        }
        let keys = Self { prefix };
        if path(&keys.mark()).is_err() {
            return refused("has an empty part, or one that is . or ..");
        }
        Ok(keys)
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of the environment mark.
    pub(super) fn mark(&self) -> String {
        format!("{}{MARK}", self.prefix)
    }

    /// The key of a record.
    pub(super) fn record(&self, name: &RecordName) -> Result<String, Error> {
        let key = self.records_from(name.as_str());
        if key.len() > MAX_KEY_LEN {
            return Err(Error::TooLarge {
                what: "the object key of a record's name",
                len: key.len(),
                limit: MAX_KEY_LEN,
            });
        }
        Ok(key)
    }

    /// What the keys of all records begin with whose names begin with `prefix`.
    pub(super) fn records_from(&self, prefix: &str) -> String {
        format!("{}{RECORDS}{}", self.prefix, prefix.replace('/', "/_"))
    }

    /// The inverse of [`Self::record`].
    pub(super) fn name_of(&self, key: &str) -> Option<RecordName> {
        let guarded = key.strip_prefix(&self.prefix)?.strip_prefix(RECORDS)?;
        let name = RecordName::new(guarded.replace("/_", "/")).ok()?;
        (self.records_from(name.as_str()) == key).then_some(name)
    }
}

/// A key as the client takes it: unchanged, or refused.
pub(super) fn path(key: &str) -> Result<Path, Error> {
    match Path::parse(key) {
        Ok(path) if path.as_ref() == key => Ok(path),
        _ => Err(Error::Caller("a key has a part the bucket cannot hold")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RecordName {
        RecordName::new(text).unwrap()
    }

    #[test]
    fn a_real_name_stays_readable() {
        let keys = Keys::new("halfkey").unwrap();
        let key = keys.record(&name("wallet:0xab/shares/2")).unwrap();
        assert_eq!(key, "halfkey/records/_wallet:0xab/_shares/_2");
        assert_eq!(keys.mark(), "halfkey/environment");
    }

    #[test]
    fn keys_come_back_sort_as_names_and_keep_prefixes() {
        let keys = Keys::new("").unwrap();
        let all: String = (0x21..0x7F_u8).map(char::from).collect();
        let texts = [
            all.as_str(),
            "/",
            "//",
            "a/",
            "a",
            "a//b",
            "./..",
            ".",
            "..",
            "/..",
            "a/.",
            "a/0",
            "a-",
            "a_/",
            "_",
            "a/_b",
            "%2F",
            "a\\b",
        ];
        let mut names: Vec<_> = texts.iter().map(|text| name(text)).collect();
        for name in &names {
            let key = keys.record(name).unwrap();
            path(&key).unwrap();
            assert_eq!(keys.name_of(&key).as_ref(), Some(name));
            for cut in 0..name.as_str().len() {
                let prefix = keys.records_from(name.as_str().get(..cut).unwrap());
                assert!(key.starts_with(&prefix));
            }
            for other in &names {
                let prefix = keys.records_from(other.as_str());
                assert_eq!(
                    key.starts_with(&prefix),
                    name.as_str().starts_with(other.as_str())
                );
            }
        }
        names.sort();
        assert!(names.is_sorted_by_key(|name| keys.record(name).unwrap()));
    }

    #[test]
    fn keys_reject_strange_prefixes_keys_and_lengths() {
        for prefix in [
            "/a",
            "a//b",
            "..",
            "a/./b",
            "a b",
            "\u{e9}",
            &"p".repeat(200),
        ] {
            assert!(Keys::new(prefix).is_err(), "{prefix}");
        }
        let keys = Keys::new("p").unwrap();
        for key in [
            "p/records/a",
            "q/records/_a",
            "p/records/_",
            "p/records/_a/b",
            "p/environment",
        ] {
            assert_eq!(keys.name_of(key), None, "{key}");
        }
        assert!(keys.record(&name(&"n".repeat(512))).is_ok());
        let slashes = keys.record(&name(&"/".repeat(512)));
        assert!(matches!(slashes, Err(Error::TooLarge { .. })));
    }
}
