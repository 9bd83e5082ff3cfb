//! Reading a record, without the lock.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::MAX_RECORD_LEN;
use super::directory::Directory;
use super::format::{self, MAX_HEADER};
use crate::private_file;
use crate::{Error, RecordName, Versioned};

/// How often a file may be replaced while it is read.
const ROUNDS: usize = 16;

/// Reads the record; the file that is wiped in the midst of it is not the record any more.
pub(super) fn read(
    directory: &Directory,
    name: &RecordName,
) -> Result<Option<Versioned<Vec<u8>>>, Error> {
    let path = directory.file_of(name);
    for _ in 0..ROUNDS {
        let Some(file) = private_file::open(&path)? else {
            return Ok(None);
        };
        let bytes = read_all(&file, &path)?;
        match format::decode(name, &bytes) {
            Ok(found) => return Ok(Some(found)),
            Err(why) if is_still(&file, &path)? => {
                return Err(Error::corrupt(name.as_str(), why));
            }
            Err(_) => {}
        }
    }
    Err(Error::temporary(format!(
        "record {name} is written faster than it can be read"
    )))
}

fn read_all(file: &File, path: &Path) -> Result<Vec<u8>, Error> {
    let limit = MAX_RECORD_LEN.saturating_add(MAX_HEADER).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(u64::try_from(limit).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)
        .map_err(|error| private_file::io_error("cannot read", path, &error))?;
    Ok(bytes)
}

/// Whether that open file still stands under its name.
fn is_still(file: &File, path: &Path) -> Result<bool, Error> {
    let failed = |error: &std::io::Error| private_file::io_error("cannot examine", path, error);
    let open = file.metadata().map_err(|error| failed(&error))?;
    match path.symlink_metadata() {
        Ok(now) => Ok(now.ino() == open.ino() && now.dev() == open.dev()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(&error)),
    }
}
