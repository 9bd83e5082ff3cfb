//! Names as path segments.

use crate::RecordName;

/// The segment of a name: its bytes in lower-case hexadecimal.
pub(super) fn segment(name: &RecordName) -> String {
    hex::encode(name.as_str())
}

/// The inverse; `None` for what [`segment`] does not make.
pub(super) fn name(segment: &str) -> Option<RecordName> {
    let bytes = hex::decode(segment).ok()?;
    if hex::encode(&bytes) != segment {
        return None;
    }
    RecordName::new(String::from_utf8(bytes).ok()?).ok()
}

/// A text that sorts after every segment whose name sorts before all names with `prefix`, and
/// before every segment of a name with it.
pub(super) fn before(prefix: &str) -> String {
    let mut bytes = prefix.as_bytes().to_vec();
    match bytes.last_mut() {
        // 'g' sorts after each hexadecimal digit.
        Some(last) if *last > 0 => {
            *last = last.saturating_sub(1);
            hex::encode(bytes) + "g"
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> RecordName {
        RecordName::new(text).unwrap()
    }

    #[test]
    fn segments_sort_as_names_do_and_lead_back() {
        let names = [
            "!", "/", "A", "a", "a/", "a/1", "a0", "aa", "b", "p/~", "~", "~~",
        ];
        let segments: Vec<_> = names.iter().map(|text| segment(&record(text))).collect();
        assert!(segments.is_sorted(), "{segments:?}");
        for (text, segment) in names.iter().zip(&segments) {
            assert_eq!(name(segment), Some(record(text)));
        }
    }

    #[test]
    fn what_no_name_makes_is_no_segment() {
        for text in ["", "6", "6A6B", "zz", "61/", "20", "ff", "61 "] {
            assert_eq!(name(text), None, "{text:?}");
        }
    }

    #[test]
    fn before_parts_the_names_at_a_prefix() {
        for prefix in ["a", "a/", "p0", "!", "~", "0", "@"] {
            let before = before(prefix);
            for text in [
                "!", "/", "0", "00", "?", "?~~", "@", "@!", "a", "a.~", "a/", "a/x", "b", "o~",
                "p/~", "p0", "p0!", "}~", "~", "~!",
            ] {
                let is_after = segment(&record(text)) > before;
                assert_eq!(is_after, text >= prefix, "{text} and {prefix}");
            }
        }
        assert_eq!(before(""), "");
    }
}
