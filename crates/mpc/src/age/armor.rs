//! The text form: PEM's, 64 columns.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS: usize = 64;

pub(super) fn write(file: &[u8]) -> String {
    let body = STANDARD.encode(file);
    let mut text = String::from(BEGIN);
    text.push('\n');
    for (at, character) in body.chars().enumerate() {
        if at > 0 && at.is_multiple_of(COLUMNS) {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    text.push_str(END);
    text.push('\n');
    text
}

/// Strict but for white space around the whole.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let lines: String = body.lines().collect();
    STANDARD.decode(lines).ok()
}
