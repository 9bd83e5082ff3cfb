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

/// Whether `text` can be one part of a resource name as it stands in a URL: 1 to 63 of `a-z`,
/// `A-Z`, `0-9`, `-`, `_`, `.` and `:`, and not a step up.
pub(crate) fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('.')
}
