//! The cache tier's two helpers: a read-through that asks the source once however many callers
//! wait, and a bounded store in this process's memory.

mod bounded;
mod read_through;

pub use self::bounded::BoundedProperties;
pub use self::read_through::ReadThrough;
#[cfg(any(test, feature = "conformance"))]
pub(crate) use self::read_through::refresh;
