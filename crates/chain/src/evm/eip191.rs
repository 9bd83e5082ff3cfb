//! EIP-191 version 0x45: `0x19 ‖ "Ethereum Signed Message:\n" ‖ decimal length ‖ message`.

const PREFIX: &[u8] = b"\x19Ethereum Signed Message:\n";

/// The message with its prefix: what a wallet hashes for `personal_sign`.
pub fn prefixed(message: &[u8]) -> Vec<u8> {
    [PREFIX, message.len().to_string().as_bytes(), message].concat()
}

/// The message behind an exact prefix whose decimal length is that of the remaining bytes.
///
/// A message that begins with digits makes a prefix readable in more than one way ("1" before "0…"
/// is "10"); the length without a leading zero that fits is unique, so there is one answer.
pub fn unprefix(payload: &[u8]) -> Option<&[u8]> {
    let rest = payload.strip_prefix(PREFIX)?;
    (1..=rest.len().min(20)).find_map(|digits| {
        let (length, message) = rest.split_at_checked(digits)?;
        (length == message.len().to_string().as_bytes()).then_some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_prefixes_are_read() {
        for length in [0, 1, 9, 10, 99, 100, 1000] {
            let message = vec![b'1'; length];
            assert_eq!(
                unprefix(&prefixed(&message)),
                Some(&message[..]),
                "{length}"
            );
        }
    }

    /// Two lengths could only both fit if a message of m bytes, followed by nothing, had a decimal
    /// length one digit longer: m = 10 m + d + ... never holds for the same rest.
    #[test]
    fn the_reading_is_unique() {
        for rest_length in 1..2000_usize {
            let fits = (1..=rest_length.min(20))
                .filter(|digits| (rest_length - digits).to_string().len() == *digits)
                .count();
            assert!(fits <= 1, "{rest_length}");
        }
    }

    #[test]
    fn anything_but_the_exact_length_is_refused() {
        let with = |tail: &[u8]| [PREFIX, tail].concat();
        for bad in [
            with(b""),
            with(b"5hell"),
            with(b"5helloo"),
            with(b"05hello"),
            with(b"+5hello"),
            with(b" 5hello"),
            with(b"0x5hello"),
            with(b"hello"),
            with(b"18446744073709551621hello"),
            b"\x19Ethereum Signed Message:5hello".to_vec(),
            b"\x19ethereum Signed Message:\n5hello".to_vec(),
        ] {
            assert_eq!(unprefix(&bad), None, "{}", String::from_utf8_lossy(&bad));
        }
    }
}
