//! Real servers on free loopback ports, for the back-ends of the vault.
//!
//! A server is started once per test binary (keep it in a `OnceLock`) and ends with the process
//! that started it, however that ends.

pub mod azure_fake;
pub mod drongo;
pub mod gcp_fake;
pub mod ministack;
pub mod moto;
pub mod openbao;
pub mod postgres;
mod process;
pub mod redis;
pub mod softhsm;
mod tls;

pub use self::process::{ServerProcess, free_port};
pub use self::tls::TestCa;
