//! `wallet export --recipient`: the key is nowhere in clear but with its recipient.

use serde_json::Value;

use crate::life::ops_token;
use crate::support::{Home, must_succeed};

const INPUT: i32 = 3;
const CUSTODY: i32 = 7;
/// The pair of age's published test vectors: known to everybody.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

#[test]
fn a_key_goes_to_its_recipient_and_no_file_here_has_it() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let with_token = |args: &[&str]| {
        let args = [args, &["--token-file", &token]].concat();
        home.against(&provider, &args).output().unwrap()
    };
    let created = home.json(
        &provider,
        &["wallet", "create", "--chain", "SVM", "--alias", "safe"],
    );
    let address = created["account_address"].as_str().unwrap();
    let out = home.path().join("sealed.json");
    let out = out.to_str().unwrap();
    let sealed = ["wallet", "export", "safe", "--recipient", RECIPIENT];
    let export = [&sealed[..], &["--out", out]].concat();
    let refused = with_token(&export);
    assert_eq!(refused.status.code(), Some(CUSTODY), "{refused:?}");
    let bad = with_token(&["recipient", "add", "age1x", "--name", "safe 2"]);
    assert_eq!(bad.status.code(), Some(INPUT), "{bad:?}");
    let add = ["recipient", "add", RECIPIENT, "--name", "safe 2"];
    must_succeed(&with_token(&add));
    let listed = home.json(&provider, &["recipient", "list"]);
    assert_eq!(listed["recipients"][0]["recipient"], RECIPIENT);
    assert_eq!(listed["is_required"], true);
    must_succeed(&with_token(&export));
    // In clear nothing goes out any more.
    let clear = home.path().join("clear");
    let clear = ["wallet", "export", "safe", "--out", clear.to_str().unwrap()];
    assert_eq!(with_token(&clear).status.code(), Some(CUSTODY));

    // The recipient has neither provider nor vault.
    let recipient = Home::empty();
    let identity = recipient.path().join("identity");
    std::fs::write(&identity, format!("# made by age-keygen\n{IDENTITY}\n")).unwrap();
    let key = recipient.path().join("key.json");
    let open = [
        "wallet",
        "open-export",
        out,
        "--identity-file",
        identity.to_str().unwrap(),
        "--form",
        "keypair",
        "--out",
        key.to_str().unwrap(),
    ];
    must_succeed(&recipient.run(&open));
    let pair: Vec<u8> = serde_json::from_slice(&std::fs::read(&key).unwrap()).unwrap();
    let seed: [u8; 32] = pair[..32].try_into().unwrap();
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    assert_eq!(bs58::encode(public.to_bytes()).into_string(), address);
    assert_eq!(
        recipient.run(&open).status.code(),
        Some(INPUT),
        "it is there"
    );

    no_file_has(&home, &seed);
    must_succeed(&with_token(&["recipient", "remove", RECIPIENT]));
    let again = home.path().join("again.json");
    let again = [&export[..6], &[again.to_str().unwrap()]].concat();
    assert_eq!(with_token(&again).status.code(), Some(CUSTODY));
    let shown: Value = home.json(&provider, &["wallet", "show", "safe"]);
    assert!(
        shown["custody_origin"].to_string().contains("exported"),
        "{shown}"
    );
}

fn no_file_has(home: &Home, seed: &[u8; 32]) {
    let forms = [
        seed.to_vec(),
        hex::encode(seed).into_bytes(),
        bs58::encode(seed).into_vec(),
    ];
    for file in home.files() {
        let bytes = std::fs::read(&file).unwrap();
        for form in &forms {
            let found = bytes.windows(form.len()).any(|window| window == form);
            assert!(!found, "{} holds the key", file.display());
        }
    }
}
