//! Names of records as names of files (`SPEC.md`, section 10).

use std::ffi::OsStr;

use sha2::{Digest as _, Sha256};

use crate::RecordName;

/// The end of every record's file; no other file has it.
const END: &str = ".rec";
/// Longer ones are replaced by their digest: a file's name has at most 255 bytes, and a temporary
/// file's name is longer by 22.
const MAX_ENCODED: usize = 200;
/// Begins a digest; no encoded name does.
const DIGEST_MARK: char = '~';

/// What a file's name says about its record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Its whole name.
    Record(RecordName),
    /// That its name is long and stands inside.
    Inside,
    /// Nothing: it is no record's file.
    Other,
    /// It ends as a record's file does, but no record has that name.
    Strange,
}

/// The file of a record.
pub(super) fn file_name(name: &RecordName) -> String {
    let encoded = encode(name.as_str());
    if encoded.len() <= MAX_ENCODED {
        return format!("{encoded}{END}");
    }
    let digest: [u8; 32] = Sha256::digest(name.as_str()).into();
    format!("{DIGEST_MARK}{}{END}", hex::encode(digest))
}

/// The inverse, as far as it goes.
pub(super) fn record_of(file: &OsStr) -> Named {
    let Some(stem) = file.to_str().and_then(|file| file.strip_suffix(END)) else {
        return Named::Other;
    };
    // A temporary file of a record's own name.
    if stem.starts_with('.') {
        return Named::Other;
    }
    if stem.starts_with(DIGEST_MARK) {
        return Named::Inside;
    }
    match decode(stem).and_then(|name| RecordName::new(name).ok()) {
        Some(name) if file_name(&name).as_str() == file => Named::Record(name),
        _ => Named::Strange,
    }
}

/// Lower-case letters, digits, `-`, `_` and `:` stand for themselves, every other byte is `%` and
/// two hex digits: fit for file systems that do not tell cases apart.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b':' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                encoded.push_str(&hex::encode([byte]));
            }
        }
    }
    encoded
}

fn decode(encoded: &str) -> Option<String> {
    let mut name = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (digits, tail) = tail.split_first_chunk::<2>()?;
            name.extend(hex::decode(digits).ok()?);
            rest = tail;
        } else {
            name.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RecordName {
        RecordName::new(text).unwrap()
    }

    #[test]
    fn a_real_name_stays_readable() {
        assert_eq!(
            file_name(&name("wallet:0xab/shares/2")),
            "wallet:0xab%2fshares%2f2.rec"
        );
    }

    #[test]
    fn every_character_comes_back() {
        let all: String = (0x21..0x7F_u8).map(char::from).collect();
        for text in [
            all.as_str(),
            ".",
            "..",
            "a/",
            "//",
            "A",
            "%41",
            "~a",
            ".rec",
        ] {
            for part in text.as_bytes().chunks(60) {
                let part = name(core::str::from_utf8(part).unwrap());
                let file = file_name(&part);
                assert!(!file.starts_with(['.', '~']) && !file.contains('/'));
                assert_eq!(record_of(OsStr::new(&file)), Named::Record(part));
            }
        }
    }

    #[test]
    fn a_long_name_stands_inside() {
        for len in [1, 200] {
            let name = name(&"n".repeat(len));
            assert_eq!(
                record_of(OsStr::new(&file_name(&name))),
                Named::Record(name)
            );
        }
        for text in ["n".repeat(201), "N".repeat(67), "n".repeat(512)] {
            let file = file_name(&name(&text));
            assert_eq!(file.len(), 69);
            assert_eq!(record_of(OsStr::new(&file)), Named::Inside);
        }
    }

    #[test]
    fn record_of_rejects_what_no_record_is_named() {
        for strange in [
            "A.rec", "%2F.rec", "%6.rec", "%61.rec", "a b.rec", "%20.rec", ".rec",
        ] {
            assert_ne!(
                record_of(OsStr::new(strange)),
                Named::Record(name("a")),
                "{strange}"
            );
        }
        assert_eq!(record_of(OsStr::new("A.rec")), Named::Strange);
        assert_eq!(record_of(OsStr::new("%61.rec")), Named::Strange);
        for other in [
            "environment",
            "a.rec~",
            ".a.rec.0123456789abcdef.tmp",
            ".a.rec",
        ] {
            assert_eq!(record_of(OsStr::new(other)), Named::Other, "{other}");
        }
    }
}
