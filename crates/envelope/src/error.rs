use halfkey_core::Fault;

/// Why an envelope or a key was refused. No text quotes what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not one PEM block (RFC 7468) of the kind wanted.
    #[error("{what}: expected one PEM block labelled {expected}")]
    NotPem {
        /// Which key.
        what: &'static str,
        /// The label that would have been accepted.
        expected: &'static str,
    },
    /// A PKCS#1 block (`RSA PUBLIC KEY`, `RSA PRIVATE KEY`).
    #[error("{what} is PKCS#1; convert it to {expected}")]
    Pkcs1 {
        /// Which key.
        what: &'static str,
        /// The form that would have been accepted.
        expected: &'static str,
    },
    /// The private key is protected by a passphrase.
    #[error("the private key is encrypted; decrypt it to PKCS#8 first")]
    EncryptedPrivateKey,
    /// A private key where a public one was asked for.
    #[error("this is a private key; register the public key only")]
    PrivateKeyGiven,
    /// The bytes inside are no RSA key.
    #[error("{0} is not an RSA key")]
    NotRsa(&'static str),
    /// Fewer than 2048 bits.
    #[error("the RSA key is shorter than 2048 bits")]
    KeyTooShort,
    /// More than 8192 bits.
    #[error("the RSA key is longer than 8192 bits")]
    KeyTooLong,
    /// Not `sha256:` and 64 hexadecimal digits.
    #[error("a key's fingerprint is sha256: and 64 hexadecimal digits")]
    Fingerprint,
    /// Not the envelope's JSON: a field is missing, unknown or of another type.
    #[error("not a delegation envelope: expected alg, iv, ct, tag, ek and perhaps kid")]
    NotAnEnvelope,
    /// Not the data of a delegation.
    #[error("not the data of a delegation: {0}")]
    NotADelegation(&'static str),
    /// An algorithm other than the published ones.
    #[error("unknown algorithm; expected HYBRID-RSA-AES-256 or RSA-OAEP")]
    UnknownAlgorithm,
    /// Not base64url.
    #[error("field {0} is not base64url")]
    NotBase64Url(&'static str),
    /// Cut short, or longer than it can be.
    #[error("field {0} has another length than it must have")]
    Length(&'static str),
    /// The envelope names another key than the one given.
    #[error("the envelope is for another key (kid)")]
    AnotherKid,
    /// The content key was not wrapped for this private key, or was changed on the way.
    #[error("the envelope does not open with this private key")]
    WrongKey,
    /// The content was changed on the way.
    #[error("the envelope was changed or cut on the way")]
    Changed,
    /// What was inside is not what it should be.
    #[error("the envelope does not hold {0}")]
    Content(&'static str),
    /// The cryptographic library failed on good input.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl Error {
    /// Who has to act.
    pub const fn fault(self) -> Fault {
        match self {
            Self::Bug(_) => Fault::Bug,
            _ => Fault::Caller,
        }
    }
}
