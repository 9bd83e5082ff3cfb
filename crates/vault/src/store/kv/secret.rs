//! What a secret holds: `{"record": base64}`, or `{"destroyed": true}` for a tombstone.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::net::openbao::json_body;

/// The content of a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A record's bytes.
    Record(Vec<u8>),
    /// A record was destroyed.
    Tombstone,
}

/// The members of a secret of ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Members<'a> {
    #[serde(borrow, default)]
    record: Option<Cow<'a, str>>,
    #[serde(default)]
    destroyed: bool,
}

impl Members<'_> {
    /// The content; `None` when it is none of ours.
    pub(super) fn content(&self) -> Option<Content> {
        match (&self.record, self.destroyed) {
            (Some(text), false) => STANDARD.decode(&**text).ok().map(Content::Record),
            (None, true) => Some(Content::Tombstone),
            (Some(_), true) | (None, false) => None,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Write<T> {
    data: T,
    options: Options,
}

#[derive(Serialize)]
struct Options {
    cas: u64,
}

impl<T> Write<T> {
    /// `data`, if the newest version is `cas`; 0: if there never was one.
    pub(super) const fn new(data: T, cas: u64) -> Self {
        Self {
            data,
            options: Options { cas },
        }
    }
}

/// The request that writes a record.
pub(super) fn write_record(bytes: &[u8], cas: u64) -> Result<Bytes, Error> {
    #[derive(Serialize)]
    struct Record<'a> {
        record: &'a str,
    }
    let record = STANDARD.encode(bytes);
    let len = record.len().saturating_add(128);
    json_body(&Write::new(Record { record: &record }, cas), len)
}

/// The request that writes a tombstone.
pub(super) fn write_tombstone(cas: u64) -> Result<Bytes, Error> {
    #[derive(Serialize)]
    struct Tombstone {
        destroyed: bool,
    }
    json_body(&Write::new(Tombstone { destroyed: true }, cas), 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Content> {
        serde_json::from_str::<Members<'_>>(text).ok()?.content()
    }

    #[test]
    fn what_is_written_is_what_spec_md_says() {
        let record = write_record(&[1, 2], 7).unwrap();
        let expected = r#"{"data":{"record":"AQI="},"options":{"cas":7}}"#;
        assert_eq!(record, expected);
        let tombstone = write_tombstone(7).unwrap();
        let expected = r#"{"data":{"destroyed":true},"options":{"cas":7}}"#;
        assert_eq!(tombstone, expected);
    }

    #[test]
    fn only_our_own_secrets_have_a_content() {
        assert_eq!(
            parsed(r#"{"record":"AQI="}"#),
            Some(Content::Record(vec![1, 2]))
        );
        assert_eq!(parsed(r#"{"record":""}"#), Some(Content::Record(vec![])));
        assert_eq!(parsed(r#"{"destroyed":true}"#), Some(Content::Tombstone));
        for text in [
            "{}",
            "null",
            r#"{"destroyed":false}"#,
            r#"{"record":"AQI=","destroyed":true}"#,
            r#"{"record":"AQI=","x":1}"#,
            r#"{"record":"AQI"}"#,
            r#"{"record":"AQJ="}"#,
            r#"{"record":7}"#,
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
