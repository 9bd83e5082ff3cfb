//! Containers for secrets: wiped on drop, never printed, compared in constant time.

use core::cell::Cell;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

/// Fills with zeros all that was ever written, in one pass: `Vec`'s own way goes byte by byte and
/// costs more than the cipher on a share. The barrier keeps the compiler from leaving it out.
/// Leaves the whole capacity in use, and zero.
fn wipe(bytes: &mut Vec<u8>) {
    bytes.fill(0);
    bytes.resize(bytes.capacity(), 0);
    optimization_barrier(bytes.as_slice());
}

/// The lengths worth keeping a wiped buffer for: key shares, not what is small or very large.
const KEPT: core::ops::RangeInclusive<usize> = 0x1000..=0x40_0000;

std::thread_local! {
    /// One wiped buffer of this thread, all zeros. Each signature opens a share: wiping one leaves
    /// just the zeroed room that the next one needs.
    static WIPED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// `len` zeros, in the room of a wiped secret where that fits.
fn zeros(len: usize) -> Vec<u8> {
    let fits = |kept: &Vec<u8>| (len..=len.saturating_mul(2)).contains(&kept.len());
    let kept = WIPED.try_with(Cell::take).ok();
    kept.filter(|_| KEPT.contains(&len))
        .filter(fits)
        .map_or_else(
            || vec![0; len],
            |mut kept| {
                kept.truncate(len);
                kept
            },
        )
}

/// Gives a type a `Debug` that names the type and nothing in it.
#[macro_export]
macro_rules! redacted_debug {
    ($($name:ty),+ $(,)?) => {$(
        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )+};
}

/// Secret bytes on the heap.
#[derive(Clone, Default)]
pub struct SecretBytes(Vec<u8>);

impl Zeroize for SecretBytes {
    fn zeroize(&mut self) {
        wipe(&mut self.0);
        self.0.clear();
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        wipe(&mut self.0);
        if KEPT.contains(&self.0.len()) {
            let wiped = core::mem::take(&mut self.0);
            // While the thread ends there is no place any more: then it is freed.
            WIPED.try_with(|kept| kept.set(wiped)).ok();
        }
    }
}

impl ZeroizeOnDrop for SecretBytes {}

impl SecretBytes {
    /// Takes ownership of `bytes`; the caller keeps no copy.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// `len` bytes, zero until `fill` has written them; `None` when that says so, and then whatever
    /// it wrote is wiped.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8]) -> Option<()>) -> Option<Self> {
        let mut secret = Self(zeros(len));
        fill(&mut secret.0).map(|()| secret)
    }

    /// The secret itself. Named so that every use can be found.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretBytes {}

/// A secret text: a token, a password, an encoded share.
#[derive(Clone, Default)]
pub struct SecretString(String);

impl Zeroize for SecretString {
    fn zeroize(&mut self) {
        wipe(&mut core::mem::take(&mut self.0).into_bytes());
    }
}

impl Drop for SecretString {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for SecretString {}

impl SecretString {
    /// Takes ownership of `text`; the caller keeps no copy.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Named so that every use can be found.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for SecretString {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq for SecretString {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretString {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_leaves_zeros() {
        let mut bytes = Vec::with_capacity(60);
        bytes.extend([7; 60]);
        bytes.truncate(40);
        wipe(&mut bytes);
        assert!(bytes.len() >= 60 && bytes.iter().all(|byte| *byte == 0));
        let mut text = SecretString::from("hunter2");
        text.zeroize();
        assert!(text.is_empty());
        let mut secret = SecretBytes::new(vec![7; 40]);
        secret.zeroize();
        assert!(secret.is_empty());
    }

    /// Also in room that a longer secret had before, and after a failure half way.
    #[test]
    fn a_secret_to_be_filled_begins_with_zeros() {
        for len in [0, 40, 0x1000, 0x1800, 0x1000, 0x10_0000, 0x1000] {
            let is_clean = |bytes: &[u8]| bytes.len() == len && bytes.iter().all(|byte| *byte == 0);
            let refused = SecretBytes::filled(len, |bytes| {
                assert!(is_clean(bytes));
                bytes.fill(7);
                None
            });
            assert!(refused.is_none());
            let filled = SecretBytes::filled(len, |bytes| {
                assert!(is_clean(bytes));
                bytes.fill(7);
                Some(())
            });
            assert_eq!(filled.unwrap().expose(), vec![7; len]);
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let text = format!(
            "{:?} {:?}",
            SecretString::from("hunter2"),
            SecretBytes::new(b"hunter2".to_vec())
        );
        assert!(!text.contains("hunter2") && !text.contains("104"), "{text}");
    }
}
