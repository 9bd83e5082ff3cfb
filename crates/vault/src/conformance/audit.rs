//! The suite of audit sinks.

use std::sync::Arc;

use super::must;
use super::sample::event;
use crate::audit::chain;
use crate::{AuditOutcome, AuditSink};

/// One test per case, for the sink that `$make` makes, as an `Arc` of it.
#[macro_export]
macro_rules! audit_sink_conformance {
    ($make:path) => {
        $crate::conformance_cases!(
            audit,
            $make,
            entries_are_chained_from_zero,
            any_text_is_taken,
            many_at_once_make_one_chain,
        );
    };
}

/// One chain, numbered from 0, each head over the one before.
pub async fn entries_are_chained_from_zero<S: AuditSink>(sink: &Arc<S>) {
    let mut before = must(sink.append(event("0")).await);
    assert_eq!(before.sequence, 0);
    for number in 1..20_u64 {
        let event = event(&number.to_string());
        let position = must(sink.append(event.clone()).await);
        assert_eq!(
            position,
            chain::next(before.chain, number, &before.head, &event)
        );
        before = position;
    }
}

/// Empty, long, quotes, line ends, and other scripts.
pub async fn any_text_is_taken<S: AuditSink>(sink: &Arc<S>) {
    let mut before = must(sink.append(event("first")).await);
    for text in [
        "",
        "'\";--\n\r\t\u{0}",
        "\u{1F511}\u{202E}é",
        &"x".repeat(100_000),
    ] {
        let mut event = event(text);
        event.detail = text.to_owned();
        event.outcome = AuditOutcome::Refused;
        let position = must(sink.append(event.clone()).await);
        let sequence = before.sequence.saturating_add(1);
        assert_eq!(
            position,
            chain::next(before.chain, sequence, &before.head, &event)
        );
        before = position;
    }
}

/// Appends from many tasks are put in one order, with none lost and none twice.
pub async fn many_at_once_make_one_chain<S: AuditSink + 'static>(sink: &Arc<S>) {
    let tasks = (0..50).map(|number| {
        let sink = Arc::clone(sink);
        tokio::spawn(async move { sink.append(event(&number.to_string())).await })
    });
    let mut sequences = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        sequences.push(must(must(task.await)).sequence);
    }
    sequences.sort_unstable();
    assert_eq!(sequences, (0..50).collect::<Vec<_>>());
}
