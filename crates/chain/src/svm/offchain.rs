//! Solana's envelope for off-chain messages: `0xff "solana offchain"`, version 0, then one of the
//! two layouts in use. The first byte is a transaction version that the runtime never takes.

use super::reader::Reader;

const SIGNING_DOMAIN: &[u8] = b"\xffsolana offchain";

/// Whether `bytes` are exactly one enveloped message.
pub(super) fn is_off_chain_message(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    if reader.take(SIGNING_DOMAIN.len()) != Some(SIGNING_DOMAIN) || reader.byte() != Some(0) {
        return false;
    }
    is_body(reader.clone()) || is_specified(reader).is_some_and(|matches| matches)
}

/// As the command line and hardware wallets write it: format, length, text.
fn is_body(mut reader: Reader<'_>) -> bool {
    let format = reader.byte();
    let length = reader
        .array()
        .map(|bytes| usize::from(u16::from_le_bytes(*bytes)));
    let text = length.and_then(|length| reader.take(length));
    matches!(format, Some(0..=2))
        && reader.is_empty()
        && text.is_some_and(|text| core::str::from_utf8(text).is_ok())
}

/// As the specification has it: application domain, format, signers, length, text.
fn is_specified(mut reader: Reader<'_>) -> Option<bool> {
    reader.take(32)?;
    let format = reader.array::<1>()?;
    let signers = usize::from(reader.byte()?);
    reader.take(signers.checked_mul(32)?)?;
    let length = usize::from(u16::from_le_bytes(*reader.array()?));
    let text = reader.take(length)?;
    let is_text = core::str::from_utf8(text).is_ok();
    Some(matches!(format, [0..=2]) && signers > 0 && reader.is_empty() && is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_read_exactly() {
        let short = [SIGNING_DOMAIN, &[0, 1, 5, 0], b"hello"].concat();
        let long = [
            SIGNING_DOMAIN,
            &[0],
            &[7; 32],
            &[0, 1],
            &[9; 32],
            &[5, 0],
            b"hello",
        ]
        .concat();
        for good in [&short, &long] {
            assert!(is_off_chain_message(good));
            for end in 0..good.len() {
                assert!(!is_off_chain_message(&good[..end]), "{end}");
            }
            assert!(!is_off_chain_message(&[good.as_slice(), &[0]].concat()));
        }
    }

    #[test]
    fn other_versions_formats_and_binary_are_refused() {
        for (version, format, text) in [(1, 0, &b"a"[..]), (0, 3, b"a"), (0, 0, b"\xff")] {
            let bytes = [SIGNING_DOMAIN, &[version, format, 1, 0], text].concat();
            assert!(!is_off_chain_message(&bytes), "{bytes:?}");
        }
    }
}
