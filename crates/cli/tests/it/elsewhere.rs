//! The storage tiers on servers: PostgreSQL holds the records, OpenBao the KEK, Redis the cache.

use std::path::Path;

use halfkey_testkit::servers::openbao::OpenBaoDev;
use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::servers::redis::{PASSWORD, Redis};
use halfkey_testkit::tools;
use serde_json::Value;

use crate::support::{Home, Provider, must_succeed};

/// A private file below the data directory.
fn secret(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn configure(home: &Home, config: &str) {
    std::fs::write(home.path().join("customer/storage.toml"), config).unwrap();
}

/// `[cache]` at this server.
fn redis_cache(home: &Home, server: &Redis) -> String {
    let password = secret(home, "redis-password", PASSWORD);
    format!(
        "[cache]\nkind = \"redis\"\ntopology = {{ single = \"{}\" }}\n\
         password = {{ file = \"{password}\" }}\n",
        server.address()
    )
}

/// Which wallets the cache knows.
fn cached(server: &Redis) -> String {
    server.must_cli(&["KEYS", "{halfkey:properties}:value:*"])
}

fn vault(home: &Home, args: &[&str]) -> Value {
    let output = home.run(&[&["--json", "vault"], args].concat());
    must_succeed(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn create(home: &Home, provider: &Provider, chain: &str) -> String {
    let made = home.json(provider, &["wallet", "create", "--chain", chain]);
    made["account_address"].as_str().unwrap().to_owned()
}

/// A cache that is down, from before the process began, costs no signature and no new wallet; once
/// it is back it is used.
#[test]
fn wallets_are_made_and_sign_while_the_cache_is_down() {
    tools::real_part("redis");
    let home = Home::initialised();
    let mut redis = Redis::start();
    configure(&home, &redis_cache(&home, &redis));
    let provider = home.serve();
    redis.kill();
    let down = create(&home, &provider, "SVM");
    home.json(&provider, &["wallet", "sign-message", &down, "gm"]);
    home.json(&provider, &["wallet", "show", &down]);

    redis.kill_and_restart();
    let up = create(&home, &provider, "SVM");
    let known = cached(&redis);
    assert!(known.contains(&up) && !known.contains(&down), "{known}");
    home.json(&provider, &["wallet", "sign-message", &down, "gm"]);
}

struct Servers {
    postgres: Postgres,
    openbao: OpenBaoDev,
    redis: Redis,
}

fn start() -> Servers {
    for part in ["postgres", "openbao", "redis"] {
        tools::real_part(part);
    }
    Servers {
        postgres: Postgres::start(Tls::Off),
        openbao: OpenBaoDev::start(),
        redis: Redis::start(),
    }
}

fn environment(home: &Home) -> String {
    let file = home.path().join("customer/config.json");
    let config: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    config["environment"].as_str().unwrap().to_owned()
}

fn use_servers(home: &Home, servers: &Servers, password: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let admin = servers.openbao.admin();
    runtime.block_on(admin.make_transit("transit", &environment(home)));
    let config = format!(
        "[kms]\nkind = \"transit\"\n[kms.server]\naddress = \"{}\"\n\
         allow_in_memory_server = true\nauth = {{ token = {{ file = \"{}\" }} }}\n\
         [records]\nkind = \"postgres\"\nport = {}\ndatabase = \"{}\"\nuser = \"postgres\"\n\
         password = {{ file = \"{}\" }}\n{}",
        servers.openbao.url(),
        secret(home, "bao-token", servers.openbao.root_token()),
        servers.postgres.port(),
        servers.postgres.database(),
        password.display(),
        redis_cache(home, &servers.redis)
    );
    configure(home, &config);
}

/// The versions under which wrapped keys stand, with their number.
fn standing(home: &Home) -> Vec<(String, String, u64)> {
    let status = vault(home, &["status"]);
    let versions = status["kek"]["versions"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    versions
        .map(|one| {
            let wraps = one["wraps"].as_u64().unwrap();
            (text(&one["version"]), text(&one["state"]), wraps)
        })
        .collect()
}

#[test]
fn a_wallets_whole_life_on_postgresql_openbao_and_redis() {
    let (home, servers) = (Home::initialised(), start());
    let password = servers.postgres.password_file();
    use_servers(&home, &servers, &password);
    let provider = home.serve();
    let (evm, svm) = (
        create(&home, &provider, "EVM"),
        create(&home, &provider, "SVM"),
    );
    let sign = || {
        for address in [&evm, &svm] {
            home.json(&provider, &["wallet", "sign-message", address, "gm"]);
        }
    };
    sign();
    let customer = home.path().join("customer");
    assert!(!customer.join("vault.sqlite").exists());
    assert!(!customer.join("keyring.json").exists());
    assert!(cached(&servers.redis).contains(&svm));

    let sealed = vault(&home, &["status"])["records"]["sealed"]
        .as_u64()
        .unwrap();
    assert_eq!(vault(&home, &["rotate"])["version"], "2");
    let moved = vault(&home, &["rewrap"]);
    assert_eq!(moved["moved"].as_u64(), Some(sealed), "{moved}");
    assert_eq!(moved["complete"], true);
    assert_eq!(moved["unknown"], serde_json::json!([]));
    assert_eq!(vault(&home, &["due", "--older-than", "1d"])["due"], 0);
    vault(&home, &["disable", "1"]);
    let of = |version: &str| {
        let found = standing(&home);
        let one = found.into_iter().find(|one| one.0 == version);
        one.map(|(_, state, wraps)| (state, wraps)).unwrap()
    };
    assert_eq!(of("1"), ("disabled".to_owned(), 0));
    assert_eq!(of("2"), ("enabled".to_owned(), sealed));
    sign();

    let doctor = home.run(&["--json", "doctor"]);
    must_succeed(&doctor);
    // The probe is gone: nothing is left that a rewrap does not know.
    let incident = [
        "--json",
        "incident",
        "run",
        "--reason",
        "drill",
        "--disable-old",
    ];
    let done = home.run(&incident);
    must_succeed(&done);
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done["done"], true, "{done}");
    assert_eq!(of("2").0, "disabled");
    assert_eq!(of("3").0, "enabled");
    sign();
    must_succeed(&home.run(&["audit", "verify"]));
}
