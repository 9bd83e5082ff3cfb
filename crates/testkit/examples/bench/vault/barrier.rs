//! What the barrier costs by itself: seal and open of one share on this thread, with a KEK, a store
//! and an audit sink in memory, beside the bare cipher.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use halfkey_core::{SecretBytes, SystemClock};
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::{Vault, VaultParts};

use super::{SHARE, access, context, share};
use crate::table::{Table, ratio};
use crate::{Failure, cpu};

const GROUP: &str = "barrier, 52.7 kB share, KEK in memory, no store";
/// Odd, so that there is one in the middle.
const TIMES: usize = 401;

/// The least part of the bare cipher's throughput that sealing and opening must reach.
const GOAL: f64 = 0.7;

pub(super) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let vault = in_memory()?;
    let (ctx, share, access) = (context()?, share(), access());
    let (mut seal, mut open, mut raw_seal, mut raw_open) = (vec![], vec![], vec![], vec![]);
    for round in 0..TIMES {
        let start = cpu::thread();
        let record = vault.seal(&ctx, &share, &access).await?;
        seal.push(cpu::since(start));
        let start = cpu::thread();
        let opened = vault.open(&ctx, &record, &access).await?;
        // The time it takes to wipe it is part of the price.
        drop(opened);
        open.push(cpu::since(start));
        let (sealed, opened) = raw(round)?;
        raw_seal.push(sealed);
        raw_open.push(opened);
    }
    let [seal, open, raw_seal, raw_open] = [seal, open, raw_seal, raw_open].map(cpu::median);
    for (name, time) in [
        ("seal", seal),
        ("open", open),
        ("AES-256-GCM seal, in place", raw_seal),
        ("AES-256-GCM open, in place", raw_open),
    ] {
        let megabytes = f64::from(u32::try_from(SHARE.len())?) / 1e6;
        let note = format!("{:.0} MB/s", megabytes / time.as_secs_f64());
        table.time(GROUP, name, time, &note);
    }
    parts(table)?;
    table.at_least(
        "seal + open, throughput / bare AES-256-GCM",
        ratio(raw_seal + raw_open, seal + open),
        "x",
        GOAL,
    );
    Ok(())
}

/// Every right in memory.
pub(super) fn in_memory() -> Result<Vault, Failure> {
    let records = Arc::new(MemoryRecords::default());
    let kek = Arc::new(MemoryKek::new("bench")?);
    Ok(Vault::new(VaultParts {
        wrap: Some(Arc::<MemoryKek>::clone(&kek)),
        unwrap: Some(kek),
        put: Some(Arc::<MemoryRecords>::clone(&records)),
        get: Some(records),
        list: None,
        destroy: None,
        audit: Arc::new(MemoryAudit::default()),
        clock: Arc::new(SystemClock),
    }))
}

/// The cipher alone: a fresh key, sealed and opened in place in a buffer that is there already.
fn raw(round: usize) -> Result<(Duration, Duration), Failure> {
    let key = [u8::try_from(round % 251)?; 32];
    let nonce = || Nonce::assume_unique_for_key([7; 12]);
    let mut buffer = Vec::with_capacity(SHARE.len() + AES_256_GCM.tag_len());
    buffer.extend_from_slice(SHARE);
    let failed = |_| Failure::from("AES-256-GCM failed");
    let start = cpu::thread();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(failed)?);
    cipher
        .seal_in_place_append_tag(nonce(), Aad::empty(), &mut buffer)
        .map_err(failed)?;
    let sealed = cpu::since(start);
    let start = cpu::thread();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(failed)?);
    let opened = cipher.open_in_place(nonce(), Aad::empty(), &mut buffer);
    let opening = cpu::since(start);
    if opened.map_err(failed)? == SHARE {
        Ok((sealed, opening))
    } else {
        Err("AES-256-GCM opened something else".into())
    }
}

/// What the rest of a seal and an open is made of, each by itself.
fn parts(table: &mut Table) -> Result<(), Failure> {
    let failed = |_| Failure::from("aws-lc-rs failed");
    let derive = || {
        let mut okm = [0; 64];
        let key = Prk::new_less_safe(HKDF_SHA256, &[9; 32]);
        let okm_of = key.expand(&[b"halfkey-record-v1\x00\x02", &[7; 32]], Len);
        okm_of.and_then(|expanded| expanded.fill(&mut okm)).is_ok()
    };
    let draws = || {
        let mut bytes = [0; 76];
        (0..2).all(|_| aws_lc_rs::rand::fill(&mut bytes).is_ok())
    };
    let wrap = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[9; 32]).map_err(failed)?);
    let wrapped = || {
        let mut buffer = vec![7; 32];
        let nonce = Nonce::assume_unique_for_key([7; 12]);
        wrap.seal_in_place_append_tag(nonce, Aad::empty(), &mut buffer)
            .is_ok()
    };
    let steps: [(&str, &dyn Fn() -> bool); 5] = [
        (
            "part: HKDF-Expand-SHA-256, key and commitment (in both)",
            &derive,
        ),
        ("part: 2 draws of the random generator (in seal)", &draws),
        ("part: wrap of 32 bytes (in both)", &wrapped),
        ("part: fresh zeroed buffer (in seal)", &|| {
            !black_box(vec![0_u8; SHARE.len()]).is_empty()
        }),
        ("part: kept buffer, wiped after (in open)", &|| {
            SecretBytes::filled(SHARE.len(), |bytes| {
                (!black_box(bytes).is_empty()).then_some(())
            })
            .is_some()
        }),
    ];
    for (name, step) in steps {
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let start = cpu::thread();
            let is_done = step();
            times.push(cpu::since(start));
            if !is_done {
                return Err(format!("{name} failed").into());
            }
        }
        table.time(GROUP, name, cpu::median(times), "");
    }
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        times.push(cpu::since(cpu::thread()));
    }
    let note = "in each row above";
    table.time(GROUP, "reading the clock", cpu::median(times), note);
    Ok(())
}

/// Of the output that is derived for a record.
struct Len;

impl KeyType for Len {
    fn len(&self) -> usize {
        64
    }
}
