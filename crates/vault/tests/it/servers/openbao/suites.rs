//! The suites, against the development server and against raft storage behind TLS.

mod dev_transit {
    use halfkey_vault::kms::transit::TransitKek;

    use super::super::Access;

    async fn make() -> (TransitKek, Access) {
        Access::dev().await.fresh_kek().await
    }
    halfkey_vault::key_provider_conformance!(make);
}

mod dev_kv {
    use halfkey_vault::store::kv::KvRecords;

    use super::super::Access;

    async fn make() -> (KvRecords, Access) {
        Access::dev().await.fresh_records().await
    }
    halfkey_vault::record_store_conformance!(make);
}

mod raft_transit {
    use halfkey_vault::kms::transit::TransitKek;

    use super::super::{Access, raft};

    async fn make() -> (TransitKek, Access) {
        Access::of_raft(raft().await).fresh_kek().await
    }
    halfkey_vault::key_provider_conformance!(make);
}

mod raft_kv {
    use halfkey_vault::store::kv::KvRecords;

    use super::super::{Access, raft};

    async fn make() -> (KvRecords, Access) {
        Access::of_raft(raft().await).fresh_records().await
    }
    halfkey_vault::record_store_conformance!(make);
}

/// Each environment has a key of its own in one mount.
#[tokio::test]
async fn every_record_opens_only_as_itself_under_transit() {
    use halfkey_vault::kms::transit::TransitKek;

    use super::{Access, fresh};
    use crate::matrix::{ENVIRONMENTS, only_as_itself, under};

    let access = Access::dev().await;
    let mount = fresh("transit");
    let [test, other] = ENVIRONMENTS;
    access.admin.make_transit(&mount, test).await;
    access.admin.make_transit_key(&mount, other).await;
    let open = async |environment: &str| {
        let environment = environment.parse().unwrap();
        let opened = TransitKek::open(&access.transit(&mount), &environment).await;
        under(opened.unwrap())
    };
    only_as_itself([&open(test).await, &open(other).await]).await;
}
