//! The encrypted form against outside implementations, and against everything that is no backup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey_core::random::os_rng;
use halfkey_core::{
    AttemptId, Generation, KeyType, PartyIndex, ServerKeyShare, ThresholdSignatureScheme, WalletId,
};
use halfkey_mpc::{KeyShare, test_shares};
use halfkey_testkit::judge::{self, Question};
use serde_json::{Value, json};

use super::blob::{Blob, Kind};
use super::bound::{Bound, Wanted};
use super::seal::{BackupFormat, open, seal};
use super::secret::BackupSecret;
use crate::sign::share;
use crate::{Error, Result};

const PASSWORD: &str = "pässword \"with\" \\ and 🔑";

fn key_share(kind: KeyType, party: PartyIndex) -> KeyShare {
    test_shares::load(kind, ThresholdSignatureScheme::TwoOfThree, party).unwrap()
}

fn small() -> KeyShare {
    key_share(KeyType::Ed25519Exportable, PartyIndex::CUSTOMER_1)
}

fn secret(text: &str) -> BackupSecret {
    BackupSecret::for_reading(text, &test_shares::ENVIRONMENT.parse().unwrap()).unwrap()
}

fn sealed(share: &KeyShare, format: BackupFormat) -> String {
    seal(share, &secret(PASSWORD), format, &mut os_rng()).unwrap()
}

fn opened(text: &str, password: &str) -> Result<ServerKeyShare> {
    open(&Blob::parse(text)?, &secret(password))
}

fn json_of(text: &str) -> Value {
    serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()
}

fn text_of(json: &Value) -> String {
    STANDARD.encode(json.to_string())
}

fn plain_of(share: &KeyShare) -> Value {
    let encoded = share::encode(share).unwrap();
    json!({ "keyShareId": encoded.key_share_id, "secretShare": encoded.secret_share })
}

fn wanted(share: &KeyShare) -> Wanted {
    let header = share.header();
    Wanted {
        environment: header.environment.clone(),
        wallet: header.wallet,
        generation: header.generation,
        attempt: header.attempt,
        parties: PartyIndex::customers(header.scheme).to_vec(),
    }
}

#[test]
fn a_blob_has_the_published_form_and_opens_again() {
    let shares = [
        small(),
        key_share(KeyType::EcdsaSecp256k1, PartyIndex::CUSTOMER_2),
    ];
    for share in &shares {
        for format in [BackupFormat::V2, BackupFormat::V3] {
            let text = sealed(share, format);
            assert_ne!(text, sealed(share, format), "salt and iv are fresh");
            let json = json_of(&text);
            let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
            names.sort_unstable();
            let published = ["cipher", "iv", "salt", "version"];
            let ours = [
                "bound",
                "cipher",
                "commitment",
                "iv",
                "kdf",
                "salt",
                "version",
            ];
            match format {
                BackupFormat::V2 => assert_eq!(names, published),
                BackupFormat::V3 => assert_eq!(names, ours),
            }
            assert_eq!(json["version"], format.as_str());
            let again = share::decode(&opened(&text, PASSWORD).unwrap()).unwrap();
            let (again, before) = (again.encode().unwrap(), share.encode().unwrap());
            assert!(again == before);
        }
    }
}

/// Each way round, each version, by implementations that share no code with this one.
#[test]
fn outside_judges_open_our_blobs_and_we_open_theirs() {
    let share = small();
    let plain = plain_of(&share);
    let (two, three) = (
        sealed(&share, BackupFormat::V2),
        sealed(&share, BackupFormat::V3),
    );
    let ask = |blob: &str| Question::open_backup(blob, PASSWORD);
    let expected = json!({ "ok": plain });
    let mut answers = judge::backup::node(&[ask(&two)]);
    answers.extend(judge::backup::python(&[ask(&two), ask(&three)]));
    assert_eq!(answers, vec![expected; 3]);

    let none = json!({});
    let published = [None, Some("v1"), Some("v2")];
    let seal = |version, more: &Value| Question::seal_backup(version, PASSWORD, &plain, more);
    let mut theirs = judge::backup::node(&published.map(|version| seal(version, &none)));
    let ours = json_of(&three);
    let v3 = json!({ "kdf": ours["kdf"], "bound": ours["bound"] });
    let heavier = json!({ "memoryKib": 131_072, "passes": 2, "lanes": 4, "name": "argon2id" });
    let heavier = json!({ "kdf": heavier, "bound": ours["bound"] });
    let mut questions = published.map(|version| seal(version, &none)).to_vec();
    questions.push(seal(Some("v3"), &v3));
    questions.push(seal(Some("v3"), &heavier));
    // As the published browser SDK makes them, for a while with one lane.
    questions.push(seal(Some("v3"), &json!({ "lanes": 2 })));
    questions.push(seal(Some("v3"), &json!({ "lanes": 1 })));
    theirs.extend(judge::backup::python(&questions));
    assert_eq!(theirs.len(), 10);
    for answer in theirs {
        let blob = answer["ok"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let found = share::decode(&opened(blob, PASSWORD).unwrap()).unwrap();
        assert_eq!(Bound::of(&found), Bound::of(&share));
        let wrong = opened(blob, "another password").unwrap_err();
        assert!(matches!(wrong, Error::WrongPassword), "{wrong:?}");
    }
}

/// The judges would prove nothing if they took anything.
#[test]
fn outside_judges_refuse_a_wrong_password_and_an_altered_binding() {
    let share = small();
    let (two, three) = (
        sealed(&share, BackupFormat::V2),
        sealed(&share, BackupFormat::V3),
    );
    let mut moved = json_of(&three);
    moved["bound"]["generation"] = json!(7);
    let questions = [
        Question::open_backup(&two, "another"),
        Question::open_backup(&three, "another"),
        Question::open_backup(&text_of(&moved), PASSWORD),
    ];
    let answers = judge::backup::python(&questions);
    assert!(answers.iter().all(|answer| answer["error"].is_string()));
    let answers = judge::backup::node(&questions[..1]);
    assert!(answers.iter().all(|answer| answer["error"].is_string()));
}

#[test]
fn open_rejects_a_wrong_password_without_showing_either() {
    for format in [BackupFormat::V2, BackupFormat::V3] {
        let error = opened(&sealed(&small(), format), "hunter2").unwrap_err();
        assert!(matches!(error, Error::WrongPassword), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains(PASSWORD));
    }
}

/// Half a blob, a blob with a flipped bit, and things that never were one.
#[test]
fn parse_rejects_what_is_half_written_or_no_backup() {
    let text = sealed(&small(), BackupFormat::V3);
    // Padding is no part of it.
    let bare = text.trim_end_matches('=');
    for length in [0, 1, 4, 40, bare.len() / 2, bare.len() - 5, bare.len() - 1] {
        let error = Blob::parse(&bare[..length]).unwrap_err();
        assert!(
            matches!(error, Error::BackupDamaged(_)),
            "{length}: {error:?}"
        );
    }
    let whole = json_of(&text);
    let with = |name: &str, value: Value| {
        let mut json = whole.clone();
        json[name] = value;
        text_of(&json)
    };
    for (bad, why) in [
        ("{}".to_owned(), "not base64"),
        (STANDARD.encode("{}"), "JSON"),
        (STANDARD.encode([0xFF; 30]), "JSON"),
        (with("salt", json!("AAAA")), "salt"),
        (with("salt", json!("")), "salt"),
        (with("iv", json!(STANDARD.encode([0; 16]))), "iv"),
        (with("cipher", json!("")), "cut off"),
        (with("cipher", json!(STANDARD.encode([0; 16]))), "cut off"),
        (with("cipher", json!("?")), "base64"),
        (with("cipher", json!(7)), "JSON"),
        (with("commitment", Value::Null), "commitment"),
        (with("bound", Value::Null), "fields of another"),
        (with("kdf", Value::Null), "fields of another"),
        (with("version", json!("v2")), "fields of another"),
        (with("version", Value::Null), "fields of another"),
        ("A".repeat(400_001), "too long"),
    ] {
        let error = Blob::parse(&bad).unwrap_err();
        assert!(matches!(error, Error::BackupDamaged(_)), "{why}: {error:?}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    let newer = Blob::parse(&with("version", json!("v4"))).unwrap_err();
    assert!(matches!(newer, Error::Unsupported(_)), "{newer:?}");
    // Browsers leave out padding, people add line ends.
    Blob::parse(text.trim_end_matches('=')).unwrap();
    Blob::parse(&format!("{text}\n")).unwrap();
}

#[test]
fn parse_rejects_parameters_before_anything_is_computed() {
    let whole = json_of(&sealed(&small(), BackupFormat::V3));
    for (name, value, why) in [
        ("memoryKib", json!(8), "weak"),
        ("passes", json!(1), "weak"),
        ("lanes", json!(0), "weak"),
        ("memoryKib", json!(4_000_000_000_u32), "heavy"),
        ("passes", json!(1_000_000), "heavy"),
        ("lanes", json!(255), "heavy"),
        ("name", json!("argon2d"), "not Argon2id"),
    ] {
        let mut json = whole.clone();
        json["kdf"][name] = value;
        let error = Blob::parse(&text_of(&json)).unwrap_err();
        assert!(matches!(error, Error::BackupParameters(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{name}: {error}");
    }
    let mut json = whole;
    json["kdf"]["passes"] = json!(-1);
    let error = Blob::parse(&text_of(&json)).unwrap_err();
    assert!(matches!(error, Error::BackupDamaged(_)), "{error:?}");
}

/// Whatever a `v3` blob says in clear is bound: nobody can make it another wallet's, or cheaper to
/// guess at.
#[test]
fn open_rejects_a_v3_blob_that_was_relabelled() {
    let text = sealed(&small(), BackupFormat::V3);
    let whole = json_of(&text);
    let other = [0x55; 16];
    for (name, value) in [
        ("environment", json!("elsewhere")),
        ("wallet", json!(WalletId::from_bytes(other).to_string())),
        ("keyShare", json!(WalletId::from_bytes(other).to_string())),
        ("party", json!(3)),
        ("generation", json!(1)),
        ("attempt", json!(AttemptId::from_bytes(other))),
    ] {
        let mut json = whole.clone();
        assert_ne!(json["bound"][name], value);
        json["bound"][name] = value;
        let error = opened(&text_of(&json), PASSWORD).unwrap_err();
        assert!(
            matches!(error, Error::BackupDamaged(_)),
            "{name}: {error:?}"
        );
    }
    // With other costs, or another commitment, the password is not that one any more.
    let mut cheaper = whole.clone();
    cheaper["kdf"]["passes"] = json!(2);
    let mut other = whole.clone();
    other["commitment"] = json!(STANDARD.encode([7; 32]));
    // Passed off as the published form it opens with nothing.
    let mut bare = whole.clone();
    for name in ["kdf", "bound", "commitment"] {
        bare.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        Blob::parse(&text_of(&bare)).unwrap().kind,
        Kind::PublishedV3
    );
    for json in [cheaper, other, bare] {
        let error = opened(&text_of(&json), PASSWORD).unwrap_err();
        assert!(matches!(error, Error::WrongPassword), "{error:?}");
    }
    let mut flipped = whole;
    let mut cipher = STANDARD
        .decode(flipped["cipher"].as_str().unwrap())
        .unwrap();
    cipher[3] ^= 1;
    flipped["cipher"] = json!(STANDARD.encode(cipher));
    let error = opened(&text_of(&flipped), PASSWORD).unwrap_err();
    assert!(matches!(error, Error::BackupDamaged(_)), "{error:?}");
}

#[test]
fn wanted_rejects_a_blob_of_another_wallet_generation_party_or_environment() {
    let share = small();
    let bound = Bound::of(&share);
    wanted(&share).check(&bound).unwrap();
    let code = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted(&share);
        change(&mut wanted);
        wanted.check(&bound).unwrap_err().code()
    };
    let environment = code(&|wanted| wanted.environment = "elsewhere".parse().unwrap());
    assert_eq!(environment, "share_of_another_environment");
    let wallet = code(&|wanted| wanted.wallet = WalletId::from_bytes([1; 16]));
    assert_eq!(wallet, "share_of_another_wallet");
    let party = code(&|wanted| wanted.parties = vec![PartyIndex::CUSTOMER_2]);
    assert_eq!(party, "share_of_another_party");
    let generation = code(&|wanted| wanted.generation = Generation(9));
    assert_eq!(generation, "share_of_another_generation");
    let attempt = code(&|wanted| wanted.attempt = AttemptId::from_bytes([1; 16]));
    assert_eq!(attempt, "share_of_another_generation");
}
