//! Google Cloud KMS and Secret Manager, against a stand-in of our own and against drongo.

mod credentials;
mod drongo;
mod kms;
mod leaks;
mod manage;
mod secrets;

use core::sync::atomic::{AtomicUsize, Ordering};

use halfkey_testkit::servers::gcp_fake::GcpFake;
use halfkey_vault::kms::gcp::{GcpKek, GcpKekConfig};
use halfkey_vault::net::TlsConfig;
use halfkey_vault::net::gcp::{ENVIRONMENT_LABEL, GcpCredentials};
use halfkey_vault::store::gcp_secrets::{GcpSecrets, GcpSecretsConfig};
use halfkey_vault::{Error, UnwrapKey as _};

use crate::support::{ctx, environment};

const KEY: &str = "projects/test/locations/global/keyRings/halfkey/cryptoKeys/shares";

/// A project, prefix or key name nobody else uses.
fn fresh(stem: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{stem}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn kek_config(endpoint: &str, key: &str) -> GcpKekConfig {
    GcpKekConfig {
        key: key.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        tls: TlsConfig::default(),
        credentials: GcpCredentials::Anonymous,
        deadline_ms: 60_000,
    }
}

/// A stand-in with the key [`KEY`], marked for the environment of [`ctx`].
fn fake() -> GcpFake {
    let fake = GcpFake::start();
    fake.create_key(KEY, &[(ENVIRONMENT_LABEL, "env-test")]);
    fake
}

async fn open_kek(fake: &GcpFake) -> Result<GcpKek, Error> {
    GcpKek::open(&kek_config(&fake.endpoint(), KEY), &environment()).await
}

async fn make_kek() -> (GcpKek, GcpFake) {
    let fake = fake();
    (open_kek(&fake).await.unwrap(), fake)
}

fn secrets_config(endpoint: &str, project: &str, prefix: &str) -> GcpSecretsConfig {
    GcpSecretsConfig {
        project: project.to_owned(),
        prefix: prefix.to_owned(),
        page_size: 5,
        endpoint: Some(endpoint.to_owned()),
        tls: TlsConfig::default(),
        credentials: GcpCredentials::Anonymous,
        deadline_ms: 60_000,
    }
}

async fn open_secrets(fake: &GcpFake) -> GcpSecrets {
    let config = secrets_config(&fake.endpoint(), "test", "halfkey");
    GcpSecrets::open(&config, &environment()).await.unwrap()
}

/// One store, and one of an environment whose id goes on where the first one's ends.
async fn two_stores(endpoint: &str, project: &str) -> [GcpSecrets; 2] {
    let config = secrets_config(endpoint, project, "halfkey");
    let other = "env-test-2".parse().unwrap();
    [
        GcpSecrets::open(&config, &environment()).await.unwrap(),
        GcpSecrets::open(&config, &other).await.unwrap(),
    ]
}

mod suite {
    use super::{GcpFake, GcpKek, GcpSecrets, two_stores};

    mod kek {
        async fn make() -> (super::GcpKek, super::GcpFake) {
            super::super::make_kek().await
        }
        halfkey_vault::key_provider_conformance!(make);
    }

    mod secrets {
        async fn make() -> ([super::GcpSecrets; 2], super::GcpFake) {
            let fake = super::GcpFake::start();
            (super::two_stores(&fake.endpoint(), "test").await, fake)
        }
        halfkey_vault::secret_store_conformance!(make);
    }
}

/// A sound wrap still opens: the fault was the call's, not the wrap's.
async fn must_open(kek: &GcpKek, wrapped: &halfkey_vault::Wrapped) {
    kek.unwrap(&ctx(), wrapped).await.unwrap();
}
