//! Containers for secrets: wiped on drop, never printed, compared in constant time.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

/// Fills with zeros all that was ever written, in one pass: `Vec`'s own way goes byte by byte and
/// costs more than the cipher on a share. The barrier keeps the compiler from leaving it out.
fn wipe(bytes: &mut Vec<u8>) {
    bytes.fill(0);
    optimization_barrier(bytes.as_slice());
    // Usually empty.
    bytes.spare_capacity_mut().zeroize();
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
        self.zeroize();
    }
}

impl ZeroizeOnDrop for SecretBytes {}

impl SecretBytes {
    /// Takes ownership of `bytes`; the caller keeps no copy.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
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
        let mut bytes = vec![7; 40];
        wipe(&mut bytes);
        assert_eq!(bytes, [0; 40]);
        let mut text = SecretString::from("hunter2");
        text.zeroize();
        assert!(text.is_empty());
        let mut secret = SecretBytes::new(vec![7; 40]);
        secret.zeroize();
        assert!(secret.is_empty());
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
