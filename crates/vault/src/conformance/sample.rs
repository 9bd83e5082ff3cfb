//! Contexts and events to test with.

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, UnixMillis, WalletId,
};

use super::must;
use crate::{AuditEvent, AuditOutcome, BindCtx, RecordPurpose};

/// The environment of that name.
pub fn environment(name: &str) -> EnvironmentId {
    must(name.parse())
}

/// A context whose every field is told apart by its bytes.
pub fn ctx() -> BindCtx {
    BindCtx {
        environment: environment("env-test"),
        chain: ChainName::Evm,
        account_address: "0xab".to_owned(),
        wallet: WalletId::from_bytes([1; 16]),
        key_share: KeyShareId::from_bytes([2; 16]),
        share_set: ShareSetId::from_bytes([3; 16]),
        party: PartyIndex::CUSTOMER_1,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Share,
        generation: Generation(7),
        attempt: AttemptId::from_bytes([4; 16]),
        group_public_key_hash: [5; 32],
    }
}

/// Contexts that differ from `base` in one field each: the twelve fields, and every other purpose.
pub fn neighbours(base: &BindCtx) -> Vec<BindCtx> {
    type Edit = fn(&mut BindCtx);
    let edits: [Edit; 12] = [
        |ctx| ctx.environment = environment("env-other"),
        |ctx| ctx.chain = ChainName::Svm,
        |ctx| ctx.account_address.push('c'),
        |ctx| ctx.wallet = WalletId::from_bytes([9; 16]),
        |ctx| ctx.key_share = KeyShareId::from_bytes([9; 16]),
        |ctx| ctx.share_set = ShareSetId::from_bytes([9; 16]),
        |ctx| ctx.party = PartyIndex::PROVIDER,
        |ctx| ctx.scheme = ThresholdSignatureScheme::TwoOfThree,
        |ctx| ctx.generation = Generation(6),
        |ctx| ctx.generation = Generation(8),
        |ctx| ctx.attempt = AttemptId::from_bytes([9; 16]),
        |ctx| ctx.group_public_key_hash = [9; 32],
    ];
    let purposes = RecordPurpose::ALL
        .into_iter()
        .filter(|purpose| *purpose != base.purpose);
    let edited = edits.into_iter().map(|edit| {
        let mut other = base.clone();
        edit(&mut other);
        other
    });
    edited
        .chain(purposes.map(|purpose| BindCtx {
            purpose,
            ..base.clone()
        }))
        .collect()
}

/// An audit event by `actor`.
pub fn event(actor: &str) -> AuditEvent {
    AuditEvent {
        at: UnixMillis(1_700_000_000_000),
        actor: actor.to_owned(),
        action: "open".to_owned(),
        purpose: "sign".to_owned(),
        environment: "env-test".to_owned(),
        wallet: "wallet".to_owned(),
        record: "record".to_owned(),
        request_id: "request".to_owned(),
        outcome: AuditOutcome::Granted,
        detail: String::new(),
    }
}
