use alloy_primitives::keccak256;
use halfkey_chain::{Error, address, signature_text, verify_signature};
use halfkey_core::{ChainName, Signature, SigningInput};

const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

fn evm_signature(digest: [u8; 32]) -> (String, Signature) {
    let key = k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let public = key.verifying_key().to_encoded_point(true);
    let (signature, id) = key.sign_prehash_recoverable(&digest).unwrap();
    let (r, s) = signature.split_bytes();
    let signature = Signature::Ecdsa {
        r: r.into(),
        s: s.into(),
        recovery_id: u8::from(id.is_y_odd()),
    };
    (
        address(ChainName::Evm, public.as_bytes()).unwrap(),
        signature,
    )
}

#[test]
fn an_evm_signature_verifies_under_its_address_only() {
    let digest = keccak256("payload").0;
    let (address, signature) = evm_signature(digest);
    let verify = |address: &str, digest, signature: &Signature| {
        verify_signature(
            ChainName::Evm,
            address,
            &SigningInput::Digest(digest),
            signature,
        )
    };
    verify(&address, digest, &signature).unwrap();
    verify(&address.to_lowercase(), digest, &signature).unwrap();
    let text = signature_text(ChainName::Evm, &signature).unwrap();
    assert_eq!(text.len(), 132);
    assert!(text.ends_with("1b") || text.ends_with("1c"));

    let mut other = digest;
    other[0] ^= 1;
    let zero = format!("0x{}", "00".repeat(20));
    assert!(matches!(
        verify(&address, other, &signature),
        Err(Error::Signature(_))
    ));
    assert!(matches!(
        verify(&zero, digest, &signature),
        Err(Error::Signature(_))
    ));
    assert_eq!(verify("0x12", digest, &signature), Err(Error::Address));
    let Signature::Ecdsa { r, s, recovery_id } = signature else {
        unreachable!()
    };
    let flipped = Signature::Ecdsa {
        r,
        s,
        recovery_id: 1 - recovery_id,
    };
    assert!(matches!(
        verify(&address, digest, &flipped),
        Err(Error::Signature(_))
    ));
}

#[test]
fn ecdsa_scalars_are_checked() {
    let (_, good) = evm_signature([1; 32]);
    let Signature::Ecdsa { r, s, .. } = good else {
        unreachable!()
    };
    let mut high = HALF_ORDER;
    high[31] += 1;
    let text =
        |r, s, recovery_id| signature_text(ChainName::Evm, &Signature::Ecdsa { r, s, recovery_id });
    assert!(text(r, HALF_ORDER, 0).is_ok());
    for bad in [
        text([0; 32], s, 0),
        text(r, [0; 32], 0),
        text([0xff; 32], s, 0),
        text(r, [0xff; 32], 0),
        text(r, high, 0),
        text(r, s, 2),
        text(r, s, 27),
    ] {
        assert!(matches!(bad, Err(Error::Signature(_))), "{bad:?}");
    }
}

#[test]
fn an_svm_signature_verifies_under_its_address_only() {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let address = address(ChainName::Svm, key.verifying_key().as_bytes()).unwrap();
    let signature = Signature::Ed25519(key.sign(b"payload").to_bytes());
    let verify = |message: &[u8], signature: &Signature| {
        let input = SigningInput::Message(message.to_vec());
        verify_signature(ChainName::Svm, &address, &input, signature)
    };
    verify(b"payload", &signature).unwrap();
    assert!(matches!(
        verify(b"payloae", &signature),
        Err(Error::Signature(_))
    ));
    let text = signature_text(ChainName::Svm, &signature).unwrap();
    assert_eq!(bs58::decode(text).into_vec().unwrap().len(), 64);
}

#[test]
fn kinds_are_not_mixed() {
    let (address, ecdsa) = evm_signature([1; 32]);
    let ed25519 = Signature::Ed25519([1; 64]);
    assert!(signature_text(ChainName::Evm, &ed25519).is_err());
    assert!(signature_text(ChainName::Svm, &ecdsa).is_err());
    let message = SigningInput::Message(vec![1; 32]);
    assert!(verify_signature(ChainName::Evm, &address, &message, &ecdsa).is_err());
}
