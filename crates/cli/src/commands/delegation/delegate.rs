//! What the delegate does. Deliveries are kept as they came, encrypted for the delegate's key, so
//! that the key is the only secret at rest.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use halfkey::{
    DelegatedEvmWalletClient, DelegatedSvmWalletClient, DelegatedWalletClient,
    DelegatedWalletClientOpts, DelegationData, DelegationPrivateKey, Event, ReceivedDelegation,
    receive_delegation,
};
use serde_json::{Value, json};

use super::private_key;
use crate::args::{Provider, Receive};
use crate::commands::wallet::{client_of, client_options};
use crate::context::{DataDir, write_private};
use crate::exit_code::Failure;
use crate::output::Output;

const CREATED: &str = "wallet.delegation.created";
const REVOKED: &str = "wallet.delegation.revoked";

pub(super) fn key(out: &Path, output: Output) -> Result<(), Failure> {
    let mut name = out.as_os_str().to_owned();
    name.push(".pub");
    let public_file = PathBuf::from(name);
    let key = DelegationPrivateKey::generate().map_err(halfkey::Error::from)?;
    let public = key.recipient_key().map_err(halfkey::Error::from)?;
    let private = key.to_pem().map_err(halfkey::Error::from)?;
    write_new(out, private.expose())?;
    write_new(&public_file, &public.to_pem())?;
    let value = json!({
        "file": out,
        "public_file": public_file,
        "public_key": public.to_pem(),
        "fingerprint": public.fingerprint(),
    });
    output.result(&value, || {
        format!(
            "private key  {} (0600)\npublic key   {}\nfingerprint  {}\n  tell the customer the \
             fingerprint over a channel of your own",
            out.display(),
            public_file.display(),
            public.fingerprint()
        )
    });
    Ok(())
}

/// A file that was not there before, for its owner alone.
fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let mut made = made.map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    made.write_all(text.as_bytes())?;
    made.sync_all()?;
    Ok(())
}

pub(super) async fn receive(
    data: &DataDir,
    options: &Receive,
    output: Output,
) -> Result<(), Failure> {
    let key = private_key(&options.key)?;
    let (client, environment) = client_of(data, &options.provider).await?;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&options.into)?;
    let cursor_file = options.into.join("cursor");
    let mut cursor = read_if_there(&cursor_file)?;
    let mut seen = Vec::new();
    loop {
        let page = client.events(cursor.as_deref(), Some(50)).await?;
        for event in &page.data {
            seen.extend(take(&key, &environment, event, &options.into)?);
        }
        let is_last = page.data.is_empty();
        // After what it stands for: a crash fetches again what is there already.
        write_private(&cursor_file, page.cursor.as_bytes())?;
        cursor = Some(page.cursor);
        if is_last {
            break;
        }
    }
    output.result(&json!({ "deliveries": seen }), || {
        if seen.is_empty() {
            return "nothing new".to_owned();
        }
        let lines: Vec<_> = seen.iter().map(Value::to_string).collect();
        lines.join("\n")
    });
    Ok(())
}

/// Keeps a delivery for this key; one that is there already stays as it is.
fn take(
    key: &DelegationPrivateKey,
    environment: &str,
    event: &Event,
    into: &Path,
) -> Result<Option<Value>, Failure> {
    let id = event.data.get("delegationId").and_then(Value::as_str);
    let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(id) = id.filter(is_id) else {
        return Ok(None);
    };
    let file = into.join(format!("{id}.json"));
    match event.event_name.as_str() {
        CREATED => {}
        REVOKED => {
            let was_here = file.exists();
            if was_here {
                std::fs::remove_file(&file)?;
            }
            return Ok(was_here.then(|| json!({ "delegation_id": id, "status": "revoked" })));
        }
        _ => return Ok(None),
    }
    let text = event.data.to_string();
    let received = match opened(key, environment, &text) {
        Ok(received) => received,
        // Another delegate's: everybody of the environment sees all envelopes.
        Err(halfkey::Error::Envelope(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.exists() {
        write_private(&file, text.as_bytes())?;
    }
    Ok(Some(json!({
        "delegation_id": id,
        "status": "received",
        "account_address": received.wallet_properties.account_address,
        "expires_at": received.expires_at,
        "file": file,
    })))
}

fn opened(
    key: &DelegationPrivateKey,
    environment: &str,
    text: &str,
) -> halfkey::Result<ReceivedDelegation> {
    let data = DelegationData::from_json(text.as_bytes())?;
    receive_delegation(key, environment, &data)
}

fn read_if_there(file: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What to sign, and with what.
pub(super) struct Wanted<'a> {
    pub(super) delivery: &'a Path,
    pub(super) message: &'a str,
    pub(super) key: &'a Path,
}

pub(super) async fn sign_message(
    data: &DataDir,
    wanted: &Wanted<'_>,
    provider: &Provider,
    output: Output,
) -> Result<(), Failure> {
    let key = private_key(wanted.key)?;
    let (options, environment) = client_options(data, provider)?;
    let text = std::fs::read_to_string(wanted.delivery)
        .map_err(|error| Failure::input(format!("{}: {error}", wanted.delivery.display())))?;
    let received = opened(&key, &environment, &text)?;
    let mut message = wanted.message.to_owned();
    if message == "-" {
        message.clear();
        std::io::stdin().lock().read_to_string(&mut message)?;
    }
    let wallet_api_key = received.data.wallet_api_key.clone();
    let opts = DelegatedWalletClientOpts::with_client(options, wallet_api_key);
    let client = DelegatedWalletClient::new(opts)?;
    let properties = &received.wallet_properties;
    let shares = std::slice::from_ref(&received.data.server_key_share);
    let signature = if properties.chain_name == "EVM" {
        let evm = DelegatedEvmWalletClient::new(&client);
        evm.sign_message(properties, shares, &message).await
    } else {
        let svm = DelegatedSvmWalletClient::new(&client);
        svm.sign_message(properties, shares, &message).await
    };
    let signature = signature?;
    let value = json!({ "address": properties.account_address, "signature": signature });
    output.result(&value, || signature.clone());
    Ok(())
}
