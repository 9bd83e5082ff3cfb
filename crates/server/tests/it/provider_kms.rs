//! The provider's half under a KMS: a real OpenBao, a real HSM module, the move from a keyring
//! while the provider serves, and a KMS that is down.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use halfkey_core::wire::Scope;
use halfkey_server::keys::{self, KeysOptions, KeysReport};
use halfkey_server::{Error, init};
use halfkey_testkit::servers::openbao::{OpenBaoDev, OpenBaoRaft, RaftOptions};
use halfkey_testkit::servers::softhsm::{PIN_VARIABLE, SoftHsm};
use halfkey_testkit::tools;
use halfkey_vault::kms::pkcs11::{Pkcs11Config, Pkcs11Kek};
use halfkey_vault::net::SecretSource;
use reqwest::Method;
use serde_json::json;

use crate::customer::{EVM, SVM, Wallet, create, sign, sign_path, sign_request};
use crate::world::{World, init_options};

fn options(world: &World) -> KeysOptions {
    KeysOptions {
        environment: None,
        passphrase: None,
        clock: world.clock(),
    }
}

async fn rewrap(world: &World) -> KeysReport {
    keys::rewrap(world.home.path(), &options(world))
        .await
        .unwrap()
}

fn home(world: &World) -> PathBuf {
    let environments = world.provider_dir().join("environments");
    environments.join(world.environment.as_str())
}

/// A `storage.toml` for the transit engine of that server.
fn transit(world: &World, url: &str, token: &str, more: &str) -> String {
    let file = world.home.path().join("bao-token");
    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[kms]\nkind = \"transit\"\n[kms.server]\naddress = \"{url}\"\n\
         auth = {{ token = {{ file = \"{}\" }} }}\nallow_in_memory_server = true\n\
         [retry]\ndeadline_ms = 2000\ntries = 1\n{more}",
        file.display()
    )
}

async fn bao(world: &World) -> OpenBaoDev {
    tools::real_part("openbao");
    let bao = OpenBaoDev::start();
    let environment = world.environment.as_str();
    bao.admin().make_transit("transit", environment).await;
    bao
}

fn configure(world: &World, text: &str) {
    std::fs::write(home(world).join("storage.toml"), text).unwrap();
}

async fn refused_signature(world: &World, wallet: &Wallet) -> u16 {
    let (_, body) = sign_request(&wallet.shares[0], b"x");
    world.post(&sign_path(world, wallet), &body).await.status
}

/// From the keyring to the KMS while the provider serves, then without the keyring.
#[tokio::test(flavor = "multi_thread")]
async fn shares_move_to_a_kms_while_the_provider_serves() {
    let mut world = World::start().await;
    let old = [create(&world, SVM).await, create(&world, EVM).await];
    let bao = bao(&world).await;
    configure(&world, &transit(&world, &bao.url(), bao.root_token(), ""));

    // The provider that runs could not open what would be moved.
    let early = keys::rewrap(world.home.path(), &options(&world)).await;
    assert!(
        matches!(&early, Err(Error::Caller(why)) if why.contains("start it again")),
        "{early:?}"
    );
    world.restart().await;
    for wallet in &old {
        sign(&world, wallet, &wallet.shares[0], b"before the move").await;
    }
    let new = create(&world, SVM).await;

    let moved = rewrap(&world).await;
    // Two shares and the two secrets; the third share was made under the KMS.
    assert_eq!((moved.moved, moved.already), (4, 1), "{moved:?}");
    assert!(
        moved.is_clean() && moved.kek_uri.starts_with("transit:"),
        "{moved:?}"
    );
    for wallet in old.iter().chain([&new]) {
        sign(&world, wallet, &wallet.shares[0], b"after the move").await;
    }
    let again = rewrap(&world).await;
    assert_eq!((again.moved, again.already), (0, 5), "{again:?}");

    // Nothing needs the keyring any more.
    std::fs::remove_file(home(&world).join("keyring")).unwrap();
    world.restart().await;
    for wallet in old.iter().chain([&new]) {
        sign(&world, wallet, &wallet.shares[0], b"without the keyring").await;
    }

    // A new version of the KEK, and everything under it.
    let version = keys::rotate(world.home.path(), &options(&world))
        .await
        .unwrap();
    assert_eq!(version, "2");
    let moved = rewrap(&world).await;
    assert_eq!(
        (moved.moved, moved.kek_version.as_str()),
        (5, "2"),
        "{moved:?}"
    );
    sign(&world, &new, &new.shares[0], b"under version 2").await;
    let info = keys::info(world.home.path(), &options(&world))
        .await
        .unwrap();
    assert_eq!(info.environment, world.environment);
}

/// Wallets that signed a moment ago go on, others get a clear and passing refusal, nothing is lost,
/// and a freeze ends the exception.
#[tokio::test(flavor = "multi_thread")]
async fn a_kms_that_is_down_stops_cold_wallets_only() {
    let mut world = World::start().await;
    tools::real_part("openbao");
    let options = RaftOptions {
        max_entry_size: None,
        in_memory: false,
    };
    let bao = OpenBaoRaft::start(options).await;
    let environment = world.environment.as_str().to_owned();
    bao.admin().make_transit("transit", &environment).await;
    let cache = "[dek_cache]\nmax_age_s = 300\nmax_entries = 100\n";
    let text = transit(&world, &bao.url(), bao.root_token(), cache).replace(
        "allow_in_memory_server = true",
        &format!("tls = {{ ca_file = \"{}\" }}", bao.ca_file().display()),
    );
    configure(&world, &text);
    world.restart().await;
    let (warm, cold) = (create(&world, SVM).await, create(&world, SVM).await);
    world.restart().await;
    sign(&world, &warm, &warm.shares[0], b"warms it").await;

    bao.seal().await;
    sign(&world, &warm, &warm.shares[0], b"goes on").await;
    assert_eq!(refused_signature(&world, &cold).await, 503);
    let down = keys::rewrap(world.home.path(), &self::options(&world)).await;
    assert!(matches!(down, Err(Error::Vault(_))), "{down:?}");

    let token = world
        .new_token(&[Scope::Freeze, Scope::Unfreeze], None)
        .await;
    for (route, body) in [
        ("freeze", json!({ "walletId": null, "reason": "drill" })),
        ("unfreeze", json!({ "walletId": null })),
    ] {
        let path = format!("/environments/{environment}/waas/{route}");
        let answer = world.send(Method::POST, &path, &token, Some(&body)).await;
        assert_eq!(answer.status, 200, "{route}");
    }
    assert_eq!(refused_signature(&world, &warm).await, 503);

    bao.unseal().await;
    for wallet in [&warm, &cold] {
        sign(&world, wallet, &wallet.shares[0], b"nothing was lost").await;
    }
}

/// A KEK of another environment, a section about a store, and a KMS that is not there: each names
/// itself, and the provider does not start.
#[tokio::test(flavor = "multi_thread")]
async fn a_kek_that_cannot_be_used_is_named() {
    let mut world = World::start().await;
    world.down().await;
    let bao = bao(&world).await;
    let transit = |more: &str| transit(&world, &bao.url(), bao.root_token(), more);
    let of_another = transit("").replace("[kms.server]", "key = \"halfkey-other\"\n[kms.server]");
    configure(&world, &of_another);
    let refused = world.refused_start().await;
    assert!(
        matches!(
            refused,
            Error::Vault(halfkey_vault::Error::Environment { .. })
        ),
        "{refused:?}"
    );
    configure(&world, &transit("[records]\nkind = \"sqlite\"\n"));
    let refused = world.refused_start().await.to_string();
    assert!(refused.contains("`records`"), "{refused}");
    configure(
        &world,
        &transit("").replace(&bao.url(), "http://127.0.0.1:1"),
    );
    let refused = world.refused_start().await;
    assert!(
        matches!(&refused, Error::Vault(error) if error.fault().is_retryable()),
        "{refused:?}"
    );
}

/// A provider whose first key is made under the KMS never has a keyring file.
#[tokio::test(flavor = "multi_thread")]
async fn init_makes_a_provider_under_a_kms() {
    let world = World::start().await;
    let bao = bao(&world).await;
    let fresh = tempfile::tempdir().unwrap();
    let mut options = init_options(&world.clock, Some(world.environment.as_str()));
    options.storage = Some(transit(&world, &bao.url(), bao.root_token(), ""));
    let made = init(fresh.path(), options).await.unwrap();
    assert!(made.created);
    let dir = fresh.path().join("provider/environments");
    let dir = dir.join(world.environment.as_str());
    assert!(dir.join("storage.toml").exists() && dir.join("identity.sealed").exists());
    assert!(!dir.join("keyring").exists());
    let known = KeysOptions {
        environment: None,
        passphrase: None,
        clock: world.clock(),
    };
    let report = keys::rewrap(fresh.path(), &known).await.unwrap();
    assert_eq!((report.moved, report.already), (0, 2), "{report:?}");
}

const IN_HSM: &str = "provider_kms::shares_move_into_an_hsm";

/// In a process of its own: `testkit::servers::softhsm` says why.
#[test]
fn shares_move_into_an_hsm() {
    let Some(hsm) = SoftHsm::of_this_process() else {
        SoftHsm::run_test(IN_HSM);
        return;
    };
    tools::real_part("softhsm");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::start().await;
        let wallet = create(&world, SVM).await;
        hsm.init_token("custody");
        let config = Pkcs11Config {
            module: SoftHsm::module(),
            token_label: "custody".to_owned(),
            token_serial: None,
            pin: SecretSource::Env(PIN_VARIABLE.to_owned()),
            key_label: None,
            deadline_ms: 60_000,
            sessions: 4,
            token_makes_nonce: false,
        };
        Pkcs11Kek::create(&config, &world.environment, world.clock())
            .await
            .unwrap();
        configure(
            &world,
            &format!(
                "[kms]\nkind = \"pkcs11\"\nmodule = \"{}\"\ntoken_label = \"custody\"\n\
                 pin = {{ env = \"{PIN_VARIABLE}\" }}\n",
                SoftHsm::module().display()
            ),
        );
        world.restart().await;
        sign(&world, &wallet, &wallet.shares[0], b"before").await;
        let moved = rewrap(&world).await;
        assert_eq!((moved.moved, moved.already), (3, 0), "{moved:?}");
        assert!(moved.kek_uri.starts_with("pkcs11:"), "{moved:?}");
        sign(&world, &wallet, &wallet.shares[0], b"after").await;
    });
}
