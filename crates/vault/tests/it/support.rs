//! Values the tests share.

use std::sync::Arc;

use halfkey_core::{
    AttemptId, ChainName, Clock, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ShareSetId, ThresholdSignatureScheme, UnixMillis, WalletId,
};
use halfkey_vault::{Access, BindCtx, Purpose, RecordName, RecordPurpose};

/// A clock that stands still.
#[derive(Debug)]
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock)
}

pub(crate) fn environment() -> EnvironmentId {
    "env-test".parse().unwrap()
}

pub(crate) fn ctx() -> BindCtx {
    BindCtx {
        environment: environment(),
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

pub(crate) fn access() -> Access {
    Access {
        actor: "tester".to_owned(),
        purpose: Purpose::Sign,
        request_id: RequestId::from_bytes([6; 16]),
    }
}

pub(crate) fn name(text: &str) -> RecordName {
    RecordName::new(text).unwrap()
}

pub(crate) fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}
