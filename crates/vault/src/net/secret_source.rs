//! Where a credential comes from: a file or an environment variable, never the configuration.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use halfkey_core::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Error;

/// Names the place of a credential: `{ file = "/run/secrets/pg" }`, `{ env = "PGPASSWORD" }` or
/// `{ credential = "pg" }` (systemd's `LoadCredential=`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// A file's first line. It must not be readable by others.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A file of that name in systemd's `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

impl SecretSource {
    /// Reads it. Blocks on the file.
    ///
    /// # Errors
    /// [`Error::Config`] when it is absent, empty or open to others; never with its content.
    pub fn read(&self) -> Result<SecretString, Error> {
        let text = match self {
            Self::File(path) => read_file(path)?,
            Self::Env(name) => Zeroizing::new(
                std::env::var(name)
                    .map_err(|_| Error::Config(format!("{name} is not set in the environment")))?,
            ),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    Error::Config("CREDENTIALS_DIRECTORY is not set: not started by systemd".into())
                })?;
                if name.contains('/') || name.starts_with('.') {
                    return Err(Error::Config("a credential's name is no path".into()));
                }
                read_file(&PathBuf::from(folder).join(name))?
            }
        };
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(Error::Config(format!("the credential {self} is empty")));
        }
        Ok(SecretString::from(line))
    }
}

/// The place, never the credential.
impl core::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Env(name) => write!(f, "in ${name}"),
            Self::Credential(name) => write!(f, "named {name}"),
        }
    }
}

fn read_file(path: &PathBuf) -> Result<Zeroizing<String>, Error> {
    let fail = |error: std::io::Error| {
        Error::Config(format!(
            "credential file {}: {}",
            path.display(),
            error.kind()
        ))
    };
    let mode = std::fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::Config(format!(
            "credential file {} is open to others (mode {:o}); chmod 600 it",
            path.display(),
            mode & 0o777
        )));
    }
    std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32, text: &str) -> (tempfile::TempDir, SecretSource) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, SecretSource::File(path))
    }

    #[test]
    fn a_private_file_gives_its_first_line() {
        let (_dir, source) = file(0o600, "canary\nsecond\n");
        assert_eq!(source.read().unwrap().expose(), "canary");
    }

    #[test]
    fn secret_source_rejects_open_empty_and_absent_files() {
        for (mode, text) in [
            (0o644, "canary"),
            (0o640, "canary"),
            (0o600, ""),
            (0o600, "\n"),
        ] {
            let (_dir, source) = file(mode, text);
            let error = source.read().unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error:?}");
            assert!(!error.to_string().contains("canary"));
        }
        let absent = SecretSource::File("/nonexistent/credential".into());
        assert!(matches!(absent.read(), Err(Error::Config(_))));
        let unset = SecretSource::Env("HALFKEY_NO_SUCH_VARIABLE".to_owned());
        assert!(matches!(unset.read(), Err(Error::Config(_))));
    }
}
