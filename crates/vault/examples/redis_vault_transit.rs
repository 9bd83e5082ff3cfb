//! Key shares in Redis, their data keys wrapped by the transit engine of HashiCorp Vault or
//! OpenBao, in two processes: one that makes wallets and cannot open them, one that signs and
//! cannot write.
//!
//! Make the key as the OpenBao page of the storage guide says, with `env-example` as environment,
//! change [`STORAGE`] to your servers, and
//!
//! ```console
//! $ cargo run -p halfkey-vault --features openbao,redis --example redis_vault_transit
//! ```
#![expect(clippy::print_stdout, reason = "an example")]

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{EnvironmentId, RequestId, SecretBytes, SystemClock, WalletId, random};
use halfkey_vault::embedded::probe_context;
use halfkey_vault::{
    Access, BindCtx, Error, Expect, Purpose, RecordName, RecordPurpose, Storage, StorageConfig,
};

/// What would be `customer/storage.toml`. Redis must run with `appendfsync always`.
pub(crate) const STORAGE: &str = r#"
[kms]
kind = "transit"
mount = "transit"
[kms.server]
address = "https://vault.internal:8200"
auth = { token = { file = "/run/secrets/vault" } }

[records]
kind = "redis"
topology = { single = "127.0.0.1:6379" }
password = { file = "/run/secrets/redis" }
prefix = "wallets"

# A data key that was unwrapped serves the next signatures of that wallet for a minute.
[dek_cache]
max_age_s = 60
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

/// Seals one share as the writer, opens it as the opener, and says what each tier holds.
pub(crate) async fn run(
    dir: &Path,
    environment: &EnvironmentId,
    storage_toml: &str,
) -> Result<String, Error> {
    // The first process that opens a store marks it as this environment's; later roles find it so.
    open_as("full", dir, environment, storage_toml)
        .await?
        .close()
        .await;

    let address = "0x00000000000000000000000000000000000000ab";
    let wallet = WalletId::generate(&mut random::os_rng());
    let ctx = BindCtx {
        purpose: RecordPurpose::Share,
        wallet,
        account_address: address.to_owned(),
        ..probe_context(environment)
    };
    let name = RecordName::new(format!("wallet:{address}/shares/{wallet}"))?;
    let share = SecretBytes::new(b"a key share, in truth 52 kB of it".to_vec());

    let writer = open_as("writer", dir, environment, storage_toml).await?;
    let create = access(Purpose::Create);
    writer
        .vault
        .store(&name, &ctx, &share, Expect::Absent, &create)
        .await?;
    let refused = writer.vault.load(&name, &ctx, &create).await;
    let sealed = writer.vault.get_row(&name).await?;
    let sealed = sealed.ok_or_else(|| Error::NotFound(name.to_string()))?;
    writer.close().await;

    let opener = open_as("opener", dir, environment, storage_toml).await?;
    let sign = access(Purpose::Sign);
    let opened = opener.vault.load_warm(&name, &ctx, &sign).await?;
    // The second signature asks Redis only; the audit log has both.
    opener.vault.load_warm(&name, &ctx, &sign).await?;

    let mut report = Vec::new();
    for backend in &opener.backends {
        report.push(format!(
            "{}: {} {}",
            backend.tier.as_str(),
            backend.kind,
            backend.place
        ));
    }
    report.push(format!("{name}: {} sealed bytes", sealed.value.len()));
    report.push(format!("the writer opens it: {}", refused.is_ok()));
    report.push(format!(
        "the opener opens it as it was: {}",
        opened.value == share
    ));
    opener.close().await;
    Ok(report.join("\n"))
}

async fn open_as(
    role: &str,
    dir: &Path,
    environment: &EnvironmentId,
    storage_toml: &str,
) -> Result<Storage, Error> {
    let text = format!("role = \"{role}\"\n{storage_toml}");
    let config = StorageConfig::parse(&text).map_err(Error::Config)?;
    let clock = Arc::new(SystemClock);
    Storage::create_or_open(dir, environment, &config, None, clock, role).await
}

fn access(purpose: Purpose) -> Access {
    Access {
        actor: "wallet-service".to_owned(),
        purpose,
        request_id: RequestId::generate(&mut random::os_rng()),
    }
}
