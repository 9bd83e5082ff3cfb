//! Requests and replies as bytes: encodings, limits, the error body, request ids.

pub(crate) mod call;
mod decode;
pub(crate) mod encoding;
pub(crate) mod finish;

pub(crate) use call::Call;
