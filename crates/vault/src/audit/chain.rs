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
    /// Where it found every other chain that was begun or grew since a chain last named it;
    /// ascending by id, each once.
    pub joins: Vec<Standing>,
}

/// Where a chain stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which chain.
    pub chain: [u8; 16],
    /// How many entries it had.
    pub entries: u64,
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
    hash.update(count(start.joins.len()));
    for join in &start.joins {
        hash.update(join.chain);
        hash.update(join.entries.to_be_bytes());
        hash.update(join.head);
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
    hash.update(count(bytes.len()));
    hash.update(bytes);
}

fn count(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes()
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
    fn every_part_of_a_start_changes_the_genesis() {
        type Edit = fn(&mut ChainStart);
        let standing = Standing {
            chain: [1; 16],
            entries: 2,
            head: [3; 32],
        };
        let start = ChainStart {
            chain: [0; 16],
            environment: "e".to_owned(),
            node: "n".to_owned(),
            started_at: UnixMillis(1),
            joins: vec![standing],
        };
        let edits: [Edit; 9] = [
            |_| {},
            |start| start.chain = [9; 16],
            |start| start.environment.push('x'),
            |start| start.node.push('x'),
            |start| start.started_at = UnixMillis(2),
            |start| start.joins[0].chain = [9; 16],
            |start| start.joins[0].entries = 9,
            |start| start.joins[0].head = [9; 32],
            |start| start.joins.clear(),
        ];
        let mut all: Vec<_> = edits
            .iter()
            .map(|edit| {
                let mut other = start.clone();
                edit(&mut other);
                genesis(&other)
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), edits.len());
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
