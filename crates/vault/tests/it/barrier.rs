//! The barrier: rights, audit before plaintext, read-back.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_vault::fault::{Failure, FaultPlan, Faulty};
use halfkey_vault::record::MAX_PLAINTEXT_LEN;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::vault::MAX_ROW_LEN;
use halfkey_vault::{
    AuditOutcome, BindCtx, DekCache, DekCacheLimits, Error, Expect, GetRecord, ManageKey as _,
    PutRecord, Rev, SealedRecord, Vault, VaultParts,
};

use crate::support::{Memory, access, clock, ctx, memory, name, secret};

/// The same vault with other rights.
fn with(memory: &Memory, edit: impl FnOnce(&mut VaultParts)) -> Vault {
    let mut parts = memory.vault.parts().clone();
    edit(&mut parts);
    Vault::new(parts)
}

fn failing_audit(memory: &Memory, call: u64) -> Vault {
    let plan = FaultPlan::new(0).failing_at(call, Failure::Permanent);
    let sink = Faulty::new(Arc::clone(&memory.audit), Arc::new(plan));
    with(memory, |parts| parts.audit = Arc::new(sink))
}

fn last(memory: &Memory) -> (String, AuditOutcome, String) {
    let event = memory.audit.events().pop().unwrap();
    (event.action, event.outcome, event.detail)
}

#[tokio::test]
async fn what_is_sealed_opens() {
    let memory = memory();
    for text in ["", "a share", &"x".repeat(105_000)] {
        let sealed = memory
            .vault
            .seal(&ctx(), &secret(text), &access())
            .await
            .unwrap();
        let opened = memory.vault.open(&ctx(), &sealed, &access()).await.unwrap();
        assert_eq!(opened, secret(text));
    }
}

#[tokio::test]
async fn two_seals_of_one_secret_share_nothing() {
    let memory = memory();
    let one = memory
        .vault
        .seal(&ctx(), &secret("s"), &access())
        .await
        .unwrap();
    let two = memory
        .vault
        .seal(&ctx(), &secret("s"), &access())
        .await
        .unwrap();
    // Salt, commitment and nonce.
    assert_ne!(one.as_bytes()[7..39], two.as_bytes()[7..39]);
    assert_ne!(one.as_bytes()[39..71], two.as_bytes()[39..71]);
    assert_ne!(one.as_bytes()[71..83], two.as_bytes()[71..83]);
}

#[tokio::test]
async fn every_operation_is_audited_with_who_why_and_what() {
    let memory = memory();
    let (vault, at) = (&memory.vault, name("a"));
    let sealed = vault.seal(&ctx(), &secret("s"), &access()).await.unwrap();
    vault.open(&ctx(), &sealed, &access()).await.unwrap();
    vault
        .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    vault.load(&at, &ctx(), &access()).await.unwrap();
    vault.destroy(&at, &access()).await.unwrap();
    let events = memory.audit.events();
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["seal", "open", "store", "load", "destroy"]);
    for event in &events {
        assert_eq!(event.outcome, AuditOutcome::Granted);
        assert_eq!(event.actor, "tester");
        assert_eq!(event.purpose, "sign");
        assert_eq!(event.request_id, access().request_id.to_string());
        assert_eq!(event.at, halfkey_core::UnixMillis(1_700_000_000_000));
        if event.action != "destroy" {
            assert_eq!(event.environment, "env-test");
            assert_eq!(event.wallet, ctx().wallet.to_string());
        }
    }
    assert!(events[2..].iter().all(|event| event.record == "a"));
}

#[tokio::test]
async fn no_event_no_plaintext() {
    let memory = memory();
    let (vault, at) = (&memory.vault, name("a"));
    vault
        .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    let sealed = vault.seal(&ctx(), &secret("s"), &access()).await.unwrap();
    let before = memory.records.get(&at).await.unwrap();

    let unavailable =
        |error: Error| assert!(matches!(error, Error::AuditUnavailable(_)), "{error}");
    let deaf = || failing_audit(&memory, 1);
    unavailable(
        deaf()
            .seal(&ctx(), &secret("s"), &access())
            .await
            .unwrap_err(),
    );
    unavailable(deaf().open(&ctx(), &sealed, &access()).await.unwrap_err());
    unavailable(deaf().load(&at, &ctx(), &access()).await.unwrap_err());
    unavailable(deaf().destroy(&at, &access()).await.unwrap_err());
    let stored = deaf()
        .store(&at, &ctx(), &secret("t"), Expect::Any, &access())
        .await;
    unavailable(stored.unwrap_err());
    // A refusal that cannot be recorded names both.
    let error = deaf()
        .load(&name("absent"), &ctx(), &access())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no record absent"), "{error}");
    unavailable(error);
    assert_eq!(
        memory.records.get(&at).await.unwrap(),
        before,
        "something was changed"
    );
}

#[tokio::test]
async fn refusals_are_audited() {
    let memory = memory();
    let (vault, at) = (&memory.vault, name("a"));
    assert!(matches!(
        vault.load(&at, &ctx(), &access()).await,
        Err(Error::NotFound(_))
    ));
    assert_eq!(
        last(&memory),
        (
            "load".to_owned(),
            AuditOutcome::Refused,
            "no record a".to_owned()
        )
    );

    vault
        .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    let again = vault
        .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
        .await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    assert_eq!(last(&memory).1, AuditOutcome::Refused);

    let other = BindCtx {
        account_address: "0xcd".to_owned(),
        ..ctx()
    };
    assert!(matches!(
        vault.load(&at, &other, &access()).await,
        Err(Error::Corrupt { .. })
    ));
    assert_eq!(last(&memory).1, AuditOutcome::Refused);

    let blind = with(&memory, |parts| parts.unwrap = None);
    assert!(matches!(
        blind.load(&at, &ctx(), &access()).await,
        Err(Error::Forbidden(_))
    ));
    let detail = "this process may not open records".to_owned();
    assert_eq!(
        last(&memory),
        ("load".to_owned(), AuditOutcome::Refused, detail)
    );
}

fn must_be_forbidden<T: std::fmt::Debug>(result: Result<T, Error>, right: &str) {
    match result {
        Err(Error::Forbidden(named)) => assert_eq!(named, right),
        other => panic!("{other:?} instead of {right}"),
    }
}

#[tokio::test]
async fn a_process_without_a_right_to_keys_is_told_which() {
    let memory = memory();
    let (at, share) = (name("a"), secret("s"));
    memory
        .vault
        .store(&at, &ctx(), &share, Expect::Absent, &access())
        .await
        .unwrap();
    let sealed = memory.vault.seal(&ctx(), &share, &access()).await.unwrap();

    let no_wrap = with(&memory, |parts| parts.wrap = None);
    must_be_forbidden(
        no_wrap.seal(&ctx(), &share, &access()).await,
        "seal records",
    );
    let stored = no_wrap
        .store(&at, &ctx(), &share, Expect::Any, &access())
        .await;
    must_be_forbidden(stored, "seal records");

    let no_unwrap = with(&memory, |parts| parts.unwrap = None);
    assert!(!no_unwrap.can_open() && memory.vault.can_open());
    must_be_forbidden(
        no_unwrap.open(&ctx(), &sealed, &access()).await,
        "open records",
    );
    must_be_forbidden(no_unwrap.load(&at, &ctx(), &access()).await, "open records");
}

#[tokio::test]
async fn a_process_without_a_right_to_the_store_is_told_which() {
    let memory = memory();
    let (at, to, share) = (name("a"), name("b"), secret("s"));
    memory
        .vault
        .store(&at, &ctx(), &share, Expect::Absent, &access())
        .await
        .unwrap();

    let no_put = with(&memory, |parts| parts.put = None);
    let stored = no_put
        .store(&at, &ctx(), &share, Expect::Any, &access())
        .await;
    must_be_forbidden(stored, "write records");
    must_be_forbidden(no_put.copy(&at, &to, Expect::Absent).await, "write records");
    must_be_forbidden(no_put.put_row(&at, b"", Expect::Any).await, "write records");
    must_be_forbidden(no_put.destroy(&at, &access()).await, "write records");

    let no_get = with(&memory, |parts| parts.get = None);
    must_be_forbidden(no_get.load(&at, &ctx(), &access()).await, "read records");
    must_be_forbidden(no_get.copy(&at, &to, Expect::Absent).await, "read records");
    must_be_forbidden(no_get.put_row(&at, b"", Expect::Any).await, "read records");
    must_be_forbidden(no_get.get_row(&at).await, "read records");
    must_be_forbidden(no_get.destroy(&at, &access()).await, "read records");
    let stored = no_get
        .store(&at, &ctx(), &share, Expect::Any, &access())
        .await;
    must_be_forbidden(stored, "read records");

    let no_list = with(&memory, |parts| parts.list = None);
    must_be_forbidden(no_list.list_names("", None, 1).await, "list records");
    let no_destroy = with(&memory, |parts| parts.destroy = None);
    must_be_forbidden(no_destroy.destroy(&at, &access()).await, "destroy records");
    assert_eq!(
        memory
            .vault
            .load(&at, &ctx(), &access())
            .await
            .unwrap()
            .value,
        share
    );
}

/// A process that may seal and store but not open stores and reads back (custody rule 7: it leaves
/// the proof to one that may).
#[tokio::test]
async fn storing_needs_no_right_to_open() {
    let memory = memory();
    let writer = with(&memory, |parts| {
        parts.unwrap = None;
        parts.list = None;
        parts.destroy = None;
    });
    writer
        .store(&name("a"), &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    let opened = memory
        .vault
        .load(&name("a"), &ctx(), &access())
        .await
        .unwrap();
    assert_eq!(opened.value, secret("s"));
}

#[tokio::test]
async fn store_rejects_a_store_that_lies() {
    let memory = memory();
    for failure in [Failure::Torn, Failure::Lost] {
        // The write is the first call of the store.
        let plan = Arc::new(FaultPlan::new(0).failing_at(1, failure));
        let store: Arc<Faulty<MemoryRecords>> =
            Arc::new(Faulty::new(Arc::clone(&memory.records), plan));
        let vault = with(&memory, |parts| {
            parts.put = Some(Arc::<Faulty<MemoryRecords>>::clone(&store));
            parts.get = Some(store);
        });
        let at = name(&format!("{failure:?}"));
        let stored = vault
            .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
            .await;
        assert!(
            matches!(stored, Err(Error::ReadBack(_))),
            "{failure:?}: {stored:?}"
        );
        assert_eq!(last(&memory).1, AuditOutcome::Refused);
    }
}

#[tokio::test]
async fn copy_moves_the_sealed_bytes_and_nothing_else() {
    let memory = memory();
    let (vault, from, to) = (&memory.vault, name("staged"), name("active"));
    vault
        .store(&from, &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    let opener = with(&memory, |parts| {
        parts.unwrap = None;
        parts.wrap = None;
    });
    opener.copy(&from, &to, Expect::Absent).await.unwrap();
    assert_eq!(
        vault.load(&to, &ctx(), &access()).await.unwrap().value,
        secret("s")
    );
    let again = opener.copy(&from, &to, Expect::Absent).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    let absent = opener.copy(&name("absent"), &to, Expect::Any).await;
    assert!(matches!(absent, Err(Error::NotFound(_))));
    vault
        .put_row(&name("row"), b"not a record", Expect::Absent)
        .await
        .unwrap();
    let row = opener.copy(&name("row"), &to, Expect::Any).await;
    assert!(matches!(row, Err(Error::Corrupt { .. })));
    assert_eq!(
        vault.load(&to, &ctx(), &access()).await.unwrap().value,
        secret("s")
    );
}

#[tokio::test]
async fn what_is_destroyed_is_shredded_before_it_is_removed() {
    let memory = memory();
    let (vault, at) = (&memory.vault, name("a"));
    vault
        .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    // The process dies between the two steps: get 1, put 2, destroy 3.
    let plan = Arc::new(FaultPlan::new(0).failing_at(3, Failure::CrashBefore));
    let store = Arc::new(Faulty::new(Arc::clone(&memory.records), plan));
    let dying = with(&memory, |parts| {
        parts.put = Some(Arc::<Faulty<MemoryRecords>>::clone(&store));
        parts.get = Some(Arc::<Faulty<MemoryRecords>>::clone(&store));
        parts.destroy = Some(store);
    });
    dying.destroy(&at, &access()).await.unwrap_err();
    let left = memory.records.get(&at).await.unwrap().unwrap();
    assert!(left.value.len() < 32, "no wrapped key is left");
    match vault.load(&at, &ctx(), &access()).await {
        Err(Error::Corrupt { why, .. }) => assert_eq!(why, "the record was destroyed"),
        other => panic!("{other:?}"),
    }
    vault.destroy(&at, &access()).await.unwrap();
    assert!(memory.records.get(&at).await.unwrap().is_none());
    assert!(matches!(
        vault.destroy(&at, &access()).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn sizes_are_limited() {
    let memory = memory();
    let largest = SecretBytes::new(vec![7; MAX_PLAINTEXT_LEN]);
    let sealed = memory
        .vault
        .seal(&ctx(), &largest, &access())
        .await
        .unwrap();
    assert_eq!(
        memory.vault.open(&ctx(), &sealed, &access()).await.unwrap(),
        largest
    );
    let larger = SecretBytes::new(vec![7; MAX_PLAINTEXT_LEN + 1]);
    let error = memory
        .vault
        .seal(&ctx(), &larger, &access())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let row = vec![7; MAX_ROW_LEN + 1];
    let error = memory
        .vault
        .put_row(&name("r"), &row, Expect::Any)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn rows_are_compared_and_set() {
    let memory = memory();
    let (vault, at) = (&memory.vault, name("wallet:0xab/state"));
    assert!(vault.get_row(&at).await.unwrap().is_none());
    let first = vault.put_row(&at, b"1", Expect::Absent).await.unwrap();
    let second = vault.put_row(&at, b"2", Expect::Rev(first)).await.unwrap();
    assert!(second > first);
    let stale = vault.put_row(&at, b"3", Expect::Rev(first)).await;
    assert!(matches!(stale, Err(Error::Conflict(_))));
    assert_eq!(vault.get_row(&at).await.unwrap().unwrap().value, b"2");
    let listed = vault.list_names("wallet:", None, 10).await.unwrap();
    assert_eq!(listed.names, [at]);
    assert_eq!(
        memory
            .records
            .put(&name("x"), b"", Expect::Any)
            .await
            .unwrap(),
        Rev(1)
    );
}

#[test]
fn debug_shows_nothing_but_lengths() {
    let memory = memory();
    let shown = format!(
        "{:?} {:?} {:?}",
        memory.vault,
        memory.vault.parts(),
        memory.kek
    );
    assert!(shown.len() < 120, "{shown}");
    assert!(SealedRecord::from_bytes(b"HKR1").is_err());
}

/// Who looks for what became of a wallet finds the end of its shares too.
#[tokio::test]
async fn a_destruction_names_its_wallet_and_environment() {
    let memory = memory();
    let (vault, at) = (&memory.vault, name("a"));
    vault
        .store(&at, &ctx(), &secret("x"), Expect::Absent, &access())
        .await
        .unwrap();
    vault.destroy_of(&at, &ctx(), &access()).await.unwrap();
    let last = memory.audit.events().pop().unwrap();
    assert_eq!(last.action, "destroy");
    assert_eq!(last.wallet, ctx().wallet.to_string());
    assert_eq!(last.environment, ctx().environment.to_string());
}

/// Two processes over one store, each with a cache of data keys.
#[tokio::test]
async fn data_keys_are_forgotten_in_every_process() {
    let memory = memory();
    let limits = DekCacheLimits {
        max_age_ms: 300_000,
        max_uses: 1000,
        max_entries: 10,
    };
    let process = || {
        let cache = Arc::new(DekCache::new(limits, clock()).unwrap());
        memory.vault.clone().with_dek_cache(cache)
    };
    let (signer, operator) = (process(), process());
    let at = name("a");
    operator
        .store(&at, &ctx(), &secret("x"), Expect::Absent, &access())
        .await
        .unwrap();
    let warm = async || signer.load_warm(&at, &ctx(), &access()).await;
    warm().await.unwrap();
    memory.kek.rotate().await.unwrap();
    memory.kek.disable("1").await.unwrap();
    assert!(warm().await.unwrap().value == secret("x"), "from its cache");
    operator.forget_data_keys().await.unwrap();
    let refused = warm().await;
    assert!(matches!(refused, Err(Error::KeyDisabled(_))), "{refused:?}");
    // Once heeded, keys are kept again.
    memory.kek.enable("1").await.unwrap();
    warm().await.unwrap();
    memory.kek.disable("1").await.unwrap();
    warm().await.unwrap();
    operator.forget_data_keys().await.unwrap();
    let refused = warm().await;
    assert!(matches!(refused, Err(Error::KeyDisabled(_))), "{refused:?}");
}
