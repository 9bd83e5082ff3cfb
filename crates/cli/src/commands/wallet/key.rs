//! `halfkey wallet export | rescue`: the whole key goes into a file, never onto a screen.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use halfkey::RootKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::Opened;
use crate::args::{ExportKey, Form, Rescue};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::progress::spinner;

pub(super) async fn export(
    opened: &Opened,
    options: &ExportKey,
    output: Output,
) -> Result<(), Failure> {
    refuse_existing(&options.out)?;
    let bar = spinner(output, "proof, the provider's part, the key");
    let exported = opened.store.export(&options.address).await;
    bar.finish_and_clear();
    let key = opened.done(exported).await?;
    write(&key, options.form, &options.out)?;
    said(&options.address, &options.out, output);
    Ok(())
}

pub(super) async fn rescue(
    opened: &Opened,
    options: &Rescue,
    output: Output,
) -> Result<(), Failure> {
    let Some(out) = options.out.as_deref().filter(|_| !options.drill) else {
        opened
            .done(opened.store.rescue_drill(&options.address).await)
            .await?;
        let value = json!({ "account_address": options.address, "rescuable": true });
        output.result(&value, || {
            format!(
                "{}: your two shares make its key; nothing was kept",
                options.address
            )
        });
        return Ok(());
    };
    refuse_existing(out)?;
    let key = opened
        .done(opened.store.rescue(&options.address).await)
        .await?;
    write(&key, options.form, out)?;
    said(&options.address, out, output);
    Ok(())
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
fn refuse_existing(out: &Path) -> Result<(), Failure> {
    if out.symlink_metadata().is_ok() {
        return Err(Failure::input(format!("{} exists already", out.display()))
            .with_hint("name a file that does not exist"));
    }
    Ok(())
}

fn write(key: &RootKey, form: Form, out: &Path) -> Result<(), Failure> {
    let text = text_of(key, form)?;
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
