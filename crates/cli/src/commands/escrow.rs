//! `halfkey escrow …`: the provider's shares, sealed to a key that is kept apart.

use std::path::Path;

use halfkey::{EscrowFile, EscrowKeysReply, read_escrow};
use halfkey_core::SecretString;
use serde_json::{Value, json};

use super::recipient::{describe, line, parse};
use super::wallet::{Login, client, open, write_new};
use crate::args::{Escrow, FetchEscrow, ShowEscrow};
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Escrow,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Escrow::Register {
            recipient,
            name,
            require,
            provider,
        } => {
            let key = parse(&recipient)?;
            let client = client(data, &provider).await?;
            let added = client.add_escrow_key(&key, &name).await?;
            if require {
                insist_on(data, Some(&added.recipient))?;
            }
            let mut value = describe(&added);
            insert(&mut value, "required_here", json!(require));
            output.result(&value, || {
                let line = line(&added);
                let (from, here) = (
                    added.usable_at,
                    if require { "; this side insists" } else { "" },
                );
                format!("{line}\n  TWO_OF_TWO wallets are sealed to it from {from} on{here}")
            });
            Ok(())
        }
        Escrow::Keys { provider } => {
            let reply = client(data, &provider).await?.escrow_keys().await?;
            output.result(&described(&reply), || table(&reply));
            Ok(())
        }
        Escrow::Remove {
            recipient,
            provider,
        } => {
            let key = parse(&recipient)?;
            let client = client(data, &provider).await?;
            let removed = client.remove_escrow_key(&key).await?;
            let required = data.read_config()?.and_then(|config| config.escrow_key);
            if required.as_ref() == Some(&removed.recipient) {
                insist_on(data, None)?;
            }
            output.result(&describe(&removed), || {
                format!("removed {}", line(&removed))
            });
            Ok(())
        }
        Escrow::Fetch(options) => Box::pin(fetch(data, passphrase, options, output)).await,
        Escrow::Show(options) => Box::pin(show(data, passphrase, options, output)).await,
    }
}

/// Writes into this side's configuration which key it insists on.
fn insist_on(data: &DataDir, key: Option<&str>) -> Result<(), Failure> {
    let Some(mut config) = data.read_config()? else {
        return match key {
            None => Ok(()),
            Some(_) => Err(Failure::input(
                "--require writes into the configuration of `halfkey init`, and there is none",
            )),
        };
    };
    config.escrow_key = key.map(str::to_owned);
    data.write_config(&config)
}

async fn fetch(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: FetchEscrow,
    output: Output,
) -> Result<(), Failure> {
    if let Some(out) = &options.out {
        refuse_existing(out)?;
    }
    let opened = open(data, passphrase, &options.provider, Login::Now).await?;
    let address = opened.address_of(&options.address).await?;
    let fetched = opened.store.fetch_escrow(&address).await;
    let file = opened.done(fetched).await?;
    copy(&file, options.out.as_deref())?;
    output.result(&of_file(&file), || {
        format!("{}\n  kept here", text_of(&file))
    });
    opened.close().await;
    Ok(())
}

async fn show(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: ShowEscrow,
    output: Output,
) -> Result<(), Failure> {
    if let Some(file) = &options.file {
        let file = read(file)?;
        output.result(&json!({ "escrows": [of_file(&file)] }), || text_of(&file));
        return Ok(());
    }
    if let Some(out) = &options.out {
        refuse_existing(out)?;
    }
    // Nothing of it asks the provider.
    let opened = open(data, passphrase, &options.provider, Login::WhenNeeded).await?;
    let address = options.address.unwrap_or_default();
    let address = opened.address_of(&address).await?;
    let escrows = opened.done(opened.store.escrows(&address).await).await?;
    let newest = opened.done(opened.store.escrow(&address).await).await?;
    if options.out.is_some() && newest.is_none() {
        let message = "no escrow of the generation that signs is kept here";
        return Err(Failure::new(ExitKind::NotFound, "escrow_missing", message)
            .with_hint("halfkey escrow fetch"));
    }
    if let Some(newest) = &newest {
        copy(newest, options.out.as_deref())?;
    }
    let value = json!({
        "escrows": escrows.iter().map(of_file).collect::<Vec<_>>(),
        "of_the_generation_that_signs": newest.is_some(),
    });
    output.result(&value, || {
        let mut lines: Vec<_> = escrows.iter().map(text_of).collect();
        if newest.is_none() {
            lines.push("none of the generation that signs: halfkey escrow fetch".to_owned());
        }
        lines.join("\n")
    });
    opened.close().await;
    Ok(())
}

/// An escrow from a file.
pub(super) fn read(path: &Path) -> Result<EscrowFile, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    Ok(read_escrow(&text)?)
}

fn copy(file: &EscrowFile, out: Option<&Path>) -> Result<(), Failure> {
    let Some(out) = out else { return Ok(()) };
    let text =
        serde_json::to_string_pretty(file).map_err(|error| Failure::internal(error.to_string()))?;
    write_new(out, &text)
}

fn refuse_existing(out: &Path) -> Result<(), Failure> {
    super::wallet::refuse_existing(out)
}

fn of_file(file: &EscrowFile) -> Value {
    json!({
        "account_address": file.account_address,
        "wallet": file.wallet_id.to_string(),
        "generation": file.generation,
        "attempt": file.attempt_id.to_string(),
        "verifying_share": file.verifying_share,
        "recipient": file.recipient,
        "digest": hex::encode(file.digest()),
    })
}

fn text_of(file: &EscrowFile) -> String {
    format!(
        "{}  generation {}  sealed to {}",
        file.account_address, file.generation, file.recipient
    )
}

fn insert(value: &mut Value, name: &str, what: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), what);
    }
}

fn described(reply: &EscrowKeysReply) -> Value {
    let keys: Vec<_> = reply.keys.iter().map(describe).collect();
    json!({ "keys": keys, "in_force": reply.in_force })
}

fn table(reply: &EscrowKeysReply) -> String {
    let mut lines: Vec<_> = reply
        .keys
        .iter()
        .map(|one| format!("{}  from {}", line(one), one.usable_at))
        .collect();
    lines.push(match &reply.in_force {
        Some(key) => format!("in force: {key}"),
        None => "none is in force: TWO_OF_TWO wallets have no escrow".to_owned(),
    });
    lines.join("\n")
}
