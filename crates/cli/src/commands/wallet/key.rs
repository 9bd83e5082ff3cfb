//! `halfkey wallet export | rescue`: the whole key goes into a file, never onto a screen.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use halfkey::age::Identity;
use halfkey::{RootKey, SealedKey};
use serde_json::json;
use zeroize::Zeroizing;

use super::Opened;
use crate::args::{ExportKey, Form, OpenExport, Rescue};
use crate::commands::{escrow, recipient};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::progress::spinner;

pub(super) async fn export(
    opened: &Opened,
    options: &ExportKey,
    output: Output,
) -> Result<(), Failure> {
    refuse_existing(&options.out)?;
    if let Some(recipient) = &options.recipient {
        return export_to(opened, &options.address, recipient, &options.out, output).await;
    }
    let bar = spinner(output, "proof, the provider's part, the key");
    let exported = opened.store.export(&options.address).await;
    bar.finish_and_clear();
    let key = opened.done(exported).await?;
    write(&key, options.form, &options.out)?;
    said(&options.address, &options.out, output);
    Ok(())
}

/// Neither this process nor its disk ever has the key.
async fn export_to(
    opened: &Opened,
    address: &str,
    recipient: &str,
    out: &Path,
    output: Output,
) -> Result<(), Failure> {
    let key = recipient::parse(recipient)?;
    let bar = spinner(output, "proof, the two parts, each for the recipient");
    let exported = opened.store.export_to(address, &key).await;
    bar.finish_and_clear();
    let sealed = opened.done(exported).await?;
    write_new(out, &sealed.to_json()?)?;
    let value = json!({
        "account_address": sealed.account_address, "recipient": sealed.recipient, "file": out,
        "exported": true,
    });
    output.result(&value, || {
        format!(
            "{address}: sealed for {recipient} in {}\n  the recipient opens it with: halfkey \
             wallet open-export\n  the wallet is marked exported",
            out.display()
        )
    });
    Ok(())
}

/// As the recipient: no provider, no vault.
pub(super) fn open_export(options: &OpenExport, output: Output) -> Result<(), Failure> {
    refuse_existing(&options.out)?;
    let sealed = std::fs::read_to_string(&options.file)
        .map_err(|error| Failure::input(format!("{}: {error}", options.file.display())))?;
    let sealed = SealedKey::from_json(&sealed)?;
    let identity = read_identity(&options.identity_file)?;
    let key = sealed.open(&identity)?;
    write(&key, options.form, &options.out)?;
    said(&sealed.account_address, &options.out, output);
    Ok(())
}

pub(super) async fn rescue(
    opened: &Opened,
    options: &Rescue,
    output: Output,
) -> Result<(), Failure> {
    let out = options.out.as_deref().filter(|_| !options.drill);
    if let Some(out) = out {
        refuse_existing(out)?;
    }
    let (store, address) = (&opened.store, &options.address);
    let escrow = options.escrow.as_deref().map(escrow::read).transpose()?;
    let identity = options.escrow_identity.as_deref();
    let identity = identity.map(read_identity).transpose()?;
    let Some(out) = out else {
        let drilled = match &identity {
            Some(identity) => store.escrow_drill(address, identity, escrow.as_ref()).await,
            None => store.rescue_drill(address).await,
        };
        opened.done(drilled).await?;
        let value = json!({ "account_address": address, "rescuable": true });
        let with = match identity {
            Some(_) => "your share and the escrow make",
            None => "your two shares make",
        };
        output.result(&value, || {
            format!("{address}: {with} its key, and it signs; nothing was kept")
        });
        return Ok(());
    };
    let rescued = match &identity {
        Some(identity) => {
            let rescued = store.rescue_from_escrow(address, identity, escrow.as_ref());
            rescued.await
        }
        None => store.rescue(address).await,
    };
    let key = opened.done(rescued).await?;
    write(&key, options.form, out)?;
    said(address, out, output);
    Ok(())
}

fn read_identity(file: &Path) -> Result<Identity, Failure> {
    let identity = super::import::read(file)?;
    identity
        .parse()
        .map_err(|error| Failure::input(format!("{error}")))
}

fn said(address: &str, out: &Path, output: Output) {
    let value = json!({ "account_address": address, "file": out, "exported": true });
    output.result(&value, || {
        format!(
            "{address}: the key is in {} (0600)\n  whoever reads it signs without you; the wallet \
             is marked exported",
            out.display()
        )
    });
}

/// Before anything is exported: a file that cannot be written must not cost an export.
pub(crate) fn refuse_existing(out: &Path) -> Result<(), Failure> {
    if out.symlink_metadata().is_ok() {
        return Err(Failure::input(format!("{} exists already", out.display()))
            .with_hint("name a file that does not exist"));
    }
    Ok(())
}

fn write(key: &RootKey, form: Form, out: &Path) -> Result<(), Failure> {
    write_new(out, &text_of(key, form)?)
}

pub(crate) fn write_new(out: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out);
    let mut file = file?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(())
}

fn text_of(key: &RootKey, form: Form) -> Result<Zeroizing<String>, Failure> {
    let is_evm = key.header().key_type.uses_ot();
    let seed = || {
        key.ed25519_seed().ok_or_else(|| {
            Failure::new(ExitKind::Input, "no_seed", "this key has no seed")
                .with_hint("--form expanded")
        })
    };
    let text = match form {
        Form::Key if is_evm => hex::encode(*key.evm_private_key().map_err(unfit)?),
        Form::Key | Form::Seed => bs58::encode(*seed()?).into_string(),
        Form::Xprv => return key.xprv().map_err(unfit),
        Form::Keypair => {
            let pair = Zeroizing::new([seed()?.as_slice(), key.account_public_key()].concat());
            serde_json::to_string(&*pair).map_err(|error| Failure::internal(error.to_string()))?
        }
        Form::Expanded => hex::encode(*key.ed25519_expanded().map_err(unfit)?),
    };
    Ok(Zeroizing::new(text))
}

fn unfit(error: impl core::fmt::Display) -> Failure {
    Failure::input(error.to_string())
}
