//! kill -9 of either half at every durable and network step of a backup, of a change of its
//! password and of a recovery (custody rule 29): the wallet signs or can be recovered afterwards,
//! and a backup that opened before still opens, or the one that took its place does.

use std::os::unix::process::ExitStatusExt as _;

use crate::backup::{PASSWORD, password_file, wipe};
use crate::crash::{Half, Shares, read_lines};
use crate::life::ops_token;
use crate::support::{Home, Provider, must_succeed};

/// A customer with one active wallet, passwords in files and a token that may use them.
struct Prepared {
    home: Home,
    address: String,
}

impl Prepared {
    fn new(scheme: &str) -> Self {
        let home = Home::initialised();
        ops_token(&home);
        password_file(&home, "password", PASSWORD);
        password_file(&home, "next", "another password");
        let provider = home.serve();
        let args = ["wallet", "create", "--chain", "SVM", "--scheme", scheme];
        let created = home.json(&provider, &args);
        provider.stop();
        Self {
            address: created["account_address"].as_str().unwrap().to_owned(),
            home,
        }
    }

    fn copy(&self) -> Self {
        Self {
            home: self.home.copy(),
            address: self.address.clone(),
        }
    }

    /// The step of `what`, against `provider`.
    fn command(&self, provider: &Provider, what: What) -> std::process::Command {
        let file = |name: &str| self.home.path().join(name).to_str().unwrap().to_owned();
        let (password, next, token) = (file("password"), file("next"), file("ops.token"));
        let mut args = match what {
            What::Backup => vec!["wallet", "backup", &self.address],
            What::Recover => vec!["wallet", "recover", &self.address],
            What::ChangePassword => vec!["wallet", "change-password", &self.address],
        };
        args.extend(["--password-file", &password, "--token-file", &token]);
        if what == What::ChangePassword {
            args.extend(["--new-password-file", &next]);
        }
        self.home.against(provider, &args)
    }

    /// Recovers from nothing but the provider, with whichever password opens; signs.
    fn recovers(&self, provider: &Provider, context: &str) -> &'static str {
        let fresh = self.copy();
        wipe(&fresh.home);
        let token = fresh.home.path().join("ops.token");
        let opened = ["next", "password"].into_iter().find(|name| {
            let file = fresh.home.path().join(name);
            let args = [
                "wallet",
                "recover",
                &fresh.address,
                "--password-file",
                file.to_str().unwrap(),
                "--token-file",
                token.to_str().unwrap(),
            ];
            let output = fresh.home.against(provider, &args).output().unwrap();
            let wrong = String::from_utf8_lossy(&output.stderr).contains("wrong_password");
            assert!(output.status.success() || wrong, "{context}: {output:?}");
            output.status.success()
        });
        fresh.signs(provider, context);
        opened.unwrap_or_else(|| panic!("{context}: no password opens a backup"))
    }

    fn signs(&self, provider: &Provider, context: &str) {
        let args = ["wallet", "sign-message", &self.address, "still here"];
        let signed = self.home.against(provider, &args).output().unwrap();
        assert!(signed.status.success(), "{context}: {signed:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Backup,
    Recover,
    ChangePassword,
}

fn serve(home: &Home, half: Half, name: &str, value: &std::ffi::OsStr) -> std::process::Command {
    let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    if half == Half::Provider {
        serve.env(name, value);
    }
    serve
}

/// Every place it passes in `half`, in order.
fn places(prepared: &Prepared, half: Half, what: What) -> Vec<String> {
    let prepared = prepared.copy();
    let trace = prepared.home.path().join("trace");
    let name = "HALFKEY_CRASH_TRACE";
    let provider = Provider::start(serve(&prepared.home, half, name, trace.as_os_str()));
    let before = read_lines(&trace).len();
    let mut command = prepared.command(&provider, what);
    if half == Half::Customer {
        command.env(name, &trace);
    }
    must_succeed(&command.output().unwrap());
    read_lines(&trace).split_off(before)
}

/// Kills `half` at `place` and starts both again. Returns which password opens a backup then.
fn kill_at(prepared: &Prepared, half: Half, what: What, place: &str) -> &'static str {
    let context = format!("{what:?} {half:?} killed at {place}");
    let prepared = prepared.copy();
    let trace = prepared.home.path().join("trace");
    let mut command = serve(&prepared.home, half, "HALFKEY_CRASH_AT", place.as_ref());
    if half == Half::Provider {
        command.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let provider = Provider::start(command);
    let mut command = prepared.command(&provider, what);
    if half == Half::Customer {
        command.env("HALFKEY_CRASH_AT", place);
        command.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let output = command.output().unwrap();
    let death = format!("died at {place}");
    assert!(
        read_lines(&trace).contains(&death),
        "{context}: it never came there: {output:?}"
    );
    if half == Half::Provider {
        assert_eq!(provider.died().signal(), Some(9), "{context}");
    } else {
        assert_eq!(output.status.signal(), Some(9), "{context}: {output:?}");
        provider.kill();
    }
    let stored = Shares::of(&prepared.home);

    let provider = prepared.home.serve();
    let opens = if what == What::Backup {
        // Before it is stored there is none; the wallet itself is what it was.
        prepared.signs(&provider, &context);
        must_succeed(&prepared.command(&provider, what).output().unwrap());
        prepared.recovers(&provider, &context)
    } else {
        prepared.recovers(&provider, &context)
    };
    if what == What::Recover {
        // Repeated, it ends where it was going.
        must_succeed(&prepared.command(&provider, what).output().unwrap());
    }
    prepared.signs(&provider, &context);
    stored.must_be_in(&Shares::of(&prepared.home), &context);
    let args = ["wallet", "check", &prepared.address];
    let checked = prepared.home.json(&provider, &args);
    let counts = serde_json::json!({ "signs": 1 });
    assert_eq!(checked["counts"], counts, "{context}: {checked}");
    opens
}

fn matrix(prepared: &Prepared, half: Half, what: What, least: usize) {
    let places = places(prepared, half, what);
    assert!(
        places.len() >= least,
        "{half:?} passes hardly any place: {places:?}"
    );
    let mut changed = 0;
    for place in &places {
        changed += usize::from(kill_at(prepared, half, what, place) == "next");
    }
    println!(
        "crash matrix {what:?} {half:?}: {} places, {changed} with the new password, 0 lost",
        places.len()
    );
    if what == What::ChangePassword {
        // Killed before the first step nothing has changed; killed after the last it must have.
        assert!(changed < places.len() && changed > 0, "{changed}");
    }
}

/// With a backup under the first password.
fn backed_up(scheme: &str) -> Prepared {
    let prepared = Prepared::new(scheme);
    let provider = prepared.home.serve();
    must_succeed(&prepared.command(&provider, What::Backup).output().unwrap());
    provider.stop();
    prepared
}

#[test]
fn a_backup_survives_kill_9_of_either_half_at_every_step() {
    let prepared = Prepared::new("TWO_OF_TWO");
    matrix(&prepared, Half::Customer, What::Backup, 4);
    matrix(&prepared, Half::Provider, What::Backup, 2);
}

#[test]
fn a_new_password_survives_kill_9_of_either_half_at_every_step() {
    let prepared = backed_up("TWO_OF_TWO");
    matrix(&prepared, Half::Customer, What::ChangePassword, 5);
    matrix(&prepared, Half::Provider, What::ChangePassword, 5);
}

#[test]
fn a_recovery_survives_kill_9_of_the_customer_at_every_step() {
    let prepared = backed_up("TWO_OF_THREE");
    wipe(&prepared.home);
    matrix(&prepared, Half::Customer, What::Recover, 8);
}

#[test]
fn a_recovery_survives_kill_9_of_the_provider_at_every_step() {
    let prepared = backed_up("TWO_OF_TWO");
    wipe(&prepared.home);
    matrix(&prepared, Half::Provider, What::Recover, 2);
}
