//! Golden records: every record ever released opens, and today's writer still writes the same
//! bytes. The files are frozen; a new format version adds a directory.

use std::path::PathBuf;

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};
use serde::Deserialize;

use crate::envelope::{self, Suite};
use crate::vault::seal::{header, seal_record};
use crate::{BindCtx, Dek, RecordPurpose, SealedRecord, Wrapped};

#[derive(Deserialize)]
struct Ctx {
    environment: EnvironmentId,
    chain: ChainName,
    account_address: String,
    wallet: WalletId,
    key_share: KeyShareId,
    share_set: ShareSetId,
    party: PartyIndex,
    scheme: ThresholdSignatureScheme,
    purpose: String,
    generation: Generation,
    attempt: AttemptId,
    group_public_key_hash: String,
}

#[derive(Deserialize)]
struct Wrap {
    uri: String,
    version: String,
    bytes: String,
}

#[derive(Deserialize)]
struct Vector {
    ctx: Ctx,
    ctx_hex: String,
    dek: String,
    salt: String,
    nonce: String,
    wraps: Vec<Wrap>,
    plaintext: String,
    record: String,
}

impl Ctx {
    fn into_ctx(self) -> BindCtx {
        let purpose = RecordPurpose::ALL
            .into_iter()
            .find(|one| one.as_str() == self.purpose);
        BindCtx {
            environment: self.environment,
            chain: self.chain,
            account_address: self.account_address,
            wallet: self.wallet,
            key_share: self.key_share,
            share_set: self.share_set,
            party: self.party,
            scheme: self.scheme,
            purpose: purpose.unwrap(),
            generation: self.generation,
            attempt: self.attempt,
            group_public_key_hash: bytes(&self.group_public_key_hash),
        }
    }
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn vectors() -> Vec<(PathBuf, Vector)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/records/v1");
    let files = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let vector = serde_json::from_str(&text).unwrap();
        (path, vector)
    };
    files.map(read).collect()
}

#[test]
fn golden_records_open_and_are_written_the_same() {
    let (mut seen, mut written_now) = (0, 0);
    for (path, vector) in vectors() {
        let shown = path.display();
        let ctx = vector.ctx.into_ctx();
        assert_eq!(
            hex::encode(ctx.canonical_bytes().unwrap()),
            vector.ctx_hex,
            "{shown}"
        );
        let dek = Dek::from_slice(&bytes::<32>(&vector.dek)).unwrap();
        let plaintext = hex::decode(&vector.plaintext).unwrap();
        let (salt, nonce) = (bytes(&vector.salt), bytes(&vector.nonce));
        let wraps = vector.wraps.into_iter().map(|wrap| Wrapped {
            kek_uri: wrap.uri,
            kek_version: wrap.version,
            bytes: hex::decode(wrap.bytes).unwrap(),
        });
        let wraps: Vec<_> = wraps.collect();
        let record = SealedRecord::from_bytes(&hex::decode(&vector.record).unwrap()).unwrap();
        assert_eq!(record.wraps(), wraps, "{shown}");
        let parts = record.parts();
        let suite = parts.header.suite;
        let (header, derived) = header(&dek, suite, salt, nonce).unwrap();
        let written = seal_record(&header, &derived, &wraps, &ctx, &plaintext).unwrap();
        assert_eq!(hex::encode(written.as_bytes()), vector.record, "{shown}");
        written_now += usize::from(suite == Suite::WRITTEN);
        let opened = envelope::open_body(&dek, &parts.header, &ctx, parts.body);
        assert!(
            opened.is_ok_and(|opened| opened.expose() == plaintext),
            "{shown}"
        );
        seen += 1;
    }
    assert_eq!(
        (seen, written_now),
        (8, 4),
        "a loop over no files proves nothing"
    );
}
