//! What is refused, and that the refusal says why.

use halfkey_envelope::{
    DelegationData, Delivered, EncryptedDelegatedPayload, Error, PrivateKey, RecipientKey,
    check_for, fingerprint_from, from_json, open,
};
use serde_json::json;

use crate::keys::{KEY, OTHER, recipient, sealed};

const SHARE: &[u8] = br#"{"keyShareId":"id","secretShare":"c2VjcmV0"}"#;

/// The envelope with one field replaced.
fn with(field: &str, value: &str) -> EncryptedDelegatedPayload {
    let mut json = serde_json::to_value(sealed(SHARE)).unwrap();
    json[field] = value.into();
    serde_json::from_value(json).unwrap()
}

/// The first character of a field replaced by another digit.
fn flipped(field: &str) -> EncryptedDelegatedPayload {
    let json = serde_json::to_value(sealed(SHARE)).unwrap();
    let text = json[field].as_str().unwrap();
    let other = if text.starts_with('A') { 'B' } else { 'A' };
    with(field, &format!("{other}{}", &text[1..]))
}

fn refused(envelope: &EncryptedDelegatedPayload) -> Error {
    open(&KEY, envelope).unwrap_err()
}

#[test]
fn a_changed_or_cut_envelope_does_not_open() {
    for alg in ["RSA-OAEP-256", "RSA1_5", "", "hybrid-rsa-aes-256", "none"] {
        assert_eq!(refused(&with("alg", alg)), Error::UnknownAlgorithm, "{alg}");
    }
    assert!(open(&KEY, &with("alg", "RSA-OAEP")).is_ok());
    for field in ["iv", "ct", "tag"] {
        assert_eq!(refused(&flipped(field)), Error::Changed, "{field}");
    }
    assert_eq!(refused(&flipped("ek")), Error::WrongKey);
    for field in ["iv", "ct", "tag", "ek"] {
        assert_eq!(refused(&with(field, "!")), Error::NotBase64Url(field));
        assert_eq!(refused(&with(field, "a+b/")), Error::NotBase64Url(field));
        assert_eq!(refused(&with(field, "")), Error::Length(field));
    }
    let whole = serde_json::to_value(sealed(SHARE)).unwrap();
    for field in ["iv", "tag", "ek"] {
        let text = whole[field].as_str().unwrap();
        let cut = with(field, &text[..(text.len() - 1) / 4 * 4]);
        assert_eq!(refused(&cut), Error::Length(field));
    }
    let text = whole["ct"].as_str().unwrap();
    assert_eq!(
        refused(&with("ct", &text[..(text.len() - 1) / 4 * 4])),
        Error::Changed
    );
    let long = with("ct", &"A".repeat(3 << 20));
    assert_eq!(refused(&long), Error::Length("ct"));
    // Padding is read although it is not written.
    let iv = whole["iv"].as_str().unwrap();
    assert!(open(&KEY, &with("iv", &format!("{iv}=="))).is_ok());
}

#[test]
fn the_wrong_key_is_told_from_a_changed_envelope() {
    let envelope = sealed(SHARE);
    assert_eq!(open(&OTHER, &envelope).unwrap_err(), Error::AnotherKid);
    let mut nameless = envelope.clone();
    nameless.kid = None;
    assert_eq!(open(&OTHER, &nameless).unwrap_err(), Error::WrongKey);
    assert!(open(&KEY, &nameless).is_ok());
    // A name somebody else gave the key says nothing.
    assert!(open(&KEY, &with("kid", "key-1")).is_ok());
    let other = OTHER.recipient_key().unwrap();
    assert_eq!(check_for(&envelope, &other), Err(Error::AnotherKid));
    assert_eq!(check_for(&envelope, &recipient()), Ok(()));
    assert_eq!(check_for(&nameless, &recipient()), Err(Error::AnotherKid));
    let cut = with("ek", "AAAA");
    assert_eq!(check_for(&cut, &recipient()), Err(Error::Length("ek")));
}

#[test]
fn an_envelope_has_its_fields_and_no_others() {
    let whole = serde_json::to_value(sealed(SHARE)).unwrap();
    let read = |json: &serde_json::Value| from_json(json.to_string().as_bytes());
    assert!(read(&whole).is_ok());
    for field in ["alg", "iv", "ct", "tag", "ek"] {
        let mut json = whole.clone();
        json.as_object_mut().unwrap().remove(field);
        assert_eq!(read(&json), Err(Error::NotAnEnvelope), "{field}");
    }
    let mut json = whole;
    json["aad"] = "AAAA".into();
    assert_eq!(read(&json), Err(Error::NotAnEnvelope));
    assert_eq!(read(&json!([])), Err(Error::NotAnEnvelope));
}

#[test]
fn a_delivery_holds_a_share_and_a_key() {
    let deliver =
        |share: &[u8], key: &[u8]| Delivered::open(&KEY, &sealed(share), &sealed(key)).unwrap_err();
    for share in [
        &b"secret"[..],
        br#"{"keyShareId":5,"secretShare":"c2VjcmV0"}"#,
        b"{}",
    ] {
        let error = deliver(share, b"hkw_key");
        assert!(matches!(error, Error::Content(_)), "{error}");
        assert!(!error.to_string().contains("secret "), "{error}");
    }
    for key in [&b"hkw key"[..], b"\xFF\xFE", "é".as_bytes(), &[b'a'; 513]] {
        assert_eq!(deliver(SHARE, key), Error::Content("a wallet API key"));
    }
}

#[test]
fn the_three_published_names_of_the_share_are_read() {
    let envelope = serde_json::to_value(sealed(SHARE)).unwrap();
    let data = |name: &str| {
        let mut json = json!({
            "walletId": "11111111-2222-4333-8444-555555555555", "chain": "EVM",
            "publicKey": "0xabc", "userId": null, "encryptedWalletApiKey": envelope,
        });
        json[name] = envelope.clone();
        json
    };
    for name in [
        "encryptedDelegatedShare",
        "encryptedDelegatedKeyShare",
        "encryptedShare",
    ] {
        let read = DelegationData::from_json(data(name).to_string().as_bytes()).unwrap();
        let share = serde_json::to_value(&read.encrypted_delegated_share).unwrap();
        assert_eq!(share, envelope, "{name}");
        let written = serde_json::to_value(&read).unwrap();
        assert!(written["encryptedDelegatedShare"].is_object());
    }
    let why = |json: serde_json::Value| {
        let error = DelegationData::from_json(json.to_string().as_bytes()).unwrap_err();
        error.to_string()
    };
    assert!(why(data("encrypted")).contains("encryptedDelegatedShare is missing"));
    let mut twice = data("encryptedShare");
    twice["encryptedDelegatedShare"] = envelope.clone();
    assert!(why(twice).contains("twice"));
    let mut more = data("encryptedShare");
    more["encryptedShare"]["aad"] = "AAAA".into();
    assert!(why(more).contains("must not have"));
    let mut wrong = data("encryptedShare");
    wrong["walletId"] = "secret-looking".into();
    assert!(!why(wrong).contains("secret-looking"));
    // A newer provider may say more of the delegation itself.
    let mut newer = data("encryptedShare");
    newer["region"] = "eu".into();
    assert!(DelegationData::from_json(newer.to_string().as_bytes()).is_ok());
}

#[test]
fn keys_of_another_form_are_refused_by_name() {
    let pem = recipient().to_pem();
    let private = KEY.to_pem().unwrap();
    let why = |text: &str| RecipientKey::from_pem(text).unwrap_err();
    assert_eq!(why(private.expose()), Error::PrivateKeyGiven);
    assert!(matches!(why(""), Error::NotPem { .. }));
    assert!(matches!(why(&pem[..pem.len() - 30]), Error::NotPem { .. }));
    let pkcs1 = pem.replace("PUBLIC KEY", "RSA PUBLIC KEY");
    assert!(matches!(why(&pkcs1), Error::Pkcs1 { .. }));
    // Ed25519: the prefix of RFC 8410 and 32 bytes.
    let ed25519 = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    assert!(matches!(why(ed25519), Error::NotRsa(_)));
    let why = |text: &str| PrivateKey::from_pem(text).unwrap_err();
    assert!(matches!(why(&pem), Error::NotPem { .. }));
    let pkcs1 = private.expose().replace("PRIVATE KEY", "RSA PRIVATE KEY");
    assert!(matches!(why(&pkcs1), Error::Pkcs1 { .. }));
    let encrypted = private
        .expose()
        .replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(why(&encrypted), Error::EncryptedPrivateKey);
    assert!(!format!("{:?}", *KEY).contains("MI"));
}

#[test]
fn a_fingerprint_is_read_as_it_is_printed() {
    let key = recipient();
    let printed = key.fingerprint();
    assert_eq!(fingerprint_from(&printed).as_ref(), Ok(&printed));
    assert!(printed.contains(&key.kid()));
    for text in ["", "sha256:", "sha256:00", &printed[7..]] {
        assert_eq!(fingerprint_from(text), Err(Error::Fingerprint), "{text}");
    }
}
