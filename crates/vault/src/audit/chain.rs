//! The hash chain: what each hash covers (see `SPEC.md`, section 6).

use halfkey_core::UnixMillis;
use sha2::{Digest, Sha256};

use super::{AuditEvent, AuditPosition};

const ENTRY: &[u8] = b"halfkey-audit-entry-v1";
const CHAIN: &[u8] = b"halfkey-audit-chain-v1";

/// How a chain begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStart {
    /// The chain's id, drawn at random.
    pub chain: [u8; 16],
    /// The environment.
    pub environment: String,
    /// The node that writes it.
    pub node: String,
    /// When it began.
    pub started_at: UnixMillis,
    /// Where the chain before it stood; its sequence is `None` when that chain had no entry.
    pub predecessor: Option<Predecessor>,
}

/// Where the chain before stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Which chain.
    pub chain: [u8; 16],
    /// Its last entry then, if it had one.
    pub sequence: Option<u64>,
    /// The hash it stood at.
    pub head: [u8; 32],
}

/// The hash a chain starts from.
pub fn genesis(start: &ChainStart) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(CHAIN);
    hash.update(start.chain);
    field(&mut hash, start.environment.as_bytes());
    field(&mut hash, start.node.as_bytes());
    hash.update(start.started_at.0.to_be_bytes());
    match &start.predecessor {
        None => hash.update([0]),
        Some(before) => {
            hash.update([1]);
            hash.update(before.chain);
            match before.sequence {
                None => hash.update([0]),
                Some(sequence) => {
                    hash.update([1]);
                    hash.update(sequence.to_be_bytes());
                }
            }
            hash.update(before.head);
        }
    }
    hash.finalize().into()
}

/// The position of `event` after the hash `previous`.
pub fn next(
    chain: [u8; 16],
    sequence: u64,
    previous: &[u8; 32],
    event: &AuditEvent,
) -> AuditPosition {
    let mut hash = Sha256::new();
    hash.update(ENTRY);
    hash.update(previous);
    hash.update(chain);
    hash.update(sequence.to_be_bytes());
    hash.update(event.at.0.to_be_bytes());
    let texts = [
        event.actor.as_str(),
        &event.action,
        &event.purpose,
        &event.environment,
        &event.wallet,
        &event.record,
        &event.request_id,
        event.outcome.as_str(),
        &event.detail,
    ];
    for text in texts {
        field(&mut hash, text.as_bytes());
    }
    AuditPosition {
        chain,
        sequence,
        head: hash.finalize().into(),
    }
}

/// One length-prefixed field.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    hash.update(len.to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AuditOutcome;

    fn event() -> AuditEvent {
        AuditEvent {
            at: UnixMillis(1),
            actor: "a".to_owned(),
            action: "b".to_owned(),
            purpose: "c".to_owned(),
            environment: "d".to_owned(),
            wallet: "e".to_owned(),
            record: "f".to_owned(),
            request_id: "g".to_owned(),
            outcome: AuditOutcome::Granted,
            detail: "h".to_owned(),
        }
    }

    #[test]
    fn every_field_of_an_event_changes_the_head() {
        type Edit = fn(&mut AuditEvent);
        let edits: [Edit; 10] = [
            |event| event.at = UnixMillis(2),
            |event| event.actor.push('x'),
            |event| event.action.push('x'),
            |event| event.purpose.push('x'),
            |event| event.environment.push('x'),
            |event| event.wallet.push('x'),
            |event| event.record.push('x'),
            |event| event.request_id.push('x'),
            |event| event.outcome = AuditOutcome::Refused,
            |event| event.detail.push('x'),
        ];
        let mut heads = vec![next([0; 16], 0, &[0; 32], &event()).head];
        heads.push(next([1; 16], 0, &[0; 32], &event()).head);
        heads.push(next([0; 16], 1, &[0; 32], &event()).head);
        heads.push(next([0; 16], 0, &[1; 32], &event()).head);
        for edit in edits {
            let mut other = event();
            edit(&mut other);
            heads.push(next([0; 16], 0, &[0; 32], &other).head);
        }
        let count = heads.len();
        heads.sort_unstable();
        heads.dedup();
        assert_eq!(heads.len(), count);
    }

    #[test]
    fn text_cannot_move_between_neighbouring_fields() {
        let (mut one, mut two) = (event(), event());
        (one.actor, one.action) = ("ab".to_owned(), "c".to_owned());
        (two.actor, two.action) = ("a".to_owned(), "bc".to_owned());
        assert_ne!(
            next([0; 16], 0, &[0; 32], &one),
            next([0; 16], 0, &[0; 32], &two)
        );
    }
}
