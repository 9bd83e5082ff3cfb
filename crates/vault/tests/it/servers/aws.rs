//! AWS KMS and Secrets Manager against moto and ministack.
//!
//! Neither emulator is AWS. What each is known to do otherwise stands in [`KNOWN_WRONG`], row by
//! row; a test that leaves something out because of a row names it, and where the wrong answer can
//! be told from the right one, asserts it, so that the row goes when the emulator is mended. IAM,
//! real throttling and `CloudTrail` cannot be had here at all.

mod access;
mod credentials;
mod emulators;
#[cfg(feature = "postgres")]
mod example;
mod faults;
mod key_state;
mod kms;
mod manage;
mod open;
mod plaintext;
mod proxy;
mod secrets;

/// A row: the emulator, what it does, and which test does without.
pub(super) struct KnownWrong {
    pub(super) emulator: &'static str,
    pub(super) row: &'static str,
    pub(super) left_out: &'static str,
}

/// What the emulators do otherwise than AWS.
pub(super) const KNOWN_WRONG: &[KnownWrong] = &[
    KnownWrong {
        emulator: "moto",
        row: "a ciphertext with another key's id in it: AccessDenied, not InvalidCiphertext",
        left_out: "a_damaged_wrap_is_refused",
    },
    KnownWrong {
        emulator: "moto",
        row: "disabled keys and keys that wait for deletion still decrypt",
        left_out: "key states on moto",
    },
    KnownWrong {
        emulator: "moto",
        row: "a key made without KeyUsage has none",
        left_out: "nothing: the tests ask for ENCRYPT_DECRYPT, the default of AWS",
    },
    KnownWrong {
        emulator: "ministack",
        row: "a changed or longer ciphertext decrypts to other bytes",
        left_out: "a_damaged_wrap_is_refused",
    },
    KnownWrong {
        emulator: "ministack",
        row: "no ReEncrypt",
        left_out: "a_rewrapped_key_is_the_same_key, a_rewrap_does_not_change_the_context, \
                   the rewrap half of a_wrap_belongs_to_one_context",
    },
    KnownWrong {
        emulator: "ministack",
        row: "no RotateKeyOnDemand",
        left_out: "rotation on ministack",
    },
    KnownWrong {
        emulator: "both",
        row: "a secret over 65,536 bytes is taken",
        left_out: "nothing: our own check comes first",
    },
];

/// A test does without something: the row must be there.
pub(super) fn known_wrong(emulator: &str, row: &str) {
    assert!(
        KNOWN_WRONG.iter().any(|known| known.emulator == emulator
            && known.row.contains(row)
            && !known.left_out.is_empty()),
        "{emulator}: {row} is not in the list"
    );
}
