//! Every back-end that can run here: embedded ones, and those whose real server is installed.

use std::sync::Arc;

use halfkey_core::SystemClock;
use halfkey_testkit::servers::openbao::{self, OpenBaoDev};
use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::servers::redis::{PASSWORD, Redis};
use halfkey_testkit::servers::softhsm::{PIN_VARIABLE, SoftHsm};
use halfkey_vault::kms::pkcs11::{Pkcs11Config, Pkcs11Kek};
use halfkey_vault::net::SecretSource;

use super::place::Place;
use super::{ENVIRONMENT, barrier, environment, operations};
use crate::Failure;
use crate::table::Table;

pub(super) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let memory = Place::local("vault: memory, and an audit sink in memory", |_| {
        Ok(String::new())
    })?;
    operations::measure_vault(table, &memory, &barrier::in_memory()?).await?;
    operations::measure(table, &Place::embedded()?).await?;
    let files = Place::local("vault: files + keyring", |folder| {
        let dir = folder.path("files");
        Ok(format!(
            "[records]\nkind = \"files\"\ndir = \"{}\"\n",
            dir.display()
        ))
    })?;
    operations::measure(table, &files).await?;
    if Postgres::is_there() {
        postgres(table).await?;
    } else {
        left_out(table, "PostgreSQL");
    }
    if Redis::is_there() {
        redis(table).await?;
    } else {
        left_out(table, "Redis");
    }
    if openbao::is_there() {
        openbao(table).await?;
    } else {
        left_out(table, "OpenBao");
    }
    if let Some(tokens) = SoftHsm::of_this_process() {
        softhsm(table, &tokens).await?;
    } else {
        left_out(table, "SoftHSM");
    }
    Ok(())
}

fn left_out(table: &mut Table, server: &str) {
    let note = "not installed: `cargo xtask tools --install`";
    table.add("left out", server, 0.0, "", note);
}

async fn postgres(table: &mut Table) -> Result<(), Failure> {
    let server = Postgres::start(Tls::Off);
    let (database, password) = (server.database(), server.password_file());
    let place = Place::remote(
        "vault: PostgreSQL (in memory-backed files) + keyring",
        server.port(),
        |_, port| {
            let password = password.display();
            Ok(format!(
                "[records]\nkind = \"postgres\"\nport = {port}\ndatabase = \"{database}\"\n\
                 user = \"postgres\"\npassword = {{ file = \"{password}\" }}\n"
            ))
        },
    )?;
    operations::measure(table, &place).await
}

async fn redis(table: &mut Table) -> Result<(), Failure> {
    let server = Redis::start();
    let place = Place::remote(
        "vault: Redis (log synced on each write) + keyring",
        server.port(),
        |folder, port| {
            let password = folder.credential("password", PASSWORD)?;
            Ok(format!(
                "[records]\nkind = \"redis\"\ntopology = {{ single = \"127.0.0.1:{port}\" }}\n\
                 password = {password}\n"
            ))
        },
    )?;
    operations::measure(table, &place).await
}

async fn openbao(table: &mut Table) -> Result<(), Failure> {
    let server = OpenBaoDev::start();
    let admin = server.admin();
    admin.make_transit("transit", ENVIRONMENT).await;
    admin.make_kv("halfkey").await;
    let section = |section: &str, port: u16, token: &str| {
        format!(
            "[{section}]\naddress = \"http://127.0.0.1:{port}\"\nallow_in_memory_server = true\n\
             auth = {{ token = {token} }}\n"
        )
    };
    let token = server.root_token();
    let place = Place::remote(
        "vault: SQLite + OpenBao transit",
        server.port(),
        |folder, port| {
            let kms = section("kms.server", port, &folder.credential("token", token)?);
            Ok(format!("[kms]\nkind = \"transit\"\n{kms}"))
        },
    )?;
    operations::measure(table, &place).await?;
    let place = Place::remote(
        "vault: OpenBao KV + keyring",
        server.port(),
        |folder, port| {
            let records = section("records.server", port, &folder.credential("token", token)?);
            Ok(format!("[records]\nkind = \"kv\"\n{records}"))
        },
    )?;
    operations::measure(table, &place).await
}

async fn softhsm(table: &mut Table, tokens: &SoftHsm) -> Result<(), Failure> {
    const TOKEN: &str = "bench";
    tokens.init_token(TOKEN);
    let module = SoftHsm::module();
    let config = Pkcs11Config {
        module: module.clone(),
        token_label: TOKEN.to_owned(),
        token_serial: None,
        pin: SecretSource::Env(PIN_VARIABLE.to_owned()),
        key_label: None,
        deadline_ms: 60_000,
        sessions: 4,
        token_makes_nonce: false,
    };
    drop(Pkcs11Kek::create(&config, &environment()?, Arc::new(SystemClock)).await?);
    let place = Place::local("vault: SQLite + PKCS#11 (SoftHSM)", |_| {
        Ok(format!(
            "[kms]\nkind = \"pkcs11\"\nmodule = \"{}\"\ntoken_label = \"{TOKEN}\"\n\
             pin = {{ env = \"{PIN_VARIABLE}\" }}\n",
            module.display()
        ))
    })?;
    operations::measure(table, &place).await
}
