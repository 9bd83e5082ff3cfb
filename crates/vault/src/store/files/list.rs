//! Listing names. Some file systems let a name that is replaced during a listing slip through it,
//! so no writer may come between.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read as _;

use super::directory::Directory;
use super::file_name::{Named, record_of};
use super::format::{self, MAX_HEADER};
use crate::private_file;
use crate::{Error, Page, RecordName};

/// A page of names. The directory is in no order, so each page reads all of it.
pub(super) fn list(
    directory: &Directory,
    prefix: &str,
    after: Option<&RecordName>,
    limit: usize,
) -> Result<Page, Error> {
    let _lock = directory.lock_shared()?;
    let mut names = BTreeSet::new();
    for entry in directory.entries()? {
        let entry = entry?;
        let name = match record_of(&entry) {
            Named::Record(name) => Some(name),
            Named::Inside => read_name(directory, &entry)?,
            Named::Other => None,
            Named::Strange => {
                return Err(Error::corrupt(
                    entry.to_string_lossy(),
                    "no record has a file of that name",
                ));
            }
        };
        let Some(name) = name else { continue };
        if name.as_str().starts_with(prefix) && after.is_none_or(|after| name > *after) {
            names.insert(name);
            // One more than fits tells that there are more.
            if names.len() > limit.saturating_add(1) {
                names.pop_last();
            }
        }
    }
    let more = names.len() > limit;
    let names: Vec<_> = names.into_iter().take(limit).collect();
    let next = names.last().filter(|_| more).cloned();
    Ok(Page { names, next })
}

/// The name inside a file.
fn read_name(directory: &Directory, entry: &OsStr) -> Result<Option<RecordName>, Error> {
    let path = directory.path().join(entry);
    let Some(file) = private_file::open(&path)? else {
        return Ok(None);
    };
    let mut head = Vec::with_capacity(MAX_HEADER);
    file.take(u64::try_from(MAX_HEADER).unwrap_or(u64::MAX))
        .read_to_end(&mut head)
        .map_err(|error| private_file::io_error("cannot read", &path, &error))?;
    match format::decode_name(&head) {
        Ok(name) if *directory.file_of(&name) == *path => Ok(Some(name)),
        Ok(_) => Err(Error::corrupt(
            entry.to_string_lossy(),
            "its file belongs to another record",
        )),
        Err(why) => Err(Error::corrupt(entry.to_string_lossy(), why)),
    }
}
