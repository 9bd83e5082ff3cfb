//! Exact postcard encoding: no trailing bytes, buffers wiped where they hold secrets.

use halfkey_core::PartyIndex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::Error;

/// Encodes into a buffer of the exact size, so that no reallocation leaves a copy behind.
pub(crate) fn encode(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Error> {
    const BUG: Error = Error::Bug("a value did not encode");
    let size = postcard::experimental::serialized_size(value).map_err(|_| BUG)?;
    postcard::to_extend(value, Vec::with_capacity(size))
        .map(Zeroizing::new)
        .map_err(|_| BUG)
}

/// Encodes a message of about `capacity` bytes: it holds no lasting secret, so that measuring it
/// first is not worth a second pass over tens of kilobytes.
pub(crate) fn encode_message(
    value: &impl Serialize,
    capacity: usize,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    postcard::to_extend(value, Vec::with_capacity(capacity))
        .map(Zeroizing::new)
        .map_err(|_| Error::Bug("a message did not encode"))
}

/// Decodes all of `bytes`; `None` when they are anything but one value.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// [`decode`], blaming `from` for anything else.
pub(crate) fn decode_from<T: DeserializeOwned>(
    from: PartyIndex,
    what: &'static str,
    bytes: &[u8],
) -> Result<T, Error> {
    decode(bytes).ok_or(Error::Refused { from, what })
}
