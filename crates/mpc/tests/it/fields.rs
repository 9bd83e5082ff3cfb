//! Every field of the signing payloads, as encoded bytes whose concatenation is the payload.

use dkls23_core::protocols::signing::{Broadcast3to4, TransmitPhase1to2, TransmitPhase2to3};
use k256::Secp256k1;
use serde::Serialize;

/// A field's name and its bytes.
pub(crate) type Field = (&'static str, Vec<u8>);

fn bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

fn first_round(payload: &[u8]) -> (Vec<Field>, &[u8]) {
    let (message, rest): (TransmitPhase1to2, _) = postcard::take_from_bytes(payload).unwrap();
    let data = &message.mul_transmit;
    let fields = vec![
        ("sender", bytes(&message.parties.sender)),
        ("receiver", bytes(&message.parties.receiver)),
        ("session_binding", bytes(&message.session_binding)),
        ("commitment", bytes(&message.commitment)),
        ("ote_nonce", bytes(&data.nonce)),
        ("u", bytes(&serde_bytes::ByteBuf::from(data.u.concat()))),
        ("verify_x", bytes(&data.verify_x)),
        ("verify_t", bytes(&data.verify_t)),
    ];
    (fields, rest)
}

fn second_round(payload: &[u8]) -> (Vec<Field>, &[u8]) {
    let (message, rest): (TransmitPhase2to3<Secp256k1>, _) =
        postcard::take_from_bytes(payload).unwrap();
    let data = &message.mul_transmit;
    let fields = vec![
        ("sender", bytes(&message.parties.sender)),
        ("receiver", bytes(&message.parties.receiver)),
        ("session_binding", bytes(&message.session_binding)),
        ("gamma_u", bytes(&message.gamma_u)),
        ("gamma_v", bytes(&message.gamma_v)),
        ("psi", bytes(&message.psi)),
        ("public_share", bytes(&message.public_share)),
        ("instance_point", bytes(&message.instance_point)),
        ("salt", bytes(&message.salt)),
        ("tau", bytes(&data.vector_of_tau)),
        ("ote_salt", bytes(&data.ote_salt)),
        ("verify_r", bytes(&data.verify_r)),
        ("verify_u", bytes(&data.verify_u)),
        ("gamma_sender", bytes(&data.gamma_sender)),
    ];
    (fields, rest)
}

fn third_round(payload: &[u8]) -> (Vec<Field>, &[u8]) {
    let (message, rest): (Broadcast3to4<Secp256k1>, _) =
        postcard::take_from_bytes(payload).unwrap();
    (
        vec![("u", bytes(&message.u)), ("w", bytes(&message.w))],
        rest,
    )
}

/// The fields of an ECDSA payload.
pub(crate) fn ecdsa(step: u8, payload: &[u8]) -> Vec<Field> {
    let (mut fields, mut rest) = match step {
        1 | 2 => first_round(payload),
        3 => second_round(payload),
        _ => third_round(payload),
    };
    let more = match step {
        2 => Some(second_round(rest)),
        3 => Some(third_round(rest)),
        _ => None,
    };
    if let Some((more, end)) = more {
        fields.extend(more);
        rest = end;
    }
    assert!(rest.is_empty());
    checked(fields, payload)
}

/// The fields of an Ed25519 payload: 32-byte values.
pub(crate) fn ed25519(step: u8, payload: &[u8]) -> Vec<Field> {
    let names: &[&str] = if step == 1 {
        &["hiding", "binding"]
    } else {
        &["hiding", "binding", "signature_share"]
    };
    let fields = names
        .iter()
        .copied()
        .zip(payload.chunks(32).map(<[u8]>::to_vec))
        .collect();
    checked(fields, payload)
}

fn checked(fields: Vec<Field>, payload: &[u8]) -> Vec<Field> {
    let whole: Vec<u8> = fields.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(whole, payload, "the fields are the whole payload");
    fields
}
