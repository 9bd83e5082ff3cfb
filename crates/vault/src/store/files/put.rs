//! Writing a record, under the lock.

use super::directory::Directory;
use super::directory::sweep::{open_to_wipe, wipe_replaced};
use super::{format, read};
use crate::private_file::{self, Replace};
use crate::{Error, Expect, RecordName, Rev};

/// Compares and writes; the lock keeps the two together.
pub(super) fn put(
    directory: &Directory,
    name: &RecordName,
    bytes: &[u8],
    expect: Expect,
) -> Result<Rev, Error> {
    let lock = directory.lock()?;
    let found = read::read(directory, name)?.map(|found| found.rev);
    let holds = match expect {
        Expect::Absent => found.is_none(),
        Expect::Rev(rev) => found == Some(rev),
        Expect::Any => true,
    };
    if !holds {
        return Err(Error::Conflict(name.to_string()));
    }
    let last = match found {
        Some(rev) => rev,
        None => lock.floor()?,
    };
    let rev = last
        .0
        .checked_add(1)
        .ok_or_else(|| Error::corrupt(name.as_str(), "its revision is the last there is"))?;
    let rev = Rev(rev);
    let path = directory.file_of(name);
    let old = match found {
        Some(_) => Some(
            open_to_wipe(&path)
                .map_err(|error| private_file::io_error("cannot open", &path, &error))?,
        ),
        None => None,
    };
    let file = format::encode(name, rev, bytes);
    private_file::write_atomically(&path, &file, Replace::Existing)?;
    if let Some(old) = old
        && let Err(error) = wipe_replaced(&old)
    {
        tracing::warn!(record = %name, %error, "what a record held before was not wiped");
    }
    Ok(rev)
}
