//! Connections to back-ends: TLS 1.3 with checked certificates, except to this machine.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "azure")]
pub mod azure;
#[cfg(any(feature = "_http", feature = "postgres", feature = "redis"))]
pub mod endpoint;
#[cfg(feature = "gcp")]
pub mod gcp;
#[cfg(feature = "_http")]
pub mod http_client;
#[cfg(feature = "openbao")]
pub mod openbao;
mod secret_source;
mod tls;

pub use self::secret_source::SecretSource;
pub use self::tls::{MinTls, TlsConfig};
