//! The vectors that ethers ships, made by its own implementation.

use std::path::Path;
use std::process::Command;

use alloy_primitives::keccak256;
use halfkey_chain::evm::{UnsignedTransaction, typed_data};
use halfkey_chain::{address, wire_payload};
use halfkey_core::{ChainName, Signature};
use halfkey_testkit::tools;
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

fn vectors(name: &str) -> Vec<Value> {
    tools::real_part("ethers");
    let folder = Path::new("node_modules/@ethersproject/testcases/testcases");
    let file = tools::must_find(folder.join(format!("{name}.json.gz")));
    let unpack = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
    let output = Command::new(tools::python())
        .args(["-c", unpack])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(vector[name].as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

/// Signs as RFC 6979 has it, so that even the signature is that of the vector.
fn sign(key: &[u8], digest: [u8; 32]) -> Signature {
    let key = SigningKey::from_slice(key).unwrap();
    let (signature, id) = key.sign_prehash_recoverable(&digest).unwrap();
    let (r, s) = signature.split_bytes();
    Signature::Ecdsa {
        r: r.into(),
        s: s.into(),
        recovery_id: u8::from(id.is_y_odd()),
    }
}

#[test]
fn eip_712_digests() {
    let vectors = vectors("eip712");
    assert_eq!(vectors.len(), 1025);
    for vector in &vectors {
        let data = json!({
            "domain": vector["domain"], "types": vector["types"],
            "primaryType": vector["primaryType"], "message": vector["data"],
        });
        let checked =
            typed_data::check(&data).unwrap_or_else(|e| panic!("{}: {e}", vector["name"]));
        assert_eq!(
            checked.digest.to_vec(),
            bytes(vector, "digest"),
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn typed_transactions() {
    let vectors = vectors("typed-transactions");
    assert_eq!(vectors.len(), 1792);
    for vector in &vectors {
        let payload = bytes(vector, "unsigned");
        let decoded = UnsignedTransaction::decode(&payload).unwrap();
        assert_eq!(decoded.digest(), keccak256(&payload).0);
        let key = bytes(vector, "key");
        let signed = decoded.attach(&sign(&key, decoded.digest())).unwrap();
        assert_eq!(signed, bytes(vector, "signed"), "{}", vector["name"]);
        assert_eq!(UnsignedTransaction::decode(&signed), None);
        let public = SigningKey::from_slice(&key).unwrap();
        let public = public.verifying_key().to_encoded_point(true);
        let address = address(ChainName::Evm, public.as_bytes()).unwrap();
        assert_eq!(
            address.to_lowercase(),
            vector["address"].as_str().unwrap().to_lowercase()
        );
    }
}

/// Without and with a chain id. Those with a gas limit or price that no node takes are blind.
#[test]
fn legacy_transactions() {
    let vectors = vectors("transactions");
    assert_eq!(vectors.len(), 1067);
    let mut accepted = 0;
    for vector in &vectors {
        for suffix in ["", "ChainId5"] {
            let payload = bytes(vector, &format!("unsignedTransaction{suffix}"));
            let Some(decoded) = UnsignedTransaction::decode(&payload) else {
                assert!(wire_payload::evm_transaction(&payload).is_err());
                let too_large = |name: &str, digits: usize| {
                    vector[name]
                        .as_str()
                        .is_some_and(|number| number.len() > digits + 2)
                };
                assert!(
                    too_large("gasLimit", 16) || too_large("gasPrice", 32),
                    "{vector}"
                );
                continue;
            };
            accepted += 1;
            let signed = decoded.attach(&sign(&bytes(vector, "privateKey"), decoded.digest()));
            assert_eq!(
                signed.unwrap(),
                bytes(vector, &format!("signedTransaction{suffix}"))
            );
        }
    }
    assert_eq!(accepted, 2 * 984);
}
