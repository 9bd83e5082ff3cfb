//! Files and directories that nobody but their owner may touch: 0600 in 0700.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use halfkey_core::crash_point;
use rustix::fs::{Mode, OFlags};

use crate::Error;
use crate::entropy::random_bytes;

/// Turns an I/O error into this crate's, naming what was being done.
pub(crate) fn io_error(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let message = format!("{what} {}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full(message),
        _ => Error::permanent(message),
    }
}

/// Makes `dir` (0700, parents too) if it is absent, then checks it as [`check_dir`] does.
pub(crate) fn ensure_dir(dir: &Path) -> Result<(), Error> {
    // The mode can only be narrowed by the umask, never widened.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| io_error("cannot make directory", dir, &error))?;
    check_dir(dir)
}

/// Refuses a directory that is not ours alone.
pub(crate) fn check_dir(dir: &Path) -> Result<(), Error> {
    let found =
        std::fs::metadata(dir).map_err(|error| io_error("cannot read directory", dir, &error))?;
    if !found.is_dir() {
        return Err(Error::Permissions(format!(
            "{} is not a directory",
            dir.display()
        )));
    }
    check(dir, &found, "700")
}

/// Refuses an open file that is not a regular file of ours alone.
pub(crate) fn check_file(path: &Path, file: &File) -> Result<(), Error> {
    let found = file
        .metadata()
        .map_err(|error| io_error("cannot examine", path, &error))?;
    if !found.is_file() {
        return Err(Error::Permissions(format!(
            "{} is not a regular file",
            path.display()
        )));
    }
    check(path, &found, "600")
}

fn check(path: &Path, found: &Metadata, wanted: &str) -> Result<(), Error> {
    let shown = path.display();
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::Permissions(format!(
            "{shown} belongs to another user"
        )));
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Permissions(format!(
            "{shown} is open to others (mode {mode:o}); run: chmod {wanted} {shown}"
        )));
    }
    Ok(())
}

/// Opens an existing private file for reading, following no link; `None` when it is absent.
pub(crate) fn open(path: &Path) -> Result<Option<File>, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => {
            return Err(Error::Permissions(format!(
                "{} is a symbolic link",
                path.display()
            )));
        }
        Err(error) => return Err(io_error("cannot open", path, &error.into())),
    };
    check_file(path, &file)?;
    Ok(Some(file))
}

/// Creates an empty private file; fails when anything stands there.
pub(crate) fn create(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error("cannot create", path, &error))
}

/// Makes the names in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| io_error("cannot sync directory", dir, &error))
}

/// Whether [`write_atomically`] may replace what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// Fails when anything stands under the name.
    Never,
    /// Takes the place of what is there.
    Existing,
}

/// Writes a whole file so that a crash leaves the old one or the new one, never a part: temporary
/// file beside it, sync, rename, sync of the directory.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8], replace: Replace) -> Result<(), Error> {
    let dir = parent(path)?;
    let temporary = temporary_beside(path)?;
    let placed = place(path, &temporary, bytes, replace);
    if placed.is_err() || replace == Replace::Never {
        // After a link the temporary name is only a second one; after a failure it is litter.
        drop(std::fs::remove_file(&temporary));
    }
    placed?;
    sync_dir(&dir)
}

fn place(path: &Path, temporary: &Path, bytes: &[u8], replace: Replace) -> Result<(), Error> {
    let mut file = create(temporary)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| io_error("cannot write", temporary, &error))?;
    crash_point("vault.file.written");
    match replace {
        Replace::Never => std::fs::hard_link(temporary, path),
        Replace::Existing => std::fs::rename(temporary, path),
    }
    .map_err(|error| io_error("cannot put in place", path, &error))
}

/// The directory a file stands in.
pub(crate) fn parent(path: &Path) -> Result<PathBuf, Error> {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Ok(PathBuf::from(".")),
        Some(dir) => Ok(dir.to_owned()),
        None => Err(Error::Caller("the path names no file")),
    }
}

fn temporary_beside(path: &Path) -> Result<PathBuf, Error> {
    let name = path
        .file_name()
        .ok_or(Error::Caller("the path names no file"))?;
    let suffix = hex::encode(*random_bytes::<8>()?);
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{suffix}.tmp"));
    Ok(parent(path)?.join(temporary))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn open_rejects_every_bit_of_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomically(&path, b"x", Replace::Never).unwrap();
        assert!(open(&path).unwrap().is_some());
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            chmod(&path, 0o600 | bit);
            assert!(matches!(open(&path), Err(Error::Permissions(_))), "{bit:o}");
        }
    }

    #[test]
    fn open_rejects_links_and_directories() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomically(&path, b"x", Replace::Never).unwrap();
        let link = dir.path().join("l");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(open(&link), Err(Error::Permissions(_))));
        assert!(matches!(open(dir.path()), Err(Error::Permissions(_))));
        assert!(open(&dir.path().join("absent")).unwrap().is_none());
    }

    #[test]
    fn check_dir_rejects_a_directory_others_can_enter() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("d");
        ensure_dir(&dir).unwrap();
        chmod(&dir, 0o755);
        let error = check_dir(&dir).unwrap_err().to_string();
        assert!(
            error.contains("755") && error.contains("chmod 700"),
            "{error}"
        );
    }

    #[test]
    fn write_atomically_never_replaces_unasked_and_leaves_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomically(&path, b"old", Replace::Never).unwrap();
        assert!(write_atomically(&path, b"new", Replace::Never).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        write_atomically(&path, b"new", Replace::Existing).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }
}
