//! The keyring passphrase: from a file, never from argv or the environment.

use std::path::Path;

use halfkey_core::SecretString;
use zeroize::Zeroizing;

use crate::exit_code::Failure;

/// The first line of `file`, if one was named. `/dev/fd/3` and systemd credentials are files too.
pub(crate) fn read(file: Option<&Path>) -> Result<Option<SecretString>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text =
        Zeroizing::new(std::fs::read_to_string(file).map_err(|error| {
            Failure::input(format!("passphrase file {}: {error}", file.display()))
        })?);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Some(SecretString::from(line))),
        _ => Err(Failure::input(format!(
            "passphrase file {} is empty",
            file.display()
        ))),
    }
}
