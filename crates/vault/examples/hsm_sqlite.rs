//! Key shares in one SQLite file, their data keys wrapped inside an HSM, and the yearly rotation.
//!
//! Make the key as the PKCS#11 page of the storage guide says, with `env-example` as environment,
//! change [`STORAGE`] to your module and token, and
//!
//! ```console
//! $ HSM_PIN=… cargo run -p halfkey-vault --features pkcs11 --example hsm_sqlite
//! ```
#![expect(clippy::print_stdout, reason = "an example")]

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{EnvironmentId, RequestId, SecretBytes, SystemClock, WalletId, random};
use halfkey_vault::embedded::probe_context;
use halfkey_vault::{
    Access, BindCtx, Error, Expect, Purpose, RecordName, RecordPurpose, SealedRecord, Storage,
    StorageConfig, rewrap_record,
};

/// What would be `customer/storage.toml`. Records, cache and audit log are files in the directory.
pub(crate) const STORAGE: &str = r#"
[kms]
kind = "pkcs11"
module = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "custody"
pin = { env = "HSM_PIN" }

[records]
kind = "sqlite"
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

/// Seals one share, moves it to a new key version, opens it, and says what each tier holds.
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
    vault
        .store(&name, &ctx, &share, Expect::Absent, &access)
        .await?;

    // A new version in the token; the record's wrapped key moves to it, its body stays as it is.
    // `halfkey vault rotate` and `halfkey vault rewrap` do this for a whole store.
    let version = storage.manage.rotate().await?;
    let before = sealed(&storage, &name).await?;
    let rewrap = storage.rewrap.as_deref();
    let rewrap = rewrap.ok_or(Error::Forbidden("rewrap"))?;
    let after = rewrap_record(&before.1, &ctx, rewrap).await?;
    let put = storage.put().ok_or(Error::Forbidden("write records"))?;
    put.put(&name, after.as_bytes(), before.0).await?;
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
    let versions = |record: &SealedRecord| {
        let wraps = record.wraps().into_iter();
        wraps.map(|wrap| wrap.kek_version).collect::<Vec<_>>()
    };
    report.push(format!("{name}: {} sealed bytes", after.as_bytes().len()));
    report.push(format!(
        "its key was wrapped by version {:?}, now by {:?} (the newest is {version})",
        versions(&before.1),
        versions(&after)
    ));
    report.push(format!("opened as it was: {}", opened.value == share));
    storage.close().await;
    Ok(report.join("\n"))
}

async fn sealed(storage: &Storage, name: &RecordName) -> Result<(Expect, SealedRecord), Error> {
    let row = storage.vault.get_row(name).await?;
    let row = row.ok_or_else(|| Error::NotFound(name.to_string()))?;
    let record = SealedRecord::from_bytes(&row.value).map_err(Error::Caller)?;
    Ok((Expect::Rev(row.rev), record))
}
