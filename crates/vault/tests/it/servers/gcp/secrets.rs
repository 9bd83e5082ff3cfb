//! Secret Manager: what a crash, a rival and a bad wire leave.

use halfkey_testkit::servers::gcp_fake::Fault;
use halfkey_testkit::servers::gcp_fake::GcpFake;
use halfkey_vault::Error;
use halfkey_vault::conformance::must_conflict;
use halfkey_vault::store::gcp_secrets::GcpSecrets;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};

use super::{open_secrets, secrets_config};
use crate::support::{contains, environment, name};

const ID: SecretId = SecretId::from_bytes([7; 16]);

async fn make() -> (GcpSecrets, GcpFake) {
    let fake = GcpFake::start();
    (open_secrets(&fake).await, fake)
}

async fn create(store: &GcpSecrets, value: &[u8]) -> Result<(), Error> {
    store.create(ID, &name("wallet:0xab/shares/2"), value).await
}

fn full_id() -> String {
    format!("halfkey-env-test-{ID}")
}

#[tokio::test]
async fn a_secret_is_named_labelled_and_annotated() {
    let (store, fake) = make().await;
    create(&store, b"sealed").await.unwrap();
    assert_eq!(fake.secret_ids(), [(full_id(), 1)]);
    let held = fake.held();
    for part in [
        "\"halfkey-environment\":\"env-test\"",
        "\"halfkey-record\":\"wallet:0xab/shares/2\"",
        "sealed",
    ] {
        assert!(contains(&held, part.as_bytes()), "{part}");
    }
    assert_eq!(
        store.uri(),
        "gcp-secrets:projects/test/secrets/halfkey-env-test"
    );
}

#[tokio::test]
async fn a_creation_that_broke_off_is_absent_and_can_be_completed() {
    for fault in [
        Fault::google(503, "UNAVAILABLE"),
        Fault::google(404, "NOT_FOUND"),
        Fault::ChangeRequest,
    ] {
        let (store, fake) = make().await;
        fake.break_calls(":addVersion", fault.clone());
        let error = create(&store, b"sealed").await.unwrap_err();
        assert!(error.is_transient(), "{fault:?}: {error:?}");
        fake.heal();
        assert_eq!(fake.secret_ids(), [(full_id(), 0)], "a shell is left");
        assert_eq!(store.read(ID).await.unwrap(), None);
        let listed = store.list(None).await.unwrap();
        assert_eq!(listed.ids, [ID], "what nothing refers to must be found");
        create(&store, b"sealed").await.unwrap();
        assert_eq!(store.read(ID).await.unwrap().unwrap(), b"sealed");
        assert_eq!(fake.secret_ids(), [(full_id(), 1)]);
    }
}

#[tokio::test]
async fn a_shell_can_be_removed() {
    let (store, fake) = make().await;
    fake.break_calls(":addVersion", Fault::google(500, "INTERNAL"));
    create(&store, b"sealed").await.unwrap_err();
    store.remove(ID).await.unwrap();
    assert!(fake.secret_ids().is_empty());
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_repeated_without_harm() {
    let (store, fake) = make().await;
    fake.break_calls(":addVersion", Fault::Cut);
    assert!(create(&store, b"sealed").await.unwrap_err().is_transient());
    fake.heal();
    create(&store, b"sealed").await.unwrap();
    assert_eq!(fake.secret_ids(), [(full_id(), 1)]);
    must_conflict(create(&store, b"other").await, "another value");
}

#[tokio::test]
async fn of_two_writers_of_one_id_the_first_version_stands() {
    let (store, fake) = make().await;
    fake.break_calls(":addVersion", Fault::OtherVersion(b"theirs".to_vec()));
    must_conflict(create(&store, b"ours").await, "the second writer");
    assert_eq!(store.read(ID).await.unwrap().unwrap(), b"theirs");
    store.remove(ID).await.unwrap();
    fake.heal();
    fake.break_calls(":addVersion", Fault::OtherVersion(b"ours".to_vec()));
    create(&store, b"ours").await.unwrap();
    assert_eq!(store.read(ID).await.unwrap().unwrap(), b"ours");
}

#[tokio::test]
async fn a_value_whose_checksum_did_not_arrive_is_read_back() {
    let (store, fake) = make().await;
    fake.break_calls(":addVersion", Fault::IgnoreChecksums);
    let before = fake.calls();
    create(&store, b"sealed").await.unwrap();
    assert_eq!(fake.calls(), before + 3, "create, add, read");
}

#[tokio::test]
async fn a_value_changed_on_the_way_back_is_tried_again() {
    let (store, fake) = make().await;
    create(&store, b"sealed").await.unwrap();
    fake.break_calls(":access", Fault::ChangeReply);
    assert!(store.read(ID).await.unwrap_err().is_transient());
    // Nor is it taken for another value.
    assert!(create(&store, b"sealed").await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_version_out_of_use_is_neither_absent_nor_temporary() {
    let (store, fake) = make().await;
    create(&store, b"sealed").await.unwrap();
    for state in ["DISABLED", "DESTROYED"] {
        fake.set_secret_state(&full_id(), 1, state);
        let error = store.read(ID).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Backend {
                    temporary: false,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_outage_is_not_absence() {
    let (store, fake) = make().await;
    create(&store, b"sealed").await.unwrap();
    for fault in [
        Fault::Cut,
        Fault::Reply(404, "<html>not here</html>".to_owned()),
        Fault::Reply(200, "{}".to_owned()),
        Fault::google(503, "UNAVAILABLE"),
    ] {
        fake.break_calls("secrets", fault.clone());
        for failed in [
            store.read(ID).await.map(drop),
            store.list(None).await.map(drop),
            create(&store, b"sealed").await,
        ] {
            // An empty object is an empty page, as Google writes one.
            if let Err(error) = failed {
                assert!(error.is_transient(), "{fault:?}: {error:?}");
            }
        }
        assert!(store.read(ID).await.is_err(), "{fault:?}");
        fake.heal();
    }
    for (status, code) in [(401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED")] {
        fake.break_calls("secrets", Fault::google(status, code));
        let config = secrets_config(&fake.endpoint(), "test", "halfkey");
        let opened = GcpSecrets::open(&config, &environment()).await;
        assert!(matches!(opened, Err(Error::Denied(_))), "{opened:?}");
        assert!(matches!(store.remove(ID).await, Err(Error::Denied(_))));
        fake.heal();
    }
    fake.break_calls("secrets", Fault::google(429, "RESOURCE_EXHAUSTED"));
    assert!(matches!(store.read(ID).await, Err(Error::Throttled(_))));
}

#[tokio::test]
async fn a_manager_that_hangs_is_left_at_the_deadline() {
    let (_, fake) = make().await;
    let mut config = secrets_config(&fake.endpoint(), "test", "halfkey");
    config.deadline_ms = 200;
    let store = GcpSecrets::open(&config, &environment()).await.unwrap();
    fake.break_calls("secrets", Fault::Hang);
    let hung = create(&store, b"sealed").await;
    assert!(matches!(hung, Err(Error::Timeout(_))), "{hung:?}");
}

#[tokio::test]
async fn what_is_too_long_or_empty_is_refused_before_any_call() {
    let (store, fake) = make().await;
    let before = fake.calls();
    let long = create(&store, &vec![0; store.limit() + 1]).await;
    assert!(matches!(long, Err(Error::TooLarge { limit: 65_536, .. })));
    assert!(matches!(create(&store, b"").await, Err(Error::Caller(_))));
    assert_eq!(fake.calls(), before);
}

#[tokio::test]
async fn open_rejects_names_that_could_be_taken_for_others() {
    let fake = GcpFake::start();
    let open = async |project: &str, prefix: &str, page_size: u16| {
        let mut config = secrets_config(&fake.endpoint(), project, prefix);
        config.page_size = page_size;
        GcpSecrets::open(&config, &environment()).await
    };
    for (project, prefix, page_size) in [
        ("test", "half-key", 5),
        ("test", "", 5),
        ("test", "a/b", 5),
        ("test", &*"a".repeat(65), 5),
        ("", "halfkey", 5),
        ("a/b", "halfkey", 5),
        ("..", "halfkey", 5),
        ("test", "halfkey", 0),
        ("test", "halfkey", 501),
    ] {
        let refused = open(project, prefix, page_size).await;
        assert!(
            matches!(refused, Err(Error::Config(_))),
            "{project} {prefix}"
        );
    }
    assert_eq!(fake.calls(), 0);
}
