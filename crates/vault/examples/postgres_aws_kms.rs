//! Key shares in PostgreSQL, their data keys wrapped by AWS KMS: the "KMS-wrapped column".
//!
//! Make the key and the database as the AWS and PostgreSQL pages of the storage guide say, with
//! `env-example` as environment, change [`STORAGE`] to your servers, and
//!
//! ```console
//! $ cargo run -p halfkey-vault --features aws,postgres --example postgres_aws_kms
//! ```
#![expect(clippy::print_stdout, reason = "an example")]

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{
    EnvironmentId, RequestId, SecretBytes, SystemClock, WalletId, WalletProperties, random,
};
use halfkey_vault::embedded::probe_context;
use halfkey_vault::{
    Access, BindCtx, Error, Expect, Purpose, RecordName, RecordPurpose, Storage, StorageConfig,
};

/// What would be `customer/storage.toml`.
pub(crate) const STORAGE: &str = r#"
[kms]
kind = "aws-kms"
key_id = "alias/halfkey"
region = "eu-central-1"

[records]
kind = "postgres"
host = "db.internal"
port = 5432
database = "wallets"
user = "halfkey"
password = { file = "/run/secrets/pg" }

[cache]
kind = "postgres"
host = "db.internal"
port = 5432
database = "wallets"
user = "halfkey"
password = { file = "/run/secrets/pg" }
"#;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let environment = "env-example"
        .parse()
        .map_err(|_| Error::Caller("an environment id"))?;
    // Holds the audit log of this node; make it once and keep it.
    println!(
        "{}",
        run(Path::new("halfkey-data"), &environment, STORAGE).await?
    );
    Ok(())
}

/// Seals one share, opens it again, and says what each tier holds.
pub(crate) async fn run(
    dir: &Path,
    environment: &EnvironmentId,
    storage_toml: &str,
) -> Result<String, Error> {
    let config = StorageConfig::parse(storage_toml).map_err(Error::Config)?;
    let clock = Arc::new(SystemClock);
    let storage = Storage::create_or_open(dir, environment, &config, None, clock, "node-1").await?;
    // `WalletStore::new(client, storage.vault.clone(), storage.properties.clone(), options)` does
    // everything below by itself, and signs. This is what happens underneath.

    // A share opens only as what it was sealed as: environment, wallet, address, party, generation.
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

    // Sealed under a fresh data key, written, read back, compared: then it is stored.
    let rev = storage
        .vault
        .store(&name, &ctx, &share, Expect::Absent, &access)
        .await?;
    // One call to KMS, one row of PostgreSQL, one event in the audit log.
    let opened = storage.vault.load(&name, &ctx, &access).await?;
    let properties = WalletProperties::new("EVM", wallet.to_string(), address);
    storage
        .properties
        .put(address, &properties, Expect::Any)
        .await?;

    let row = storage.vault.get_row(&name).await?;
    let row = row.ok_or_else(|| Error::NotFound(name.to_string()))?;
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
        "{name} at revision {}: {} sealed bytes",
        rev.0,
        row.value.len()
    ));
    report.push(format!("opened as it was: {}", opened.value == share));
    let cached = storage.properties.get(address).await?;
    report.push(format!("cached: {:?}", cached.map(|found| found.value)));
    let kek = storage.manage.info().await?;
    report.push(format!("data keys are wrapped by {}", kek.uri));
    storage.close().await;
    Ok(report.join("\n"))
}
