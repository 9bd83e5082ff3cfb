//! The keyring file passes the suite of key providers, and refuses what it must.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use halfkey_core::SecretString;
use halfkey_vault::conformance::sample;
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey};
use tempfile::TempDir;

use crate::support::{FixedClock, ctx, environment};

async fn make() -> (Keyring, TempDir) {
    let (path, dir) = place();
    (create(&path, None).unwrap(), dir)
}
halfkey_vault::key_provider_conformance!(make);

fn place() -> (PathBuf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (dir.path().join("data/keyring.json"), dir)
}

fn create(path: &Path, passphrase: Option<&SecretString>) -> Result<Keyring, Error> {
    Keyring::create(path, &environment(), passphrase, &FixedClock)
}

fn open(path: &Path, passphrase: Option<&SecretString>) -> Result<Keyring, Error> {
    Keyring::open(path, &environment(), passphrase)
}

/// The text of a [`Error::Keyring`], or a panic.
fn keyring_error<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Keyring(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_reopened_keyring_unwraps_what_it_wrapped() {
    let (path, _dir) = place();
    let first = create(&path, None).unwrap();
    let dek = Dek::generate().unwrap();
    let wrapped = first.wrap(&ctx(), &dek).await.unwrap();
    let again = open(&path, None).unwrap();
    assert_eq!(again.id(), first.id());
    assert_eq!(wrapped.kek_uri, again.uri());
    assert!(again.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    assert!(!again.has_passphrase());
}

#[test]
fn the_file_is_0600_in_a_0700_directory_and_alone() {
    let (path, _dir) = place();
    create(&path, None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let data = path.parent().unwrap();
    assert_eq!(fs::metadata(data).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_dir(data).unwrap().count(), 1, "litter");
}

#[test]
fn open_rejects_a_file_that_others_can_touch() {
    let (path, _dir) = place();
    create(&path, None).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777] {
        chmod(&path, mode);
        let why = keyring_error(open(&path, None));
        assert!(
            why.contains("open to others") && why.contains("chmod 600"),
            "{why}"
        );
    }
    chmod(&path, 0o400);
    open(&path, None).unwrap();
}

#[test]
fn open_rejects_a_directory_that_others_can_enter() {
    let (path, _dir) = place();
    create(&path, None).unwrap();
    chmod(path.parent().unwrap(), 0o755);
    assert!(keyring_error(open(&path, None)).contains("chmod 700"));
}

#[test]
fn open_rejects_another_owner() {
    let (path, _dir) = place();
    create(&path, None).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        assert!(keyring_error(open(&path, None)).contains("another user"));
    } else {
        // Root's own directory stands in for another owner's.
        assert!(keyring_error(open(Path::new("/etc/hostname"), None)).contains("another user"));
    }
}

#[test]
fn open_rejects_a_link_a_directory_and_nothing() {
    let (path, _dir) = place();
    assert!(open(&path, None).is_err());
    create(&path, None).unwrap();
    let link = path.with_file_name("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(keyring_error(open(&link, None)).contains("symbolic link"));
    let inner = path.with_file_name("inner");
    fs::create_dir(&inner).unwrap();
    assert!(keyring_error(open(&inner, None)).contains("not a regular file"));
    assert!(keyring_error(open(&path.with_file_name("absent"), None)).contains("no "));
}

#[test]
fn create_never_replaces_a_keyring() {
    let (path, _dir) = place();
    let first = create(&path, None).unwrap();
    assert!(keyring_error(create(&path, None)).contains("exists already"));
    assert_eq!(open(&path, None).unwrap().id(), first.id());
}

#[tokio::test]
async fn a_keyring_serves_its_own_environment_only() {
    let (path, _dir) = place();
    let keyring = create(&path, None).unwrap();
    let other = sample::environment("env-other");
    let refused = Keyring::open(&path, &other, None);
    let Err(Error::Environment {
        found, expected, ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (found.as_str(), expected.as_str()),
        ("env-test", "env-other")
    );

    let dek = Dek::generate().unwrap();
    let foreign = BindCtx {
        environment: other,
        ..ctx()
    };
    let refused = keyring.wrap(&foreign, &dek).await;
    assert!(matches!(refused, Err(Error::Environment { .. })));
    let wrapped = keyring.wrap(&ctx(), &dek).await.unwrap();
    let refused = keyring.unwrap(&foreign, &wrapped).await;
    assert!(matches!(refused, Err(Error::Environment { .. })));
    let refused = keyring.rewrap(&foreign, &wrapped).await;
    assert!(matches!(refused, Err(Error::Environment { .. })));
}

/// Rewrites the file's text.
fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in the file");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn open_rejects_a_keyring_moved_to_another_environment_by_hand() {
    let (path, _dir) = place();
    create(&path, None).unwrap();
    edit(&path, "env-test", "env-other");
    let other = sample::environment("env-other");
    assert!(keyring_error(Keyring::open(&path, &other, None)).contains("check value"));
}

#[tokio::test]
async fn no_flipped_byte_of_the_file_gives_another_key() {
    let (path, _dir) = place();
    let keyring = create(&path, None).unwrap();
    let wrapped = keyring
        .wrap(&ctx(), &Dek::generate().unwrap())
        .await
        .unwrap();
    let sound = fs::read(&path).unwrap();
    let mut refused = 0_usize;
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        match open(&path, None) {
            // Blanks and the date are not covered; the key is.
            Ok(opened) => drop(opened.unwrap(&ctx(), &wrapped).await.unwrap()),
            Err(error) => {
                refused += 1;
                let shown = format!("{error} {error:?}");
                assert!(shown.len() < 200, "{shown}");
            }
        }
    }
    assert!(
        refused > sound.len() * 3 / 4,
        "{refused} of {}",
        sound.len()
    );
    for len in [0, 1, sound.len() / 2, sound.len() - 3] {
        fs::write(&path, &sound[..len]).unwrap();
        assert!(keyring_error(open(&path, None)).contains("damaged"));
    }
    fs::write(&path, &sound).unwrap();
    open(&path, None).unwrap();
}

#[tokio::test]
async fn a_new_term_wraps_and_the_old_one_still_unwraps() {
    for passphrase in [None, Some(SecretString::from("correct horse"))] {
        let (path, _dir) = place();
        let keyring = create(&path, passphrase.as_ref()).unwrap();
        let dek = Dek::generate().unwrap();
        let old = keyring.wrap(&ctx(), &dek).await.unwrap();
        assert_eq!(keyring.add_term(&FixedClock).unwrap(), 2);
        assert_eq!(keyring.add_term(&FixedClock).unwrap(), 3);
        let new = keyring.wrap(&ctx(), &dek).await.unwrap();
        assert_eq!(
            (old.kek_version.as_str(), new.kek_version.as_str()),
            ("1", "3")
        );

        let again = open(&path, passphrase.as_ref()).unwrap();
        let numbers: Vec<_> = again.terms().iter().map(|term| term.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        for wrapped in [&old, &new] {
            assert!(again.unwrap(&ctx(), wrapped).await.unwrap() == dek);
        }
        let rewrapped = again.rewrap(&ctx(), &old).await.unwrap();
        assert_eq!(rewrapped.kek_version, "3");
        // A wrap does not pass for one of another term.
        let forged = halfkey_vault::Wrapped {
            kek_version: "2".to_owned(),
            ..new
        };
        assert!(again.unwrap(&ctx(), &forged).await.is_err());
    }
}

#[tokio::test]
async fn a_keyring_changed_by_another_process_is_not_overwritten() {
    let (path, _dir) = place();
    let first = create(&path, None).unwrap();
    let second = open(&path, None).unwrap();
    first.add_term(&FixedClock).unwrap();
    assert!(matches!(
        second.add_term(&FixedClock),
        Err(Error::Conflict(_))
    ));
    assert_eq!(open(&path, None).unwrap().terms().len(), 2);
}

/// Another process rotated: its records open here too, at once.
#[tokio::test]
async fn a_term_another_process_added_is_found() {
    for passphrase in [None, Some(SecretString::from("correct horse"))] {
        let (path, _dir) = place();
        let first = create(&path, passphrase.as_ref()).unwrap();
        let second = open(&path, passphrase.as_ref()).unwrap();
        first.add_term(&FixedClock).unwrap();
        let dek = Dek::generate().unwrap();
        let wrapped = first.wrap(&ctx(), &dek).await.unwrap();
        assert_eq!(wrapped.kek_version, "2");
        assert!(second.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
        assert_eq!(second.terms().len(), 2);
        // It knows the file as it is now.
        assert_eq!(second.add_term(&FixedClock).unwrap(), 3);
    }
}

/// A keyring put back to an older copy: the record is sound, and the error says what is missing.
#[tokio::test]
async fn a_term_that_is_nowhere_is_not_called_damage() {
    let (path, _dir) = place();
    let keyring = create(&path, None).unwrap();
    let older = fs::read(&path).unwrap();
    keyring.add_term(&FixedClock).unwrap();
    let newer = keyring
        .wrap(&ctx(), &Dek::generate().unwrap())
        .await
        .unwrap();
    fs::write(&path, &older).unwrap();
    let old = open(&path, None).unwrap();
    for _ in 0..2 {
        match old.unwrap(&ctx(), &newer).await {
            Err(error @ Error::UnknownTerm { term: 2, .. }) => {
                assert!(error.to_string().contains("restore"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    // What this process knows is not taken back by an older file.
    keyring.unwrap(&ctx(), &newer).await.unwrap();
    let newest = halfkey_vault::Wrapped {
        kek_version: "3".to_owned(),
        ..newer.clone()
    };
    let refused = keyring.unwrap(&ctx(), &newest).await;
    assert!(
        matches!(refused, Err(Error::UnknownTerm { term: 3, .. })),
        "{refused:?}"
    );
    keyring.unwrap(&ctx(), &newer).await.unwrap();
    // Another keyring in its place.
    let (other, _dir) = place();
    create(&other, None).unwrap().add_term(&FixedClock).unwrap();
    fs::copy(&other, &path).unwrap();
    let refused = old.unwrap(&ctx(), &newer).await;
    assert!(
        matches!(refused, Err(Error::UnknownTerm { term: 2, .. })),
        "{refused:?}"
    );
}

/// A change that died before its rename leaves keys in a file that nobody knows of.
#[test]
fn what_a_change_that_died_left_is_removed() {
    let (path, _dir) = place();
    let keyring = create(&path, None).unwrap();
    let litter = path.with_file_name(".keyring.json.0123456789abcdef.tmp");
    let leave = || fs::write(&litter, fs::read(&path).unwrap()).unwrap();
    leave();
    open(&path, None).unwrap();
    assert!(!litter.exists(), "open");
    leave();
    keyring.add_term(&FixedClock).unwrap();
    assert!(!litter.exists(), "add_term");
    leave();
    fs::remove_file(&path).unwrap();
    create(&path, None).unwrap();
    assert!(!litter.exists(), "create");
    // Somebody is at work: what is there may be theirs.
    leave();
    let dir = fs::File::open(path.parent().unwrap()).unwrap();
    rustix::fs::flock(&dir, rustix::fs::FlockOperation::LockExclusive).unwrap();
    open(&path, None).unwrap();
    assert!(litter.exists(), "swept from under another");
}

#[test]
fn a_passphrase_must_be_the_right_one() {
    let (path, _dir) = place();
    let right = SecretString::from("correct horse");
    assert!(create(&path, Some(&right)).unwrap().has_passphrase());
    open(&path, Some(&right)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("argon2id") && !text.contains("check"),
        "{text}"
    );

    let refused = |passphrase: Option<&str>| {
        let passphrase = passphrase.map(SecretString::from);
        match open(&path, passphrase.as_ref()) {
            Err(Error::Passphrase(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(Some("wrong horse")).contains("wrong"));
    assert!(refused(None).contains("needs one"));
    assert!(refused(Some("")).contains("empty"));

    let (plain, _dir) = place();
    create(&plain, None).unwrap();
    assert!(matches!(
        open(&plain, Some(&right)),
        Err(Error::Passphrase(_))
    ));
    let (empty, _dir) = place();
    let refused = create(&empty, Some(&SecretString::from("")));
    assert!(matches!(refused, Err(Error::Passphrase(_))));
    assert!(!empty.exists());
}

/// Neither too weak, nor so large that opening is an attack; and none is taken that was changed.
#[test]
fn open_rejects_parameters_out_of_bounds() {
    let (path, _dir) = place();
    let right = SecretString::from("correct horse");
    create(&path, Some(&right)).unwrap();
    let sound = fs::read(&path).unwrap();
    for (from, to) in [
        ("\"memory_kib\": 65536", "\"memory_kib\": 8"),
        ("\"memory_kib\": 65536", "\"memory_kib\": 65535"),
        ("\"memory_kib\": 65536", "\"memory_kib\": 1048577"),
        ("\"memory_kib\": 65536", "\"memory_kib\": 4294967295"),
        ("\"passes\": 3", "\"passes\": 2"),
        ("\"passes\": 3", "\"passes\": 0"),
        ("\"passes\": 3", "\"passes\": 2147483648"),
        ("\"lanes\": 1", "\"lanes\": 0"),
        ("\"lanes\": 1", "\"lanes\": 16777215"),
    ] {
        fs::write(&path, &sound).unwrap();
        edit(&path, from, to);
        assert!(
            keyring_error(open(&path, Some(&right))).contains("parameters"),
            "{to}"
        );
    }
    for (from, to) in [
        ("\"created_at\": 17", "\"created_at\": 16"),
        ("\"term\": 1", "\"term\": 2"),
    ] {
        fs::write(&path, &sound).unwrap();
        edit(&path, from, to);
        assert!(open(&path, Some(&right)).is_err(), "{to}");
    }
}

#[test]
fn debug_shows_no_key() {
    let (path, _dir) = place();
    let keyring = create(&path, None).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let shown = format!("{keyring:?}");
    let (_, key) = text.split_once("\"key\": \"").unwrap();
    assert!(!shown.contains(key.get(..16).unwrap()), "{shown}");
    assert!(shown.contains("env-test"), "{shown}");
}
