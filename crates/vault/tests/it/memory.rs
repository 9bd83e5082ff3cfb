//! The back-ends in memory pass the suites.

mod records {
    use halfkey_vault::store::memory::MemoryRecords;

    async fn make() -> (MemoryRecords, ()) {
        (MemoryRecords::default(), ())
    }
    halfkey_vault::record_store_conformance!(make);
}

mod properties {
    use halfkey_vault::store::memory::MemoryProperties;

    async fn make() -> (MemoryProperties, ()) {
        (MemoryProperties::default(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}

mod bounded {
    use halfkey_vault::BoundedProperties;

    async fn make() -> (BoundedProperties, ()) {
        (BoundedProperties::new(1000).unwrap(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}

mod kek {
    use halfkey_vault::kms::memory::MemoryKek;

    async fn make() -> (MemoryKek, ()) {
        (MemoryKek::new("test").unwrap(), ())
    }
    halfkey_vault::key_provider_conformance!(make);
}

mod audit {
    use std::sync::Arc;

    use halfkey_vault::audit::memory::MemoryAudit;

    async fn make() -> (Arc<MemoryAudit>, ()) {
        (Arc::new(MemoryAudit::default()), ())
    }
    halfkey_vault::audit_sink_conformance!(make);
}

mod secrets {
    use halfkey_vault::store::memory::MemorySecrets;

    async fn make() -> ([MemorySecrets; 2], ()) {
        let store = MemorySecrets::new("p/", 65_536);
        let other = store.with_prefix("p/env-test/");
        ([store, other], ())
    }
    halfkey_vault::secret_store_conformance!(make);
}
