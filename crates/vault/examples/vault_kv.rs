//! Everything in one HashiCorp Vault or OpenBao: key shares in its KV engine, their data keys
//! wrapped by its transit engine. No database.
//!
//! Make the mounts and the key as the OpenBao page of the storage guide says, with `env-example`
//! as environment, change [`STORAGE`] to your server, and
//!
//! ```console
//! $ cargo run -p halfkey-vault --features openbao --example vault_kv
//! ```
#![expect(clippy::print_stdout, reason = "an example")]

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{EnvironmentId, RequestId, SecretBytes, SystemClock, WalletId, random};
use halfkey_vault::embedded::probe_context;
use halfkey_vault::{
    Access, BindCtx, Error, Expect, Purpose, RecordName, RecordPurpose, Storage, StorageConfig,
};

/// What would be `customer/storage.toml`. The two tokens differ: whoever reads KV opens nothing.
pub(crate) const STORAGE: &str = r#"
[kms]
kind = "transit"
mount = "transit"
[kms.server]
address = "https://vault.internal:8200"
auth = { token = { file = "/run/secrets/vault-transit" } }

[records]
kind = "kv"
mount = "kv"
prefix = "wallets"
[records.server]
address = "https://vault.internal:8200"
auth = { token = { file = "/run/secrets/vault-kv" } }

[cache]
kind = "memory"
"#;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let environment = "env-example"
        .parse()
        .map_err(|_| Error::Caller("an environment id"))?;
    println!(
        "{}",
        run(Path::new("halfkey-data"), &environment, STORAGE).await?
    );
    Ok(())
}

/// Seals one share, replaces it by compare and set, opens it, and says what each tier holds.
pub(crate) async fn run(
    dir: &Path,
    environment: &EnvironmentId,
    storage_toml: &str,
) -> Result<String, Error> {
    let config = StorageConfig::parse(storage_toml).map_err(Error::Config)?;
    let clock = Arc::new(SystemClock);
    let storage = Storage::create_or_open(dir, environment, &config, None, clock, "node-1").await?;
    let vault = &storage.vault;

    let address = "0x00000000000000000000000000000000000000ab";
    let wallet = WalletId::generate(&mut random::os_rng());
    let ctx = BindCtx {
        purpose: RecordPurpose::Share,
        wallet,
        account_address: address.to_owned(),
        ..probe_context(environment)
    };
    let access = Access {
        actor: "wallet-service".to_owned(),
        purpose: Purpose::Create,
        request_id: RequestId::generate(&mut random::os_rng()),
    };
    let name = RecordName::new(format!("wallet:{address}/shares/{wallet}"))?;
    let share = SecretBytes::new(b"a key share, in truth 52 kB of it".to_vec());
    let first = vault
        .store(&name, &ctx, &share, Expect::Absent, &access)
        .await?;

    // Another writer may be there: only the one that saw the last revision may replace it.
    let next = SecretBytes::new(b"the share of the next generation".to_vec());
    let second = vault
        .store(&name, &ctx, &next, Expect::Rev(first), &access)
        .await?;
    let late = vault
        .store(&name, &ctx, &share, Expect::Rev(first), &access)
        .await;
    let opened = vault.load(&name, &ctx, &access).await?;

    let mut report = Vec::new();
    for backend in &storage.backends {
        report.push(format!(
            "{}: {} {}",
            backend.tier.as_str(),
            backend.kind,
            backend.place
        ));
    }
    report.push(format!(
        "{name} went from revision {} to {}",
        first.0, second.0
    ));
    report.push(format!("a writer that came late: {}", outcome(&late)));
    report.push(format!("opened as it was: {}", opened.value == next));
    storage.close().await;
    Ok(report.join("\n"))
}

fn outcome<T>(result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => "went through".to_owned(),
        Err(error) => error.to_string(),
    }
}
