//! The mark that storage tiers were set up here: what is missing later was lost, not new.

use std::path::Path;

use halfkey_core::EnvironmentId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::private_file::{self, Replace};

const FILE: &str = "storage.json";
const FORMAT: &str = "halfkey-storage-v1";

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    format: String,
    environment: EnvironmentId,
}

/// Whether the mark stands in `dir`.
///
/// # Errors
/// [`Error::Environment`] when it is another environment's, [`Error::Config`] when it is no mark.
pub(super) fn is_there(dir: &Path, environment: &EnvironmentId) -> Result<bool, Error> {
    let path = dir.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(private_file::io_error("the storage mark", &path, &error)),
    };
    let mark: Mark = serde_json::from_slice(&bytes)
        .ok()
        .filter(|mark: &Mark| mark.format == FORMAT)
        .ok_or_else(|| Error::Config(format!("{} is damaged", path.display())))?;
    if mark.environment != *environment {
        return Err(Error::Environment {
            what: "the data directory".to_owned(),
            found: mark.environment.to_string(),
            expected: environment.to_string(),
        });
    }
    Ok(true)
}

/// Puts the mark into `dir`, durably.
pub(super) fn put(dir: &Path, environment: &EnvironmentId) -> Result<(), Error> {
    let mark = Mark {
        format: FORMAT.to_owned(),
        environment: environment.clone(),
    };
    let json = serde_json::to_vec(&mark).map_err(|_| Error::permanent("a mark does not encode"))?;
    private_file::write_atomically(&dir.join(FILE), &json, Replace::Existing)
}
