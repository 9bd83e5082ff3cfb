use halfkey_core::wire::CBOR;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::opts::BodyFormat;
use crate::{Error, Result};

pub(super) const fn media_type(format: BodyFormat) -> &'static str {
    match format {
        BodyFormat::Cbor => CBOR,
        BodyFormat::Json => "application/json",
    }
}

pub(super) fn encode<T: Serialize>(format: BodyFormat, value: &T) -> Result<Vec<u8>> {
    match format {
        BodyFormat::Cbor => {
            let mut bytes = Vec::new();
            ciborium::into_writer(value, &mut bytes)
                .map_err(|_| Error::Bug("a request does not encode as CBOR"))?;
            Ok(bytes)
        }
        BodyFormat::Json => {
            serde_json::to_vec(value).map_err(|_| Error::Bug("a request does not encode as JSON"))
        }
    }
}

/// Reads a body by its media type. The parsers' own messages may quote the body, so they are
/// dropped.
pub(super) fn decode<T: DeserializeOwned>(media_type: &str, body: &[u8]) -> Option<T> {
    if media_type.starts_with(CBOR) {
        ciborium::from_reader(body).ok()
    } else if media_type.starts_with("application/json") {
        serde_json::from_slice(body).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::PartyIndex;
    use halfkey_core::wire::{Blob, CeremonyMessage, CeremonyRound};

    use super::*;

    #[test]
    fn both_formats_carry_the_same_message() {
        let round = CeremonyRound {
            messages: vec![CeremonyMessage {
                from: PartyIndex::CUSTOMER_1,
                to: PartyIndex::PROVIDER,
                body: Blob(vec![0xF5; 300]),
            }],
        };
        for format in [BodyFormat::Cbor, BodyFormat::Json] {
            let bytes = encode(format, &round).unwrap();
            let again: CeremonyRound = decode(media_type(format), &bytes).unwrap();
            assert_eq!(again.messages, round.messages, "{format:?}");
        }
        assert!(decode::<CeremonyRound>("text/html", b"{}").is_none());
        assert!(decode::<CeremonyRound>("application/json", b"{").is_none());
    }
}
