//! What every connection is checked for, the later ones too, and what no environment variable
//! changes.

use std::process::Command;

use halfkey_testkit::servers::postgres::{Postgres, Tls};
use halfkey_testkit::tools;
use halfkey_vault::store::postgres::{
    MAX_LEN, PostgresConfig, PostgresProperties, PostgresRecords,
};
use halfkey_vault::{
    Error, Expect, GetRecord as _, ListRecords as _, PropertiesStore as _, PutRecord as _,
};

use super::super::cut::{Wire, cut_everywhere};
use super::{config, server};
use crate::support::{environment, name};

async fn open(config: &PostgresConfig) -> PostgresRecords {
    PostgresRecords::open(config, &environment()).await.unwrap()
}

/// Ends every connection to a database, so that the next call makes a new one.
fn cut_all(server: &Postgres, database: &str) {
    server.sql(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{database}' AND application_name = 'halfkey'"
        ),
    );
}

/// The first error of a call that is none of a connection that was cut.
async fn refusal(records: &PostgresRecords) -> Error {
    for _ in 0..5 {
        match records.get(&name("a")).await {
            Err(error) if error.to_string().contains("restarting") => {}
            Err(error) if error.to_string().contains("connection failed") => {}
            Err(error) => return error,
            Ok(found) => panic!("{found:?}"),
        }
    }
    panic!("no connection was made anew")
}

/// The tables are marked anew while the store is open, as after a failover to another cluster: the
/// next connection finds out, and the call that needed it hears why, not that it took too long.
#[tokio::test]
async fn a_later_connection_to_tables_of_another_environment_is_refused() {
    let database = server().database();
    // One, so that none that was cut is left in the pool.
    let only = PostgresConfig {
        max_connections: 1,
        ..config(server(), &database)
    };
    let records = open(&only).await;
    records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    let mark = |environment: &str| {
        let mark = format!("UPDATE halfkey_environment_marks SET environment = '{environment}'");
        server().sql(&database, &mark);
    };
    mark("env-other");
    cut_all(server(), &database);
    match refusal(&records).await {
        Error::Environment { found, .. } => assert_eq!(found, "env-other"),
        other => panic!("{other:?}"),
    }
    // Nothing sticks: the right tables are used again.
    mark("env-test");
    let found = records.get(&name("a")).await.unwrap().unwrap();
    assert_eq!(found.value, b"1");
}

/// A server that was started anew without `fsync`.
#[tokio::test]
async fn a_later_connection_to_a_server_that_may_forget_is_refused() {
    tools::real_part("postgres");
    let server = Postgres::start(Tls::Off);
    let records = open(&config(&server, "postgres")).await;
    server.sql("postgres", "ALTER SYSTEM SET full_page_writes = off");
    server.sql("postgres", "SELECT pg_reload_conf()");
    // The reload is asynchronous; the setting is read until it shows.
    while server.sql("postgres", "SHOW full_page_writes").trim() != "off" {}
    cut_all(&server, "postgres");
    let refused = refusal(&records).await;
    assert!(matches!(refused, Error::NotDurable(_)), "{refused:?}");
}

#[tokio::test]
async fn the_schema_is_pinned() {
    let database = server().database();
    for schema in ["\"one\"", "\"Two; DROP\""] {
        server().sql(&database, &format!("CREATE SCHEMA {schema}"));
    }
    let path = format!("ALTER DATABASE {database} SET search_path = one, public");
    server().sql(&database, &path);
    let by_path = open(&config(server(), &database)).await;
    by_path.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    let named = PostgresConfig {
        schema: Some("Two; DROP".to_owned()),
        ..config(server(), &database)
    };
    let named = open(&named).await;
    assert!(named.get(&name("a")).await.unwrap().is_none());
    named.put(&name("a"), b"2", Expect::Absent).await.unwrap();

    // A path that leads elsewhere, for connections made from now on.
    let path = format!("ALTER DATABASE {database} SET search_path = \"Two; DROP\"");
    server().sql(&database, &path);
    cut_all(server(), &database);
    let found = loop {
        match by_path.get(&name("a")).await {
            Ok(found) => break found.unwrap(),
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    };
    assert_eq!(found.value, b"1");
    let count = "SELECT count(*) FROM pg_tables WHERE tablename = 'halfkey_records'";
    assert_eq!(server().sql(&database, count).trim(), "2");
}

#[tokio::test]
async fn a_search_path_without_a_schema_is_named() {
    let database = server().database();
    let path = format!("ALTER DATABASE {database} SET search_path = absent");
    server().sql(&database, &path);
    let config = config(server(), &database);
    let refused = PostgresRecords::open(&config, &environment()).await;
    assert!(
        matches!(&refused, Err(Error::Config(why)) if why.contains("schema")),
        "{refused:?}"
    );
}

/// A session that waits for a standby to apply is not made to wait for less, and one that waits
/// for less is made to wait. A trigger writes down what each commit was made with.
#[tokio::test]
async fn a_stronger_synchronous_commit_stays() {
    for (setting, used) in [
        ("remote_apply", "remote_apply"),
        ("on", "on"),
        ("remote_write", "on"),
        ("local", "on"),
        ("off", "on"),
    ] {
        let database = server().database();
        let set = format!("ALTER DATABASE {database} SET synchronous_commit = {setting}");
        server().sql(&database, &set);
        let records = open(&config(server(), &database)).await;
        server().sql(
            &database,
            "CREATE TABLE seen (setting text);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO public.seen VALUES (current_setting('synchronous_commit'));
                 RETURN NEW; END $$;
             CREATE TRIGGER see BEFORE INSERT ON halfkey_records
                 FOR EACH ROW EXECUTE FUNCTION see()",
        );
        records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
        let seen = server().sql(&database, "SELECT setting FROM seen");
        assert_eq!(seen.trim(), used, "{setting}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_sent() {
    let database = server().database();
    let records = open(&config(server(), &database)).await;
    let longest = vec![7; MAX_LEN];
    let at = name("a");
    records.put(&at, &longest, Expect::Absent).await.unwrap();
    // The server is not needed to refuse it.
    server().sql(&database, "DROP TABLE halfkey_records, halfkey_properties");
    let refused = records.put(&at, &vec![7; MAX_LEN + 1], Expect::Any).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { limit: MAX_LEN, .. })),
        "{refused:?}"
    );
    let other = config(server(), &server().database());
    let properties = PostgresProperties::open(&other, &environment()).await;
    let properties = properties.unwrap();
    let large = halfkey_core::WalletProperties::new("EVM", "w".repeat(MAX_LEN), "0xab");
    let refused = properties.put("0xab", &large, Expect::Any).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
}

/// Names that sort around a prefix; and the plan is a range of the index.
#[tokio::test]
async fn a_list_reads_its_range_of_the_index_only() {
    let database = server().database();
    let records = open(&config(server(), &database)).await;
    let names = ["a", "a~", "b", "b/", "b/1", "b/~", "b/~~", "b0", "b~", "c"];
    for at in names {
        records.put(&name(at), b"1", Expect::Absent).await.unwrap();
    }
    let listed = records.list("b/", None, 10).await.unwrap().names;
    assert_eq!(listed, ["b/", "b/1", "b/~", "b/~~"].map(name));
    let all = records.list("", None, 100).await.unwrap().names;
    assert_eq!(all.len(), names.len());
    // The statement as the server was given it.
    let last = format!(
        "SELECT query FROM pg_stat_activity
         WHERE datname = '{database}' AND application_name = 'halfkey'
         ORDER BY query_start DESC LIMIT 1"
    );
    let last = server().sql("postgres", &last);
    assert!(last.contains("LIMIT $3"), "{last}");
    let explain = format!(
        "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
         PREPARE list(text, text, bigint) AS {last}; EXPLAIN EXECUTE list('b/', '', 10)"
    );
    let plan = server().sql(&database, &explain);
    let condition = plan.lines().find(|line| line.contains("Index Cond"));
    let condition = condition.unwrap_or_else(|| panic!("{plan}"));
    assert!(
        condition.contains(">=") && condition.contains(" < "),
        "{plan}"
    );
}

/// What the server says when a write finds no room, no memory, no connection: by SQLSTATE.
#[tokio::test]
async fn no_room_and_no_memory_are_told_apart_and_what_is_there_stays() {
    let database = server().database();
    let records = open(&config(server(), &database)).await;
    records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    for (state, is_full) in [("53100", true), ("53200", false), ("53300", false)] {
        server().sql(
            &database,
            &format!(
                "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     RAISE EXCEPTION 'canary' USING ERRCODE = '{state}'; END $$;
                 CREATE OR REPLACE TRIGGER fail BEFORE INSERT OR UPDATE ON halfkey_records
                     FOR EACH ROW EXECUTE FUNCTION fail()"
            ),
        );
        let refused = records
            .put(&name("b"), b"1", Expect::Absent)
            .await
            .unwrap_err();
        assert_eq!(matches!(refused, Error::Full(_)), is_full, "{refused:?}");
        assert_eq!(refused.is_transient(), !is_full, "{refused:?}");
        assert!(!refused.to_string().contains("canary"));
    }
    let found = records.get(&name("a")).await.unwrap().unwrap();
    assert_eq!(found.value, b"1");
}

/// A tablespace of four megabytes: the real thing, where this process may mount one. Without it
/// nothing can be filled, and the test above stands for it.
#[tokio::test]
async fn a_full_tablespace_is_full_and_loses_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let owner = std::fs::metadata(server().dir().join("data")).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&owner);
    let place = disk.path().display().to_string();
    let options = format!("size=4m,mode=0700,uid={owner}");
    let mount = ["-t", "tmpfs", "-o", &options, "tmpfs", &place];
    let mounted = Command::new("mount").args(mount).output().unwrap();
    if !mounted.status.success() {
        return;
    }
    let database = server().database();
    let tablespace = format!("CREATE TABLESPACE small_{database} LOCATION '{place}'");
    server().sql("postgres", &tablespace);
    let default = format!("ALTER DATABASE {database} SET default_tablespace = small_{database}");
    server().sql("postgres", &default);
    let records = open_records(&database).await;
    let mut kept = 0_u8;
    let refused = loop {
        let at = name(&format!("r{kept}"));
        match records.put(&at, &vec![kept; 200_000], Expect::Absent).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    assert!(kept > 3, "{kept}");
    for number in 0..kept {
        let found = records.get(&name(&format!("r{number}"))).await.unwrap();
        assert!(found.unwrap().value == vec![number; 200_000]);
    }
    assert!(
        records
            .get(&name(&format!("r{kept}")))
            .await
            .unwrap()
            .is_none()
    );
    records.close().await;
    server().sql("postgres", &format!("DROP DATABASE {database}"));
    server().sql("postgres", &format!("DROP TABLESPACE small_{database}"));
    let unmounted = Command::new("umount").arg(disk.path()).output().unwrap();
    assert!(unmounted.status.success());
}

async fn open_records(database: &str) -> PostgresRecords {
    open(&config(server(), database)).await
}

#[tokio::test]
async fn a_write_that_is_cut_is_whole_or_absent() {
    let database = server().database();
    let direct = open_records(&database).await;
    let wire = Wire::start(server().port()).await;
    let over_wire = PostgresConfig {
        port: wire.port(),
        max_connections: 1,
        ..config(server(), &database)
    };
    cut_everywhere(&open(&over_wire).await, &direct, &wire).await;
}

/// Set for a process of its own: the server's port, the password's file and the database.
const CHILD: &str = "HALFKEY_VAULT_TEST_PG_CHILD";

/// libpq's variables name another host, port, user, database and password, a certificate that is
/// not there, and no TLS: the store opens as configured. `PGOPTIONS` alone is refused.
#[tokio::test]
async fn no_variable_changes_the_configuration() {
    tools::real_part("postgres");
    if let Some(child) = std::env::var_os(CHILD) {
        let child = child.into_string().unwrap();
        let parts: Vec<_> = child.split('|').collect();
        let config = PostgresConfig {
            port: parts[0].parse().unwrap(),
            password: Some(halfkey_vault::net::SecretSource::File(parts[1].into())),
            ..config_without_server(parts[2])
        };
        let opened = PostgresRecords::open(&config, &environment()).await;
        match std::env::var_os("PGOPTIONS") {
            None => opened
                .unwrap()
                .put(&name("a"), b"1", Expect::Any)
                .await
                .map(drop)
                .unwrap(),
            Some(_) => {
                assert!(
                    matches!(&opened, Err(Error::Config(why)) if why.contains("PGOPTIONS")),
                    "{opened:?}"
                );
            }
        }
        // Without a password of the configuration's there is none: not that of PGPASSWORD.
        let none = PostgresConfig {
            password: None,
            ..config
        };
        PostgresRecords::open(&none, &environment())
            .await
            .unwrap_err();
        return;
    }
    let database = server().database();
    let password = server().password_file();
    let place = format!("{}|{}|{database}", server().port(), password.display());
    let right = std::fs::read_to_string(&password).unwrap();
    for options in [None, Some("-c synchronous_commit=off -c role=nobody")] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "servers::postgres::connections::no_variable_changes_the_configuration",
            "--test-threads=1",
        ]);
        child.env(CHILD, &place);
        for (variable, value) in [
            ("PGHOST", "192.0.2.1"),
            ("PGHOSTADDR", "192.0.2.1"),
            ("PGPORT", "1"),
            ("PGUSER", "nobody"),
            ("PGDATABASE", "absent"),
            ("PGPASSWORD", &*right),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/absent/ca.pem"),
            ("PGAPPNAME", "another"),
        ] {
            child.env(variable, value);
        }
        if let Some(options) = options {
            child.env("PGOPTIONS", options);
        }
        let output = child.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && printed.contains("1 passed"),
            "{options:?}: {printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn config_without_server(database: &str) -> PostgresConfig {
    let text = format!("database = \"{database}\"\nuser = \"postgres\"\ndeadline_ms = 30000");
    toml::from_str(&text).unwrap()
}
