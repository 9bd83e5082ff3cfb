//! The published form of an encrypted share: base64 of JSON `{salt, iv, cipher, version}`, each
//! base64 itself. Version `v3` of Halfkey says besides what it is bound to and what its key costs.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::bound::Bound;
use super::kdf::{Costs, KdfJson, SALT_LEN};
use crate::{Error, Result};

pub(super) const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Characters of one blob: several times an ECDSA share of three parties.
const LONGEST: usize = 400_000;

/// Written with padding, read with and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An encrypted share, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(super) salt: [u8; SALT_LEN],
    pub(super) iv: [u8; IV_LEN],
    /// The tag at its end.
    pub(super) cipher: Vec<u8>,
    pub(super) kind: Kind,
}

/// Which version, with what only that one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    V1,
    V2,
    /// `v3` of the published SDKs: Argon2id, bound to nothing.
    PublishedV3,
    V3(Box<Sealing>),
}

/// What a `v3` blob of Halfkey says in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealing {
    pub(crate) bound: Bound,
    pub(super) costs: Costs,
    /// Fixes the one key, and so the one password, that opens it.
    pub(super) commitment: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct BlobJson {
    salt: String,
    iv: String,
    cipher: String,
    /// Absent in the oldest, which are `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kdf: Option<KdfJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitment: Option<String>,
}

impl Blob {
    /// # Errors
    /// [`Error::BackupDamaged`] for half a blob or none, [`Error::Unsupported`] for a newer
    /// version, [`Error::BackupParameters`] for a key that would cost too little or too much.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(Error::BackupDamaged("too long"));
        }
        let json = BASE64
            .decode(text.trim())
            .map_err(|_| Error::BackupDamaged("not base64, or cut off"))?;
        let json: BlobJson = serde_json::from_slice(&json)
            .map_err(|_| Error::BackupDamaged("not the JSON of a backup, or cut off"))?;
        let kind = kind(&json)?;
        let cipher = BASE64
            .decode(&json.cipher)
            .map_err(|_| Error::BackupDamaged("its cipher is not base64"))?;
        if cipher.len() <= TAG_LEN {
            return Err(Error::BackupDamaged("its cipher is cut off"));
        }
        Ok(Self {
            salt: array(&json.salt, "its salt is not 16 bytes")?,
            iv: array(&json.iv, "its iv is not 12 bytes")?,
            cipher,
            kind,
        })
    }

    pub(crate) fn to_text(&self) -> Result<String> {
        let sealing = match &self.kind {
            Kind::V3(sealing) => Some(sealing),
            Kind::V1 | Kind::V2 | Kind::PublishedV3 => None,
        };
        let json = BlobJson {
            salt: BASE64.encode(self.salt),
            iv: BASE64.encode(self.iv),
            cipher: BASE64.encode(&self.cipher),
            version: Some(self.version().to_owned()),
            kdf: sealing.map(|sealing| sealing.costs.into()),
            bound: sealing.map(|sealing| sealing.bound.clone()),
            commitment: sealing.map(|sealing| BASE64.encode(sealing.commitment)),
        };
        let json = serde_json::to_vec(&json).map_err(|_| Error::Bug("a blob does not encode"))?;
        Ok(BASE64.encode(json))
    }

    pub(crate) const fn version(&self) -> &'static str {
        match self.kind {
            Kind::V1 => "v1",
            Kind::V2 => "v2",
            Kind::PublishedV3 | Kind::V3(_) => "v3",
        }
    }

    /// Whose share it says it holds; only Halfkey's own version says so.
    pub(crate) const fn bound(&self) -> Option<&Bound> {
        match &self.kind {
            Kind::V3(sealing) => Some(&sealing.bound),
            Kind::V1 | Kind::V2 | Kind::PublishedV3 => None,
        }
    }
}

fn kind(json: &BlobJson) -> Result<Kind> {
    match (json.version.as_deref(), &json.kdf, &json.bound) {
        (None | Some("v1"), None, None) => Ok(Kind::V1),
        (Some("v2"), None, None) => Ok(Kind::V2),
        (Some("v3"), None, None) if json.commitment.is_none() => Ok(Kind::PublishedV3),
        (Some("v3"), Some(kdf), Some(bound)) => {
            let commitment = json.commitment.as_deref().unwrap_or_default();
            Ok(Kind::V3(Box::new(Sealing {
                bound: bound.clone(),
                costs: Costs::read(kdf)?,
                commitment: array(commitment, "its commitment is not 32 bytes")?,
            })))
        }
        (None | Some("v1" | "v2" | "v3"), _, _) => Err(Error::BackupDamaged(
            "it is of one version and has fields of another",
        )),
        (Some(_), _, _) => Err(Error::Unsupported("a backup of this version")),
    }
}

fn array<const N: usize>(text: &str, otherwise: &'static str) -> Result<[u8; N]> {
    let bytes = BASE64.decode(text).unwrap_or_default();
    bytes
        .try_into()
        .map_err(|_| Error::BackupDamaged(otherwise))
}
