//! One version of the KEK as an object in the token.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::{Date, Ulong};
use halfkey_core::UnixMillis;

use super::date;
use super::failure::{self, Failure};
use crate::Error;

const KEY_LEN: Ulong = Ulong::new(32);

/// A key object whose attributes are as they must be.
#[derive(Debug, Clone)]
pub(super) struct KeyObject {
    pub(super) number: u32,
    pub(super) handle: ObjectHandle,
    pub(super) created_at: Option<UnixMillis>,
    pub(super) is_enabled: bool,
}

/// The first value of one kind among attributes.
macro_rules! value {
    ($attributes:expr, $kind:ident) => {
        $attributes.iter().find_map(|attribute| {
            if let Attribute::$kind(value) = attribute {
                Some(value)
            } else {
                None
            }
        })
    };
}

/// Every key object of that label, each checked.
pub(super) fn list(session: &Session, label: &str) -> Result<Vec<KeyObject>, Failure> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Token(true),
        Attribute::Label(label.into()),
    ];
    let handles = session.find_objects(&template);
    let handles = handles.map_err(|error| failure::of(&error))?;
    let read = |handle| read(session, handle, label);
    handles.into_iter().map(read).collect()
}

fn read(session: &Session, handle: ObjectHandle, label: &str) -> Result<KeyObject, Failure> {
    let wanted = [
        AttributeType::Id,
        AttributeType::KeyType,
        AttributeType::ValueLen,
        AttributeType::Private,
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::Decrypt,
    ];
    let found = session.get_attributes(handle, &wanted);
    let found = found.map_err(|error| failure::of(&error))?;
    // Some modules fail on a date they do not keep; it is only shown.
    let dated = session.get_attributes(handle, &[AttributeType::StartDate]);
    let dated = dated.unwrap_or_default();
    let id = value!(found, Id).map_or(&[][..], Vec::as_slice);
    let refused = |why: &str| {
        let id = hex::encode(id);
        Failure::from(Error::Config(format!("key {label} with id {id} {why}")))
    };
    if value!(found, KeyType) != Some(&KeyType::AES) || value!(found, ValueLen) != Some(&KEY_LEN) {
        return Err(refused("is no AES-256 key"));
    }
    if value!(found, Extractable) != Some(&false) {
        return Err(refused("can be extracted from the token"));
    }
    if value!(found, Sensitive) != Some(&true) {
        return Err(refused("is not sensitive: the token would show it"));
    }
    if value!(found, Private) != Some(&true) {
        return Err(refused("can be used without the PIN"));
    }
    Ok(KeyObject {
        number: number_of(id).ok_or_else(|| refused("has an id that is no version number"))?,
        handle,
        created_at: value!(dated, StartDate).and_then(date::start_of),
        is_enabled: value!(found, Decrypt) == Some(&true),
    })
}

/// Makes a key in the token that never leaves it.
pub(super) fn generate(
    session: &Session,
    label: &str,
    number: u32,
    day: Option<Date>,
) -> Result<(), Failure> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
        Attribute::ValueLen(KEY_LEN),
        Attribute::Label(label.into()),
        Attribute::Id(id_of(number)),
    ];
    template.extend(day.map(Attribute::StartDate));
    let made = session.generate_key(&Mechanism::AesKeyGen, &template);
    made.map(drop).map_err(|error| failure::of(&error))
}

/// Allows or forbids a key to be used. It can be turned back.
pub(super) fn set_enabled(
    session: &Session,
    handle: ObjectHandle,
    enabled: bool,
) -> Result<(), Failure> {
    let template = [Attribute::Encrypt(enabled), Attribute::Decrypt(enabled)];
    let set = session.update_attributes(handle, &template);
    set.map_err(|error| failure::of(&error))
}

/// `CKA_ID` of a version: its number, big-endian, without leading zeros.
fn id_of(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes().into_iter();
    bytes.skip_while(|byte| *byte == 0).collect()
}

fn number_of(id: &[u8]) -> Option<u32> {
    let mut bytes = [0; 4];
    let start = bytes.len().checked_sub(id.len())?;
    bytes.get_mut(start..)?.copy_from_slice(id);
    let number = u32::from_be_bytes(bytes);
    (number > 0 && id_of(number) == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_without_leading_zeros() {
        for (number, id) in [
            (1, &[1][..]),
            (255, &[255]),
            (256, &[1, 0]),
            (u32::MAX, &[255; 4]),
        ] {
            assert_eq!(id_of(number), id);
            assert_eq!(number_of(id), Some(number));
        }
        for id in [&[][..], &[0], &[0, 1], &[1, 0, 0, 0, 0], b"0001x"] {
            assert_eq!(number_of(id), None, "{id:?}");
        }
    }
}
