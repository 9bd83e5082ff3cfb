//! Files and directories that nobody but their owner may touch: 0600 in 0700.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use halfkey_core::crash_point;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

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

/// Makes `dir` (0700, parents too) if it is absent, durably, then checks it as [`check_dir`] does.
pub(crate) fn ensure_dir(dir: &Path) -> Result<(), Error> {
    let absent: Vec<&Path> = dir
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && dir.symlink_metadata().is_err())
        .collect();
    for made in absent.into_iter().rev() {
        // The mode can only be narrowed by the umask, never widened.
        match DirBuilder::new().mode(0o700).create(made) {
            Ok(()) => {}
            // Another process was first; what it made is checked below.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error("cannot make directory", made, &error)),
        }
        sync_dir(&parent(made)?)?;
    }
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
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
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
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(dir.to_owned()));
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
    if placed.is_err() {
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
        Replace::Never => rename_to_absent(temporary, path),
        Replace::Existing => std::fs::rename(temporary, path),
    }
    .map_err(|error| io_error("cannot put in place", path, &error))
}

/// In one step, so that no crash leaves two names of one file.
fn rename_to_absent(from: &Path, to: &Path) -> std::io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot: what is left by a crash between the two is swept later.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

/// Removes what a crash left of earlier [`write_atomically`] of `path`: it may hold secrets. The
/// caller holds off everybody else who would write there.
pub(crate) fn sweep(path: &Path) -> Result<(), Error> {
    let dir = parent(path)?;
    let prefix = temporary_prefix(path)?;
    let entries =
        std::fs::read_dir(&dir).map_err(|error| io_error("cannot read directory", &dir, &error))?;
    let mut swept = false;
    for entry in entries {
        let entry = entry.map_err(|error| io_error("cannot read directory", &dir, &error))?;
        if is_temporary(&entry.file_name(), &prefix) {
            let left = entry.path();
            std::fs::remove_file(&left)
                .map_err(|error| io_error("cannot remove", &left, &error))?;
            swept = true;
        }
    }
    if swept { sync_dir(&dir) } else { Ok(()) }
}

/// Removes what a crash left of [`write_atomically`] of every file in `dir`, under the same
/// condition.
pub(crate) fn sweep_all(dir: &Path) -> Result<(), Error> {
    let entries =
        std::fs::read_dir(dir).map_err(|error| io_error("cannot read directory", dir, &error))?;
    let mut swept = false;
    for entry in entries {
        let entry = entry.map_err(|error| io_error("cannot read directory", dir, &error))?;
        let name = entry.file_name();
        let of = name.as_bytes().rsplitn(3, |byte| *byte == b'.').last();
        let prefix = of.map(|of| [of, b"."].concat()).unwrap_or_default();
        if prefix.starts_with(b".") && is_temporary(&name, OsStr::from_bytes(&prefix)) {
            let left = entry.path();
            std::fs::remove_file(&left)
                .map_err(|error| io_error("cannot remove", &left, &error))?;
            swept = true;
        }
    }
    if swept { sync_dir(dir) } else { Ok(()) }
}

/// Exactly the names that [`temporary_beside`] makes.
fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let suffix = name
        .as_bytes()
        .strip_prefix(prefix.as_bytes())
        .and_then(|rest| rest.strip_suffix(TEMPORARY_END.as_bytes()));
    suffix.is_some_and(|suffix| {
        suffix.len() == TEMPORARY_RANDOM.saturating_mul(2)
            && suffix.iter().all(u8::is_ascii_hexdigit)
    })
}

/// The directory a file stands in.
pub(crate) fn parent(path: &Path) -> Result<PathBuf, Error> {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Ok(PathBuf::from(".")),
        Some(dir) => Ok(dir.to_owned()),
        None => Err(Error::Caller("the path names no file")),
    }
}

/// How many random bytes are in a temporary name, in hex.
const TEMPORARY_RANDOM: usize = 8;
const TEMPORARY_END: &str = ".tmp";

fn temporary_beside(path: &Path) -> Result<PathBuf, Error> {
    let suffix = hex::encode(*random_bytes::<TEMPORARY_RANDOM>()?);
    let mut temporary = temporary_prefix(path)?;
    temporary.push(suffix);
    temporary.push(TEMPORARY_END);
    Ok(parent(path)?.join(temporary))
}

fn temporary_prefix(path: &Path) -> Result<OsString, Error> {
    let name = path
        .file_name()
        .ok_or(Error::Caller("the path names no file"))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// The directories this thread synced: nothing else shows it.
        pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

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

    #[test]
    fn ensure_dir_makes_every_new_name_durable() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("a/b/c");
        SYNCED.take();
        ensure_dir(&dir).unwrap();
        let synced = SYNCED.take();
        assert_eq!(
            synced,
            [
                outer.path().to_owned(),
                outer.path().join("a"),
                outer.path().join("a/b")
            ]
        );
        for made in ["a", "a/b", "a/b/c"] {
            let mode = std::fs::metadata(outer.path().join(made)).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o700, "{made}");
        }
        ensure_dir(&dir).unwrap();
        assert!(SYNCED.take().is_empty());
        std::fs::write(outer.path().join("f"), b"").unwrap();
        assert!(ensure_dir(&outer.path().join("f/d")).is_err());
    }

    /// A process that dies right after the file was put in place leaves no second name of it.
    #[test]
    fn a_new_file_is_put_in_place_in_one_step() {
        let dir = tempfile::tempdir().unwrap();
        let (path, temporary) = (dir.path().join("f"), dir.path().join("t"));
        place(&path, &temporary, b"x", Replace::Never).unwrap();
        assert!(!temporary.exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
        let refused = place(&path, &temporary, b"y", Replace::Never);
        assert!(refused.is_err() && temporary.exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn sweep_removes_its_own_litter_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let keep = [
            "f",
            ".f",
            ".f.tmp",
            ".f.0123456789abcde.tmp",
            ".f.0123456789abcdeg.tmp",
            ".g.0123456789abcdef.tmp",
        ];
        for name in keep {
            std::fs::write(dir.path().join(name), b"").unwrap();
        }
        let litter = temporary_beside(&path).unwrap();
        std::fs::write(&litter, b"").unwrap();
        sweep(&path).unwrap();
        assert!(!litter.exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), keep.len());
        std::fs::write(&litter, b"").unwrap();
        sweep_all(dir.path()).unwrap();
        assert!(!litter.exists() && !dir.path().join(".g.0123456789abcdef.tmp").exists());
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, keep.len() - 1);
    }
}
