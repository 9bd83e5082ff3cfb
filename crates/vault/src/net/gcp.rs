//! Google's REST APIs as the two back-ends speak them: credentials, one bounded exchange, checksums
//! and the names of environments. `docs/adr/0010-google-rest.md` says why no service crate does it.

mod blob;
mod client;
mod credentials;
mod label;
mod refusal;

pub use self::credentials::GcpCredentials;
pub use self::label::{ENVIRONMENT_LABEL, environment_label};

pub(crate) use self::blob::{Blob, Crc32c, encode};
pub(crate) use self::client::{Place, RestClient};
pub(crate) use self::refusal::Refusal;

/// How long a call may take unless the configuration says otherwise.
pub(crate) const DEFAULT_DEADLINE_MS: u64 = 10_000;
