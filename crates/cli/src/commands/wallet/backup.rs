//! `halfkey wallet backup | recover | change-password`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use halfkey::{BackupFormat, KeyShareBackupInfo, RecoveryKey};
use halfkey_core::SecretString;
use halfkey_core::random::os_rng;
use halfkey_core::wire::KeySharePointer;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Opened, generation};
use crate::args::{Backup, ChangePassword, DropBackup, Recover};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::progress::spinner;

/// More than any password.
const MAX_PASSWORD: u64 = 4096;

pub(super) async fn backup(
    opened: &Opened,
    options: &Backup,
    output: Output,
) -> Result<(), Failure> {
    let secret = new_secret(
        options.password_file.as_deref(),
        options.recovery_key_out.as_deref(),
    )?;
    let format = BackupFormat::from(options.format);
    let bar = spinner(output, "open, encrypt, store");
    let (store, address) = (&opened.store, &options.address);
    let stored = store.back_up(address, secret.expose(), format).await;
    bar.finish_and_clear();
    let info = opened.done(stored).await?;
    said(
        address,
        &info,
        format,
        options.recovery_key_out.as_deref(),
        output,
    );
    Ok(())
}

pub(super) async fn change_password(
    opened: &Opened,
    options: &ChangePassword,
    output: Output,
) -> Result<(), Failure> {
    let existing = options.password_file.as_deref().map(read_password);
    let existing = existing.transpose()?;
    let secret = new_secret(
        options.new_password_file.as_deref(),
        options.recovery_key_out.as_deref(),
    )?;
    let format = BackupFormat::from(options.format);
    let bar = spinner(output, "fetch, open, encrypt, store, replace");
    let existing = existing.as_ref().map(SecretString::expose);
    let changed = opened
        .store
        .update_password(&options.address, existing, secret.expose(), format)
        .await;
    bar.finish_and_clear();
    let info = opened.done(changed).await?;
    let key_file = options.recovery_key_out.as_deref();
    said(&options.address, &info, format, key_file, output);
    Ok(())
}

pub(super) async fn drop_backup(
    opened: &Opened,
    options: &DropBackup,
    output: Output,
) -> Result<(), Failure> {
    let (client, address) = (opened.store.client(), &options.address);
    if options.id.is_empty() {
        let found = client.key_shares(address).await?;
        output.result(&found, || {
            let line = |one: &KeySharePointer| {
                let place = String::from(one.backup_location.clone());
                format!("{}  {place}", one.id)
            };
            let lines: Vec<_> = found.iter().map(line).collect();
            if lines.is_empty() {
                format!("{address}: no backup of its active shares")
            } else {
                lines.join("\n")
            }
        });
        return Ok(());
    }
    let dropped = client.drop_backups(address, &options.id).await?;
    let value = json!({ "account_address": address, "dropped": dropped });
    output.result(&value, || format!("{address}: {dropped} dropped"));
    Ok(())
}

pub(super) async fn recover(
    opened: &Opened,
    options: &Recover,
    output: Output,
) -> Result<(), Failure> {
    if let Some(generation) = options.to_generation {
        return generation::recover(opened, &options.address, generation, output).await;
    }
    let password = options.password_file.as_deref().map(read_password);
    let password = password.transpose()?;
    let bar = spinner(output, "fetch, open, sealed write, proof");
    let password = password.as_ref().map(SecretString::expose);
    let recovered = opened.store.recover(&options.address, password).await;
    bar.finish_and_clear();
    let recovered = opened.done(recovered).await?;
    let address = &recovered.properties.account_address;
    let parties: Vec<_> = recovered.parties.iter().map(|one| one.as_u8()).collect();
    let value = json!({
        "account_address": address,
        "parties": parties,
        "proven": recovered.proven,
        "unprotected": recovered.unprotected,
    });
    output.result(&value, || {
        let mut text = format!("{address}: back in the vault");
        text.push_str(if recovered.proven {
            ", and it signs"
        } else {
            "; the provider has it locked: halfkey wallet refresh"
        });
        if recovered.unprotected {
            text.push_str(
                "\n  the backup was protected by nothing: whoever kept it may have read it\n  \
                 next        halfkey wallet refresh --compromised, then halfkey wallet backup",
            );
        }
        text
    });
    Ok(())
}

fn said(
    address: &str,
    info: &KeyShareBackupInfo,
    format: BackupFormat,
    key_file: Option<&Path>,
    output: Output,
) {
    let ids: Vec<_> = info.backups.values().flatten().collect();
    let ids: Vec<_> = ids.iter().map(|one| &one.key_share_id).collect();
    let value = json!({
        "account_address": address,
        "format": format.as_str(),
        "backups": ids,
        "recovery_key_file": key_file,
    });
    output.result(&value, || {
        let count = ids.len();
        let key = key_file.map(|file| {
            let file = file.display();
            format!(
                "\n  the recovery key is in {file} (0600): keep it where neither the vault nor the \
                 provider is"
            )
        });
        let key = key.unwrap_or_default();
        format!(
            "{address}: {count} encrypted share(s) with the provider{key}\n  of this generation \
             only: after a refresh or reshare, back it up again"
        )
    });
}

/// A password from a file, or a recovery key that is on disk before anything is encrypted with it.
fn new_secret(
    password_file: Option<&Path>,
    recovery_key_out: Option<&Path>,
) -> Result<SecretString, Failure> {
    match (password_file, recovery_key_out) {
        (Some(file), _) => read_password(file),
        (None, Some(out)) => {
            let key = RecoveryKey::generate(&mut os_rng());
            write_key(&key, out)?;
            Ok(SecretString::from(key.expose()))
        }
        (None, None) => Err(Failure::from(halfkey::Error::PasswordRequired)),
    }
}

fn write_key(key: &RecoveryKey, out: &Path) -> Result<(), Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::input(format!("{} exists already", out.display())).with_hint(
                "name a file that does not exist, or take the key in it with --password-file",
            )
        }
        _ => Failure::new(
            ExitKind::Storage,
            "io",
            format!("{}: {error}", out.display()),
        ),
    })?;
    file.write_all(key.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // Its name too is on disk before anything depends on it.
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// The first line of `file`; `-` is standard input.
pub(super) fn read_password(file: &Path) -> Result<SecretString, Failure> {
    // Room for all of it: growing would leave copies behind.
    let limit = MAX_PASSWORD.saturating_add(1);
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let failed = |error: std::io::Error| {
        Failure::input(format!("password file {}: {error}", file.display()))
    };
    if file == Path::new("-") {
        let mut input = std::io::stdin().lock().take(limit);
        input.read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let mut input = File::open(file).map_err(failed)?.take(limit);
        input.read_to_end(&mut bytes).map_err(failed)?;
    }
    let refused = |why: &str| Failure::input(format!("password file {} {why}", file.display()));
    if bytes.len() == room {
        return Err(refused("is too long"));
    }
    let text = core::str::from_utf8(&bytes).map_err(|_| refused("is no text"))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        _ => Err(refused("is empty")),
    }
}
