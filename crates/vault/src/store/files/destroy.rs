//! Destroying a record, under the lock.

use super::directory::Directory;
use super::read;
use crate::private_file;
use crate::{Error, Expect, RecordName, Rev};

/// How far the floor rises for a record whose revision cannot be read: it began at the floor or
/// below, and no record was ever written so often.
const DAMAGED_STEP: u64 = 1 << 32;

/// The floor first, then the file: a death on the way leaves the record, or a file on its way out
/// that the next opening wipes.
pub(super) fn destroy(
    directory: &Directory,
    name: &RecordName,
    expect: Expect,
) -> Result<(), Error> {
    if expect == Expect::Absent {
        return Err(Error::Caller("what is absent cannot be destroyed"));
    }
    let lock = directory.lock()?;
    let found = match read::read(directory, name) {
        Ok(found) => found.map(|found| Some(found.rev)),
        // Damaged: its revision is not known, and no revision fits it.
        Err(Error::Corrupt { .. }) => Some(None),
        Err(error) => return Err(error),
    };
    let path = directory.file_of(name);
    // A write that died may have left the record's bytes beside it.
    private_file::sweep(&path)?;
    match (found, expect) {
        (None, Expect::Any) => return Ok(()),
        (Some(Some(rev)), Expect::Rev(expected)) if rev == expected => lock.raise_floor(rev)?,
        (Some(Some(rev)), Expect::Any) => lock.raise_floor(rev)?,
        (Some(None), Expect::Any) => {
            lock.raise_floor(Rev(lock.floor()?.0.saturating_add(DAMAGED_STEP)))?;
        }
        (_, Expect::Rev(_) | Expect::Absent) => return Err(Error::Conflict(name.to_string())),
    }
    lock.remove(&path)
}
