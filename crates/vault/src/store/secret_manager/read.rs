//! Reading: the row, then the secret it vouches for.

use super::pointer::{self, Pointer};
use super::{Layout, ROUNDS, SecretManagerRecords};
use crate::{Error, RecordName, SealedRecord, Versioned};

const MISSING: &str = "its secret is missing from the secret manager";

impl SecretManagerRecords {
    pub(super) async fn read(
        &self,
        name: &RecordName,
    ) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        let mut missing_at = None;
        for _ in 0..ROUNDS {
            let Some(found) = self.index.get(name).await? else {
                return Ok(None);
            };
            if !pointer::is_pointer(&found.value) {
                return Ok(Some(found));
            }
            let corrupt = |why| Error::corrupt(name.as_str(), why);
            let (pointer, body) = Pointer::parse(&found.value).map_err(corrupt)?;
            let Some(secret) = self.secrets.read(pointer.secret).await? else {
                if missing_at == Some(found.rev) {
                    return Err(corrupt(MISSING));
                }
                // A writer may have replaced it since the row was read; then the row tells.
                missing_at = Some(found.rev);
                continue;
            };
            let value = assemble(&pointer, secret, body).map_err(corrupt)?;
            let rev = found.rev;
            return Ok(Some(Versioned { value, rev }));
        }
        Err(Error::temporary(format!(
            "record {name} is written faster than it can be read"
        )))
    }
}

/// The record as it was put.
fn assemble(pointer: &Pointer, secret: Vec<u8>, body: &[u8]) -> Result<Vec<u8>, &'static str> {
    if !pointer.fits(&secret) {
        return Err("its secret is not the one that was written");
    }
    let mut record = secret;
    match pointer.layout {
        Layout::SealedInSecret => {}
        Layout::DekInSecretManager => record.extend_from_slice(body),
    }
    SealedRecord::from_bytes(&record)?;
    Ok(record)
}
