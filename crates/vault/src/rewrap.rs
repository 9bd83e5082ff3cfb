//! Moving a record to the newest KEK version: its body is not touched, its plaintext not seen.

use crate::{BindCtx, Error, RewrapKey, SealedRecord};

/// Rewraps every wrapped key of `record` that `rewrap` can move. The body stays as it is.
///
/// # Errors
/// The provider's; [`Error::Corrupt`] when a wrapped key does not fit `ctx`.
pub async fn rewrap_record(
    record: &SealedRecord,
    ctx: &BindCtx,
    rewrap: &dyn RewrapKey,
) -> Result<SealedRecord, Error> {
    let mut wraps = Vec::new();
    for wrapped in record.wraps() {
        wraps.push(rewrap.rewrap(ctx, &wrapped).await?);
    }
    record
        .with_wraps(&wraps)
        .map_err(|why| Error::permanent(format!("the KEK provider's answer: {why}")))
}
