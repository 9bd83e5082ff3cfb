//! Unsigned transactions of every type Ethereum has: decode, digest, attach a signature.

use alloy_consensus::transaction::{RlpEcdsaDecodableTx as _, RlpEcdsaEncodableTx as _};
use alloy_consensus::{
    SignableTransaction, Transaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
};
use alloy_primitives::keccak256;
use alloy_rlp::Decodable as _;
use halfkey_core::Signature;

use crate::{Error, signature};

/// A decoded signing payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsignedTransaction {
    /// An RLP list of six fields, or of nine with a chain id (EIP-155).
    Legacy(TxLegacy),
    /// Type 1: access list.
    Eip2930(TxEip2930),
    /// Type 2: fee market.
    Eip1559(TxEip1559),
    /// Type 3: blobs, by their hashes; the sidecar is not signed.
    Eip4844(TxEip4844),
    /// Type 4: sets the code of other accounts by their authorizations.
    Eip7702(TxEip7702),
}

macro_rules! each {
    ($self:expr, $tx:ident => $body:expr) => {
        match $self {
            Self::Legacy($tx) => $body,
            Self::Eip2930($tx) => $body,
            Self::Eip1559($tx) => $body,
            Self::Eip4844($tx) => $body,
            Self::Eip7702($tx) => $body,
        }
    };
}

impl UnsignedTransaction {
    /// Reads a payload that is exactly one unsigned transaction: it decodes fully and encodes to
    /// the same bytes (custody rule 19). A signed transaction is none.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (first, mut rest) = payload.split_first()?;
        let decoded = match first {
            0x01 => Self::Eip2930(TxEip2930::rlp_decode(&mut rest).ok()?),
            0x02 => Self::Eip1559(TxEip1559::rlp_decode(&mut rest).ok()?),
            0x03 => Self::Eip4844(TxEip4844::rlp_decode(&mut rest).ok()?),
            0x04 => Self::Eip7702(TxEip7702::rlp_decode(&mut rest).ok()?),
            0xc0.. => {
                let mut list = payload;
                Self::Legacy(TxLegacy::decode(&mut list).ok()?)
            }
            _ => return None,
        };
        // The comparison also refuses trailing bytes and every other form the decoders forgive.
        (decoded.payload() == payload).then_some(decoded)
    }

    /// What is hashed and signed.
    pub fn payload(&self) -> Vec<u8> {
        each!(self, tx => tx.encoded_for_signing())
    }

    /// What the engine signs.
    pub fn digest(&self) -> [u8; 32] {
        keccak256(self.payload()).0
    }

    /// The EIP-2718 type; 0 for legacy.
    pub fn type_byte(&self) -> u8 {
        match self {
            Self::Legacy(_) => 0,
            Self::Eip2930(_) => 1,
            Self::Eip1559(_) => 2,
            Self::Eip4844(_) => 3,
            Self::Eip7702(_) => 4,
        }
    }

    /// The fields that all types share.
    pub fn fields(&self) -> &dyn Transaction {
        each!(self, tx => tx)
    }

    /// The signed transaction as nodes take it (EIP-2718), without a blob sidecar.
    ///
    /// # Errors
    /// When the signature is no low-s ECDSA signature.
    pub fn attach(&self, signature: &Signature) -> Result<Vec<u8>, Error> {
        let signature = signature::to_alloy(signature)?;
        let mut signed = Vec::new();
        each!(self, tx => tx.eip2718_encode(&signature, &mut signed));
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    /// The example of EIP-155: nonce 9, 20 gwei, 21000 gas, 1 ether, chain 1.
    #[test]
    fn decodes_the_example_of_eip_155() {
        let payload = hex::decode(
            "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400\
             0080018080",
        )
        .unwrap();
        let decoded = UnsignedTransaction::decode(&payload).unwrap();
        assert_eq!(
            hex::encode(decoded.digest()),
            "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
        );
        let fields = decoded.fields();
        assert_eq!((fields.chain_id(), fields.nonce()), (Some(1), 9));
        assert_eq!(fields.value(), U256::from(10).pow(U256::from(18)));
    }

    #[test]
    fn decode_rejects_a_signed_transaction() {
        // The same transaction with the signature of the example.
        let signed = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6\
                      b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa\
                      636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
        assert_eq!(
            UnsignedTransaction::decode(&hex::decode(signed).unwrap()),
            None
        );
    }

    #[test]
    fn decode_rejects_sentinels_that_are_not_zero() {
        let payload = hex::decode(
            "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400\
             0080010180",
        )
        .unwrap();
        assert_eq!(UnsignedTransaction::decode(&payload), None);
    }
}
