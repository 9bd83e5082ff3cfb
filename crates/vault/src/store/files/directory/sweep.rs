//! What a crash left: temporary files, and files on their way out.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Directory, Lock};
use crate::Error;
use crate::private_file;

/// The name of a file whose destruction has begun.
const SHREDDED_END: &str = ".shred";

impl Directory {
    /// The names of everything here.
    pub(in crate::store::files) fn entries(
        &self,
    ) -> Result<impl Iterator<Item = Result<OsString, Error>>, Error> {
        let failed = |error: &std::io::Error| {
            private_file::io_error("cannot read directory", &self.path, error)
        };
        let entries = std::fs::read_dir(&self.path).map_err(|error| failed(&error))?;
        Ok(entries.map(move |entry| Ok(entry.map_err(|error| failed(&error))?.file_name())))
    }
}

impl Lock<'_> {
    /// Removes what earlier writers left when they died.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        private_file::sweep_all(&self.directory.path)?;
        for entry in self.directory.entries()? {
            let entry = entry?;
            if entry
                .to_str()
                .is_some_and(|name| name.ends_with(SHREDDED_END))
            {
                self.shred(&self.directory.path.join(entry))?;
            }
        }
        Ok(())
    }

    /// Takes a file out of its place in one step, then wipes and removes it.
    pub(in crate::store::files) fn remove(&self, path: &Path) -> Result<(), Error> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(SHREDDED_END);
        let aside = PathBuf::from(aside);
        std::fs::rename(path, &aside)
            .map_err(|error| private_file::io_error("cannot remove", path, &error))?;
        private_file::sync_dir(&self.directory.path)?;
        self.shred(&aside)
    }

    fn shred(&self, path: &Path) -> Result<(), Error> {
        let failed = |error: &std::io::Error| private_file::io_error("cannot wipe", path, error);
        let file = open_to_wipe(path).map_err(|error| failed(&error))?;
        // A file with another name is a backup's as well.
        if link_count(&file).map_err(|error| failed(&error))? == 1 {
            wipe(&file).map_err(|error| failed(&error))?;
        }
        std::fs::remove_file(path)
            .map_err(|error| private_file::io_error("cannot remove", path, &error))?;
        private_file::sync_dir(&self.directory.path)
    }
}

/// A file that is about to be replaced, so that what it held can be wiped afterwards.
pub(in crate::store::files) fn open_to_wipe(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open(path)
}

/// Wipes a file that was replaced, unless it has another name.
pub(in crate::store::files) fn wipe_replaced(file: &File) -> std::io::Result<()> {
    if link_count(file)? == 0 {
        wipe(file)?;
    }
    Ok(())
}

fn link_count(file: &File) -> std::io::Result<u64> {
    Ok(file.metadata()?.nlink())
}

/// Overwrites all of it in place. On file systems that never write in place, and on flash, the old
/// bytes may stay; there they are sealed still.
fn wipe(mut file: &File) -> std::io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut left = file.metadata()?.len();
    while left > 0 {
        let step = left.min(4096);
        let zeros = usize::try_from(step).unwrap_or_default();
        file.write_all(ZEROS.get(..zeros).unwrap_or(&ZEROS))?;
        left = left.saturating_sub(step);
    }
    file.sync_data()
}
