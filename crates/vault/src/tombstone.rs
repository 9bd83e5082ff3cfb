//! What stands in place of a record between its destruction and its removal.

const TOMBSTONE: &[u8] = b"HKT1 destroyed";

/// The bytes that overwrite a record before it is removed: no wrapped key, no body.
pub(crate) const fn tombstone() -> &'static [u8] {
    TOMBSTONE
}

/// Whether these bytes are a tombstone.
pub(crate) fn is_tombstone(bytes: &[u8]) -> bool {
    bytes == TOMBSTONE
}
