//! The addresses of both chains.

use alloy_primitives::Address;
use halfkey_core::ChainName;
use k256::elliptic_curve::sec1::ToEncodedPoint as _;

use crate::Error;

/// The address of an account public key in its chain's display form (EIP-55; base58).
///
/// EVM takes the SEC1 form, compressed (33 bytes, as everywhere in Halfkey) or not (65). SVM takes
/// the 32 bytes of RFC 8032.
///
/// # Errors
/// [`Error::Address`] when the key is not a point of that chain's curve, or for SVM one of small
/// order.
pub fn address(chain: ChainName, public_key: &[u8]) -> Result<String, Error> {
    match chain {
        ChainName::Evm => evm(public_key).map(|address| address.to_checksum(None)),
        ChainName::Svm => svm(public_key),
        _ => Err(Error::Address),
    }
}

/// The form of an address that names records: EVM lower case, SVM unchanged.
///
/// # Errors
/// When it is not an address of that chain (EVM: 0x and 40 digits; mixed case must match EIP-55).
pub fn canonical_address(chain: ChainName, address: &str) -> Result<String, Error> {
    match chain {
        ChainName::Evm => parse_evm(address).map(|address| format!("{address:#x}")),
        ChainName::Svm => {
            svm_bytes(address)?;
            Ok(address.to_owned())
        }
        _ => Err(Error::Address),
    }
}

/// The account of a SEC1 public key.
///
/// # Errors
/// [`Error::Address`] when the bytes are no point of secp256k1.
pub fn evm(public_key: &[u8]) -> Result<Address, Error> {
    // SEC1 knows further tags, under which the same bytes would be another key's.
    if !matches!(
        (public_key.first(), public_key.len()),
        (Some(2 | 3), 33) | (Some(4), 65)
    ) {
        return Err(Error::Address);
    }
    let key = k256::PublicKey::from_sec1_bytes(public_key).map_err(|_| Error::Address)?;
    let point = key.to_encoded_point(false);
    let coordinates = point.as_bytes().get(1..).ok_or(Error::Address)?;
    Ok(Address::from_raw_public_key(coordinates))
}

/// Reads an EVM address: `0x` and 40 digits, all of one case or the exact EIP-55 form.
///
/// # Errors
/// [`Error::Address`] otherwise.
pub fn parse_evm(text: &str) -> Result<Address, Error> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
    let digits = digits.ok_or(Error::Address)?;
    let parsed: Address = digits.parse().map_err(|_| Error::Address)?;
    let is_lower = !digits.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_upper = !digits.bytes().any(|byte| byte.is_ascii_lowercase());
    if is_lower || is_upper || parsed.to_checksum(None) == text {
        Ok(parsed)
    } else {
        Err(Error::Address)
    }
}

fn svm(public_key: &[u8]) -> Result<String, Error> {
    let bytes: &[u8; 32] = public_key.try_into().map_err(|_| Error::Address)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| Error::Address)?;
    if key.is_weak() {
        return Err(Error::Address);
    }
    Ok(bs58::encode(bytes).into_string())
}

/// The 32 bytes of a Solana address, in its one base58 form.
///
/// # Errors
/// [`Error::Address`] otherwise.
pub fn svm_bytes(text: &str) -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    // 32 bytes have at most 44 base58 digits; decoding takes quadratic time.
    let written = (text.len() <= 44).then(|| bs58::decode(text).onto(&mut bytes));
    match written {
        Some(Ok(32)) if bs58::encode(bytes).into_string() == text => Ok(bytes),
        _ => Err(Error::Address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator of secp256k1: the public key of the private key 1.
    const ONE: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    const ONE_ADDRESS: &str = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";

    #[test]
    fn address_of_a_known_evm_key() {
        let compressed = hex::decode(ONE).unwrap();
        assert_eq!(address(ChainName::Evm, &compressed).unwrap(), ONE_ADDRESS);
        let point = k256::PublicKey::from_sec1_bytes(&compressed).unwrap();
        let uncompressed = point.to_encoded_point(false);
        assert_eq!(
            address(ChainName::Evm, uncompressed.as_bytes()).unwrap(),
            ONE_ADDRESS
        );
    }

    #[test]
    fn address_rejects_what_is_no_evm_key() {
        let mut compact = hex::decode(ONE).unwrap();
        compact[0] = 0x05;
        let x_too_big = [&[2][..], &[0xff; 32]].concat();
        for bad in [
            &compact[..],
            &x_too_big,
            &[0],
            &[],
            &[0; 33],
            &[2; 32],
            &[2; 34],
        ] {
            assert_eq!(address(ChainName::Evm, bad), Err(Error::Address), "{bad:?}");
        }
    }

    #[test]
    fn canonical_evm_is_lower_case_and_checks_mixed_case() {
        let lower = ONE_ADDRESS.to_lowercase();
        let upper = lower.to_uppercase().replace("0X", "0x");
        for same in [ONE_ADDRESS, &lower, &upper] {
            assert_eq!(canonical_address(ChainName::Evm, same).unwrap(), lower);
        }
        let wrong_case = ONE_ADDRESS.replace("7E5F", "7e5F");
        let no_prefix = ONE_ADDRESS.trim_start_matches("0x");
        let (long, short) = (format!("{ONE_ADDRESS}0"), ONE_ADDRESS.trim_end_matches('f'));
        for bad in [
            wrong_case.as_str(),
            no_prefix,
            &long,
            short,
            "",
            "0x",
            "0xé",
        ] {
            assert_eq!(
                canonical_address(ChainName::Evm, bad),
                Err(Error::Address),
                "{bad}"
            );
        }
    }

    #[test]
    fn svm_addresses_are_32_bytes_on_the_curve() {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        let text = address(ChainName::Svm, key.as_bytes()).unwrap();
        assert_eq!(svm_bytes(&text).unwrap(), *key.as_bytes());
        assert_eq!(canonical_address(ChainName::Svm, &text).unwrap(), text);
        // y = 7 is on no point; y = 1 is the identity, of small order.
        let only_low_byte =
            |byte| core::array::from_fn::<u8, 32, _>(|at| if at == 0 { byte } else { 0 });
        for bad in [&only_low_byte(7)[..], &only_low_byte(1), &[7; 31], &[]] {
            assert_eq!(address(ChainName::Svm, bad), Err(Error::Address), "{bad:?}");
        }
        for bad in [
            "",
            "0",
            text.get(2..).unwrap(),
            &format!("1{text}"),
            &format!("{text} "),
            "Il",
        ] {
            assert_eq!(
                canonical_address(ChainName::Svm, bad),
                Err(Error::Address),
                "{bad}"
            );
        }
    }
}
