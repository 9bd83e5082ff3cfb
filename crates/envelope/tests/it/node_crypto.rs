//! Node's crypto opens what we seal, and we open what it seals.

use halfkey_core::ServerKeyShare;
use halfkey_envelope::{DelegatedShare, Delivered, PrivateKey, RecipientKey, from_json, open};
use halfkey_testkit::judge::{Question, node_crypto};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::Value;

use crate::keys::{KEY, recipient, sealed};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A share of an ECDSA wallet's size.
fn long_share() -> ServerKeyShare {
    let secret: String = (0..72_000_u32)
        .map(|at| char::from(b'a' + u8::try_from(at % 26).unwrap()))
        .collect();
    ServerKeyShare::new("9b2c", secret).with_pub_key("02ab")
}

#[test]
fn each_opens_what_the_other_sealed() {
    let keys = node_crypto(&[Question::rsa_key(2048), Question::rsa_key(4096)]);
    let own = KEY.to_pem().unwrap();
    let mut questions = Vec::new();
    let long = vec![0xA5; 100_000];
    for content in [&b"x"[..], b"hkw_0123", &long] {
        let envelope = serde_json::to_value(sealed(content)).unwrap();
        questions.push(Question::envelope_open(own.expose(), &envelope));
    }
    let answers = node_crypto(&questions);
    assert_eq!(text(&answers[0]["ok"]), hex::encode(b"x"));
    assert_eq!(text(&answers[1]["ok"]), hex::encode(b"hkw_0123"));
    assert_eq!(text(&answers[2]["ok"]), hex::encode(&long));

    for key in &keys {
        let public = RecipientKey::from_pem(text(&key["ok"]["publicKey"])).unwrap();
        let private = PrivateKey::from_pem(text(&key["ok"]["privateKey"])).unwrap();
        assert_eq!(private.recipient_key().unwrap(), public);
        assert_eq!(public.to_pem(), text(&key["ok"]["publicKey"]));
        let answers = node_crypto(&[
            Question::envelope_seal(&public.to_pem(), b"hello"),
            Question::envelope_seal(&recipient().to_pem(), b"to us"),
        ]);
        let envelope = |at: usize| from_json(answers[at]["ok"].to_string().as_bytes()).unwrap();
        assert_eq!(open(&private, &envelope(0)).unwrap().expose(), b"hello");
        assert_eq!(open(&KEY, &envelope(1)).unwrap().expose(), b"to us");
    }
}

#[test]
fn a_delivery_is_read_in_either_case_style_by_either_side() {
    let share = long_share();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let ours = DelegatedShare::new(share.clone())
        .seal(&recipient(), &mut rng)
        .unwrap();
    let ours = serde_json::to_value(&ours).unwrap();
    let own = KEY.to_pem().unwrap();
    let opened = node_crypto(&[Question::envelope_open(own.expose(), &ours)]);
    let json = hex::decode(text(&opened[0]["ok"])).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(text(&json["keyShareId"]), "9b2c");
    assert_eq!(text(&json["secretShare"]), share.secret_share);
    assert_eq!(text(&json["pubKey"]), "02ab");

    let snake = serde_json::to_vec(&share).unwrap();
    let camel = serde_json::to_vec(&json).unwrap();
    let public = recipient().to_pem();
    let sealed = node_crypto(&[
        Question::envelope_seal(&public, &snake),
        Question::envelope_seal(&public, &camel),
        Question::envelope_seal(&public, b"hkw_key"),
    ]);
    let envelope = |at: usize| from_json(sealed[at]["ok"].to_string().as_bytes()).unwrap();
    for at in [0, 1] {
        let delivered = Delivered::open(&KEY, &envelope(at), &envelope(2)).unwrap();
        assert_eq!(delivered.server_key_share, share);
        assert_eq!(delivered.wallet_api_key.expose(), "hkw_key");
        assert!(!format!("{delivered:?}").contains("hkw_key"));
    }
}

#[test]
fn short_keys_are_refused_by_name() {
    let keys = node_crypto(&[Question::rsa_key(1024)]);
    let error = RecipientKey::from_pem(text(&keys[0]["ok"]["publicKey"])).unwrap_err();
    assert_eq!(error.to_string(), "the RSA key is shorter than 2048 bits");
    let error = PrivateKey::from_pem(text(&keys[0]["ok"]["privateKey"])).unwrap_err();
    assert_eq!(error.to_string(), "the RSA key is shorter than 2048 bits");
}
