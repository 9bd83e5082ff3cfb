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
