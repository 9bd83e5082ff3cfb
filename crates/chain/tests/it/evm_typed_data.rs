use alloy_dyn_abi::TypedData;
use halfkey_chain::evm::typed_data::check;
use halfkey_chain::{Error, wire_payload};
use halfkey_core::SigningInput;
use halfkey_core::wire::Operation;
use serde_json::{Value, json};

use crate::support::{evm, evm_digest, must_be, must_be_malformed, must_mismatch};

/// The example of EIP-712 and the digest it gives.
fn mail() -> Value {
    json!({
        "types": {
            "EIP712Domain": [
                { "name": "name", "type": "string" },
                { "name": "version", "type": "string" },
                { "name": "chainId", "type": "uint256" },
                { "name": "verifyingContract", "type": "address" },
            ],
            "Person": [
                { "name": "name", "type": "string" },
                { "name": "wallet", "type": "address" },
            ],
            "Mail": [
                { "name": "from", "type": "Person" },
                { "name": "to", "type": "Person" },
                { "name": "contents", "type": "string" },
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail", "version": "1", "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": { "name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
            "to": { "name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
            "contents": "Hello, Bob!",
        },
    })
}

const MAIL_DIGEST: &str = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2";

fn with(path: &str, value: Value) -> Value {
    let mut data = mail();
    *data.pointer_mut(path).unwrap() = value;
    data
}

#[track_caller]
fn must_not_check(data: &Value, part: &str) {
    match check(data) {
        Err(Error::Malformed(text)) => assert!(text.contains(part), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_eip_712() {
    let checked = check(&mail()).unwrap();
    assert_eq!(hex::encode(checked.digest), MAIL_DIGEST);
    assert_eq!(checked.summary["primaryType"], "Mail");
    assert_eq!(
        checked.summary["encodeType"],
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    );
    assert_eq!(checked.summary["domain"]["chainId"], "1");
    assert_eq!(checked.summary["message"], mail()["message"]);
    for same in [json!("1"), json!("0x1")] {
        assert_eq!(
            check(&with("/domain/chainId", same)).unwrap().digest,
            checked.digest
        );
    }
    // Without EIP712Domain, as ethers sends it.
    let mut bare = mail();
    bare["types"]
        .as_object_mut()
        .unwrap()
        .remove("EIP712Domain");
    assert_eq!(check(&bare).unwrap().digest, checked.digest);
}

#[test]
fn a_digest_is_typed_data_only_with_its_structure() {
    let digest = hex::decode(MAIL_DIGEST).unwrap();
    must_be(evm_digest(&digest, None), Operation::Blind);
    let context = json!({ "evmTypedData": mail() });
    let request = must_be(evm_digest(&digest, Some(&context)), Operation::EvmTypedData);
    assert_eq!(
        request.input,
        SigningInput::Digest(digest.clone().try_into().unwrap())
    );
    let other = json!({ "evmTypedData": with("/message/contents", json!("Hello, Eve!")) });
    must_mismatch(evm_digest(&digest, Some(&other)), "does not hash");
    let both = json!({ "evmTypedData": mail(), "evmTransaction": {} });
    must_mismatch(evm_digest(&digest, Some(&both)), "evmTransaction");
    must_be_malformed(
        evm_digest(&digest, Some(&json!({ "evmTypedData": 1 }))),
        "not an object",
    );
}

#[test]
fn the_whole_payload_is_typed_data_only_with_its_structure() {
    let typed: TypedData = serde_json::from_value(mail()).unwrap();
    let domain = typed.domain.separator();
    let payload = [
        &[0x19, 0x01],
        domain.as_slice(),
        typed.hash_struct().unwrap().as_slice(),
    ]
    .concat();
    must_be(evm(&payload, None), Operation::Blind);
    let context = json!({ "evmTypedData": mail() });
    let request = must_be(evm(&payload, Some(&context)), Operation::EvmTypedData);
    assert_eq!(
        request.input,
        SigningInput::Digest(typed.eip712_signing_hash().unwrap().0)
    );
    must_mismatch(evm(&payload[..65], Some(&context)), "evmTypedData");
    let mut changed = payload.clone();
    changed[40] ^= 1;
    must_mismatch(evm(&changed, Some(&context)), "does not hash");
}

#[test]
fn the_builder_sends_the_digest_and_its_structure() {
    let typed: TypedData = serde_json::from_value(mail()).unwrap();
    for built in [
        wire_payload::evm_typed_data(&typed).unwrap(),
        wire_payload::evm_typed_data_json(&mail()).unwrap(),
    ] {
        assert!(built.is_formatted);
        assert_eq!(built.message, MAIL_DIGEST);
        assert_eq!(built.request.operation, Operation::EvmTypedData);
        assert_eq!(
            check(&built.context["evmTypedData"]).unwrap().digest,
            check(&mail()).unwrap().digest
        );
    }
}

#[test]
fn what_is_not_signed_is_not_shown() {
    let mut data = mail();
    data["message"]["amount"] = json!("0");
    data["message"]["from"]["note"] = json!("unsigned");
    let checked = check(&data).unwrap();
    assert_eq!(hex::encode(checked.digest), MAIL_DIGEST);
    assert_eq!(checked.summary["message"], mail()["message"]);
}

#[test]
fn values_that_do_not_fit_their_type_are_refused() {
    let typed = |member_type: &str, value: Value| {
        json!({
            "types": { "T": [{ "name": "a", "type": member_type }] },
            "primaryType": "T", "domain": {}, "message": { "a": value },
        })
    };
    for (member_type, value) in [
        ("uint8", json!(256)),
        ("uint8", json!(-1)),
        ("uint256", json!("1".repeat(100))),
        ("int8", json!(128)),
        ("bytes2", json!("0x01")),
        ("bytes", json!("0x0")),
        ("address", json!("0x01")),
        ("bool", json!(1)),
        ("string", json!(1)),
        ("uint8[2]", json!([1])),
        ("uint8[999999999]", json!([1])),
        ("uint8[]", json!(1)),
        ("uint7", json!(1)),
        ("bytes33", json!("0x00")),
        ("Missing", json!({})),
    ] {
        must_not_check(&typed(member_type, value.clone()), "typed data");
        let good = typed("uint8[][2]", json!([[1], []]));
        assert!(check(&good).is_ok());
    }
    for (member_type, value, shown) in [
        ("int16", json!(-2), json!("-2")),
        ("uint256", json!("0x10"), json!("16")),
        ("bytes3", json!("0x010203"), json!("0x010203")),
        ("bytes", json!("0x"), json!("0x")),
        ("bool", json!(true), json!(true)),
    ] {
        assert_eq!(
            check(&typed(member_type, value)).unwrap().summary["message"]["a"],
            shown
        );
    }
}

#[test]
fn numbers_beyond_64_bits_must_be_text() {
    let text = r#"{"types":{"T":[{"name":"a","type":"uint256"}]},"primaryType":"T","domain":{},
        "message":{"a":NUMBER}}"#;
    let parse = |number: &str| serde_json::from_str::<Value>(&text.replace("NUMBER", number));
    assert!(check(&parse("18446744073709551615").unwrap()).is_ok());
    must_not_check(&parse("18446744073709551616").unwrap(), "send it as text");
    must_not_check(&parse("1e5").unwrap(), "send it as text");
    assert!(parse("1e400").is_err());
    let exact = parse("\"18446744073709551616\"").unwrap();
    assert_eq!(
        check(&exact).unwrap().summary["message"]["a"],
        "18446744073709551616"
    );
}

#[test]
fn the_domain_must_be_unambiguous() {
    must_not_check(
        &with("/domain", json!({ "name": "Ether Mail" })),
        "EIP712Domain",
    );
    let mut extra = mail();
    extra["domain"]["salt"] = json!(format!("0x{}", "00".repeat(32)));
    must_not_check(&extra, "EIP712Domain");
    let mut unknown = mail();
    unknown["domain"]["owner"] = json!("x");
    must_not_check(&unknown, "unknown member");
    let mut order = mail();
    order["types"]["EIP712Domain"]
        .as_array_mut()
        .unwrap()
        .swap(0, 1);
    must_not_check(&order, "EIP712Domain");
    must_not_check(&with("/domain", json!([])), "domain");
    must_not_check(&with("/domain/chainId", json!("one")), "does not fit");
}

#[test]
fn names_that_could_hash_as_something_else_are_refused() {
    let named = |type_name: &str, member: &str, member_type: &str| {
        json!({
            "types": { type_name: [{ "name": member, "type": member_type }] },
            "primaryType": type_name, "domain": {}, "message": { member: "1" },
        })
    };
    assert!(check(&named("A:B", "a", "uint8")).is_ok());
    for (type_name, member, member_type) in [
        ("T(uint8 a)U", "a", "uint8"),
        ("", "a", "uint8"),
        ("1T", "a", "uint8"),
        ("uint256", "a", "uint8"),
        ("string", "a", "uint8"),
        ("bytes32", "a", "uint8"),
        ("T", "a,uint8 b", "uint8"),
        ("T", "", "uint8"),
        ("T", "a:b", "uint8"),
        ("T", "a", "uint8 b"),
        ("T", "a", "(uint8,uint8)"),
        ("T", "a", "uint8["),
        ("T", "a", "uint8[]]"),
        ("T", "a", "uint8[-1]"),
        ("T", "a", "uint8[01]"),
        ("T", "a", "uint8[0]"),
        ("T", "a", ""),
        ("T", "a", "T"),
        ("EIP712Domain", "a", "uint8"),
    ] {
        must_not_check(&named(type_name, member, member_type), "typed data");
    }
    let twice = json!({
        "types": { "T": [{ "name": "a", "type": "uint8" }, { "name": "a", "type": "uint16" }] },
        "primaryType": "T", "domain": {}, "message": { "a": 1 },
    });
    must_not_check(&twice, "twice");
}

/// Each type holds the next one twice: 2^60 values from a few hundred bytes.
#[test]
fn exponential_types_are_refused() {
    let mut types = serde_json::Map::new();
    for level in 0..60 {
        let next = if level == 59 {
            "uint8".to_owned()
        } else {
            format!("T{}", level + 1)
        };
        types.insert(
            format!("T{level}"),
            json!([{ "name": "a", "type": next }, { "name": "b", "type": next }]),
        );
    }
    let data = json!({ "types": types, "primaryType": "T0", "domain": {}, "message": {} });
    must_not_check(&data, "expand");
}

#[test]
fn types_that_contain_each_other_are_refused() {
    let data = json!({
        "types": {
            "A": [{ "name": "b", "type": "B" }], "B": [{ "name": "a", "type": "A[]" }],
        },
        "primaryType": "A", "domain": {}, "message": { "b": { "a": [] } },
    });
    must_not_check(&data, "contain each other");
}

#[test]
fn too_much_is_refused() {
    let nested = (0..120).fold(json!(1), |inner, _| json!([inner]));
    must_not_check(&with("/message/contents", nested), "too deep");
    must_not_check(
        &with("/message/contents", json!("x".repeat(200_000))),
        "too large",
    );
    let types: serde_json::Map<_, _> = (0..65)
        .map(|i| (format!("T{i}"), json!([{ "name": "a", "type": "uint8" }])))
        .collect();
    must_not_check(&with("/types", Value::Object(types)), "too many types");
    let members: Vec<_> = (0..513)
        .map(|i| json!({ "name": format!("m{i}"), "type": "uint8" }))
        .collect();
    must_not_check(&with("/types/Mail", json!(members)), "too many members");
    let long: Vec<_> = (0..200)
        .map(|i| json!({ "name": format!("{}{i}", "m".repeat(100)), "type": "uint8" }))
        .collect();
    must_not_check(&with("/types/Mail", json!(long)), "too long");
}

#[test]
fn errors_do_not_quote_the_data() {
    let Err(error) = check(&with("/message/from/wallet", json!("canary"))) else {
        panic!("it must not check");
    };
    assert!(!error.to_string().contains("canary"));
}
