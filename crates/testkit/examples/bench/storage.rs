//! Sealed writes and reads on the embedded default.

use std::sync::Arc;

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ShareSetId, SystemClock, ThresholdSignatureScheme, WalletId,
};
use halfkey_vault::embedded::Embedded;
use halfkey_vault::{Access, BindCtx, Expect, Purpose, RecordName, RecordPurpose};

use crate::table::Table;
use crate::{Failure, cpu};

const TIMES: u32 = 50;
const GROUP: &str = "vault (SQLite + local keyring)";

fn context(environment: &EnvironmentId) -> BindCtx {
    BindCtx {
        environment: environment.clone(),
        chain: ChainName::Evm,
        account_address: "0x0000000000000000000000000000000000000001".to_owned(),
        wallet: WalletId::from_bytes([1; 16]),
        key_share: KeyShareId::from_bytes([2; 16]),
        share_set: ShareSetId::from_bytes([3; 16]),
        party: PartyIndex::CUSTOMER_1,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Share,
        generation: Generation(0),
        attempt: AttemptId::from_bytes([4; 16]),
        group_public_key_hash: [5; 32],
    }
}

pub(crate) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let environment: EnvironmentId = "bench".parse()?;
    let home = dir.path().join("customer");
    let embedded =
        Embedded::create_or_open(&home, &environment, None, Arc::new(SystemClock), "bench").await?;
    let access = Access {
        actor: "bench".to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::from_bytes([0; 16]),
    };
    let ctx = context(&environment);
    // The size of an ECDSA 2-of-2 share.
    let share = SecretBytes::new(vec![7; 52_500]);
    let name = RecordName::new("bench/share")?;
    for (what, kind) in [
        ("store (seal, write, read back)", 0),
        ("load (read, unwrap, open)", 1),
    ] {
        let start = cpu::process();
        let wall = std::time::Instant::now();
        for _ in 0..TIMES {
            if kind == 0 {
                embedded
                    .vault
                    .store(&name, &ctx, &share, Expect::Any, &access)
                    .await?;
            } else {
                embedded.vault.load(&name, &ctx, &access).await?;
            }
        }
        let note = format!(
            "{:.3} ms wall",
            wall.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES)
        );
        table.time(
            GROUP,
            &format!("{what}, 52.5 kB"),
            cpu::process().saturating_sub(start) / TIMES,
            &note,
        );
    }
    embedded.close().await;
    Ok(())
}
