//! Sealed records in a store of your own: here a map, in yours a table or a bucket.
//!
//! ```console
//! $ cargo run -p halfkey-vault --example own_store
//! ```
#![expect(clippy::print_stdout, reason = "an example")]

use std::collections::BTreeMap;
use std::sync::Arc;

use halfkey_core::{EnvironmentId, RequestId, SecretBytes, SystemClock, random};
use halfkey_vault::embedded::probe_context;
use halfkey_vault::{Access, BindCtx, Embedded, Error, Purpose, SealedRecord};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let environment = EnvironmentId::generate(&mut random::os_rng());
    let outer = tempfile::tempdir().map_err(|_| Error::Caller("no directory"))?;
    let dir = outer.path().join("data");
    // Any KMS does; the embedded keyring needs no server.
    let opened =
        Embedded::create_or_open(&dir, &environment, None, Arc::new(SystemClock), "example");
    let embedded = opened.await?;
    let access = Access {
        actor: "example".to_owned(),
        purpose: Purpose::Create,
        request_id: RequestId::generate(&mut random::os_rng()),
    };
    // What the record belongs to. Keep these fields beside it: only they open it again.
    let ctx = BindCtx {
        account_address: "0xab".to_owned(),
        ..probe_context(&environment)
    };

    let mut table: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let share = SecretBytes::new(b"a key share".to_vec());
    let sealed = embedded.vault.seal(&ctx, &share, &access).await?;
    table.insert("wallet:0xab/shares/2", sealed.as_bytes().to_vec());
    println!("stored {} sealed bytes", sealed.as_bytes().len());

    let stored = table.get("wallet:0xab/shares/2");
    let stored = stored.ok_or(Error::Caller("no such row"))?;
    let record = SealedRecord::from_bytes(stored).map_err(Error::Caller)?;
    let opened = embedded.vault.open(&ctx, &record, &access).await?;
    println!("opened as it was: {}", opened == share);

    let other = BindCtx {
        account_address: "0xcd".to_owned(),
        ..ctx
    };
    let refused = embedded.vault.open(&other, &record, &access).await;
    println!("under another address: {}", refused.is_err());
    embedded.close().await;
    Ok(())
}
