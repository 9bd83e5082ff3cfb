//! One PEM block (RFC 7468), strictly: nothing before, behind or in between.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// More than any RSA key of 8192 bits takes.
const LONGEST: usize = 16 << 10;

/// The label of a block, if the text begins as one.
pub(crate) fn label(text: &str) -> Option<&str> {
    let line = text.trim_start().lines().next()?.trim_end();
    line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")
}

/// The bytes of the only block in `text`, if it has this label.
pub(crate) fn decode(text: &str, wanted: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() > LONGEST || label(text)? != wanted {
        return None;
    }
    let mut lines = text.trim().lines().map(str::trim_end);
    lines.next()?;
    let end = ["-----END ", wanted, "-----"].concat();
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    let mut ended = false;
    for line in lines {
        if ended || line.starts_with(char::is_whitespace) {
            return None;
        }
        if line == end {
            ended = true;
        } else {
            digits.push_str(line);
        }
    }
    let bytes = STANDARD.decode(digits.as_bytes()).ok()?;
    ended.then(|| Zeroizing::new(bytes))
}

/// A block of 64 digits a line. The buffer is wiped when dropped.
pub(crate) fn encode(bytes: &[u8], label: &str) -> Zeroizing<String> {
    let digits = Zeroizing::new(STANDARD.encode(bytes));
    let mut text = Zeroizing::new(String::with_capacity(digits.len().saturating_mul(2)));
    for part in ["-----BEGIN ", label, "-----\n"] {
        text.push_str(part);
    }
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    for part in ["-----END ", label, "-----\n"] {
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_takes_back_what_encode_made_and_nothing_else() {
        for length in [0, 1, 47, 48, 49, 400] {
            let bytes = vec![7; length];
            let text = encode(&bytes, "PUBLIC KEY");
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(*decode(&text, "PUBLIC KEY").unwrap(), bytes);
            let windows = text.replace('\n', "\r\n");
            assert_eq!(*decode(&windows, "PUBLIC KEY").unwrap(), bytes);
            assert!(decode(&text, "PRIVATE KEY").is_none());
            assert!(decode(&format!("{}{}", *text, *text), "PUBLIC KEY").is_none());
            assert!(decode(&format!("x{}", *text), "PUBLIC KEY").is_none());
            let cut = text.replace("-----END PUBLIC KEY-----\n", "");
            assert!(decode(&cut, "PUBLIC KEY").is_none());
        }
        assert!(decode("", "PUBLIC KEY").is_none());
        let long = encode(&vec![7; LONGEST], "PUBLIC KEY");
        assert!(decode(&long, "PUBLIC KEY").is_none());
    }
}
