//! Transaction messages: what a Solana transaction's signers sign.
//!
//! Written here rather than taken from Solana's crates because the question is wider than theirs:
//! not only "is this exactly a message" but also "could any version of the runtime read one from
//! the front of this". Tests hold it against Solana's own decoder.

use super::reader::Reader;

/// The longest transaction of these versions, with its signatures (Solana's packet size).
const MAX_TRANSACTION_BYTES: usize = 1232;

/// Set in the first byte of every message that is not legacy.
const VERSION_BIT: u8 = 0x80;

/// The versions that are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Without a version byte.
    Legacy,
    /// With address lookup tables.
    V0,
}

/// How many of the account keys sign and which are read-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The first so many keys sign; the very first pays the fee.
    pub required_signatures: u8,
    /// The last so many of the signing keys are read-only.
    pub readonly_signed: u8,
    /// The last so many of the other keys are read-only.
    pub readonly_unsigned: u8,
}

/// One instruction, by indices into the account keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction<'a> {
    /// The program's key.
    pub program: u8,
    /// The accounts' keys.
    pub accounts: &'a [u8],
    /// What the program is told.
    pub data: &'a [u8],
}

/// Accounts taken from an address lookup table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// The table's address.
    pub table: &'a [u8; 32],
    /// Entries that become writable accounts.
    pub writable: &'a [u8],
    /// Entries that become read-only accounts.
    pub readonly: &'a [u8],
}

/// A decoded message, valid by the runtime's own structural rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionMessage<'a> {
    /// The encoding.
    pub version: Version,
    /// Signers and read-only keys.
    pub header: Header,
    /// The keys named in the message.
    pub account_keys: Vec<&'a [u8; 32]>,
    /// A recent block hash, or a durable nonce.
    pub recent_blockhash: &'a [u8; 32],
    /// In order of execution.
    pub instructions: Vec<Instruction<'a>>,
    /// Empty in a legacy message.
    pub lookups: Vec<Lookup<'a>>,
}

impl<'a> TransactionMessage<'a> {
    /// Reads bytes that are exactly one message.
    ///
    /// # Errors
    /// With the reason, when they are not: another version, truncated, bytes left over, longer than
    /// a transaction, or against the runtime's rules about indices and signers.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes);
        let version = match bytes.first() {
            Some(&first) if first & VERSION_BIT == 0 => Version::Legacy,
            Some(&VERSION_BIT) => {
                reader.byte();
                Version::V0
            }
            Some(_) => return Err("another version"),
            None => return Err("empty"),
        };
        let message = Self::read(&mut reader, version).ok_or("it does not parse")?;
        if !reader.is_empty() {
            return Err("bytes are left over");
        }
        message.check(bytes.len())?;
        Ok(message)
    }

    /// Reads a message from the front.
    fn read(reader: &mut Reader<'a>, version: Version) -> Option<Self> {
        let [required_signatures, readonly_signed, readonly_unsigned] = *reader.array()?;
        let header = Header {
            required_signatures,
            readonly_signed,
            readonly_unsigned,
        };
        let mut account_keys = Vec::new();
        for _ in 0..reader.compact_u16()? {
            account_keys.push(reader.array()?);
        }
        let recent_blockhash = reader.array()?;
        let mut instructions = Vec::new();
        for _ in 0..reader.compact_u16()? {
            instructions.push(Instruction {
                program: reader.byte()?,
                accounts: reader.short_bytes()?,
                data: reader.short_bytes()?,
            });
        }
        let mut lookups = Vec::new();
        if version == Version::V0 {
            for _ in 0..reader.compact_u16()? {
                lookups.push(Lookup {
                    table: reader.array()?,
                    writable: reader.short_bytes()?,
                    readonly: reader.short_bytes()?,
                });
            }
        }
        Some(Self {
            version,
            header,
            account_keys,
            recent_blockhash,
            instructions,
            lookups,
        })
    }

    /// The runtime's own rules (`sanitize`), without which the message could never be executed.
    fn check(&self, length: usize) -> Result<(), &'static str> {
        let header = self.header;
        let signers = usize::from(header.required_signatures);
        // One count byte and 64 bytes for each signature precede the message.
        let transaction = signers
            .saturating_mul(64)
            .saturating_add(length)
            .saturating_add(1);
        if transaction > MAX_TRANSACTION_BYTES {
            return Err("longer than a transaction can be");
        }
        let keys = self.account_keys.len();
        if signers.saturating_add(usize::from(header.readonly_unsigned)) > keys {
            return Err("fewer keys than the header says");
        }
        if header.readonly_signed >= header.required_signatures {
            return Err("no writable fee payer");
        }
        let loaded =
            |lookup: &Lookup<'_>| lookup.writable.len().saturating_add(lookup.readonly.len());
        if self.lookups.iter().any(|lookup| loaded(lookup) == 0) {
            return Err("a lookup table that loads nothing");
        }
        let accounts = keys.saturating_add(self.lookups.iter().map(loaded).sum());
        if accounts > 256 {
            return Err("more accounts than indices");
        }
        for instruction in &self.instructions {
            // The fee payer is no program, and a program is never looked up.
            let program = usize::from(instruction.program);
            if program == 0 || program >= keys {
                return Err("a program index out of range");
            }
            if instruction
                .accounts
                .iter()
                .any(|index| usize::from(*index) >= accounts)
            {
                return Err("an account index out of range");
            }
        }
        Ok(())
    }

    /// Who pays the fee and signs first.
    pub fn fee_payer(&self) -> &'a [u8; 32] {
        // `decode` requires a signer, and at least as many keys.
        self.account_keys.first().copied().unwrap_or(&[0; 32])
    }

    /// The keys that must sign, the fee payer first.
    pub fn signers(&self) -> impl Iterator<Item = &'a [u8; 32]> {
        self.account_keys
            .iter()
            .copied()
            .take(usize::from(self.header.required_signatures))
    }
}

/// Whether any known or future version of a transaction message parses from the front of `bytes`,
/// even with bytes left over (custody rule 19).
///
/// A version to come is unknown, so behind any version byte both known layouts are tried. The
/// runtime's rules about indices and signers are not: they may change, and refusing too much costs
/// little.
pub fn is_any_transaction_message(bytes: &[u8]) -> bool {
    let Some((first, rest)) = bytes.split_first() else {
        return false;
    };
    if first & VERSION_BIT == 0 {
        return parses_as_legacy(bytes);
    }
    parses_as_legacy(rest) || parses_as_v1(rest)
}

/// What v0 begins with too.
fn parses_as_legacy(bytes: &[u8]) -> bool {
    TransactionMessage::read(&mut Reader::new(bytes), Version::Legacy).is_some()
}

/// Version 1 (SIMD-0385) behind its version byte.
fn parses_as_v1(bytes: &[u8]) -> bool {
    read_v1(&mut Reader::new(bytes)).is_some()
}

fn read_v1(reader: &mut Reader<'_>) -> Option<()> {
    reader.take(3)?;
    let mask = u32::from_le_bytes(*reader.array()?);
    reader.take(32)?;
    let instructions = usize::from(reader.byte()?);
    let addresses = usize::from(reader.byte()?);
    reader.take(addresses.checked_mul(32)?)?;
    // Four bytes for each bit that is set; the eight-byte priority fee has two.
    reader.take(usize::try_from(mask.count_ones()).ok()?.checked_mul(4)?)?;
    let mut headers = Reader::new(reader.take(instructions.checked_mul(4)?)?);
    while let Some([_program, accounts, low, high]) = headers.array::<4>() {
        let data = u16::from_le_bytes([*low, *high]);
        reader.take(usize::from(*accounts))?;
        reader.take(usize::from(data))?;
    }
    Some(())
}
