//! Several KEKs side by side, while records move from one to another.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{BindCtx, Dek, Error, UnwrapKey, Wrapped};

/// Unwraps by whichever KEK wrapped.
#[derive(Clone)]
pub struct ByUri {
    keks: Vec<(String, Arc<dyn UnwrapKey>)>,
}

impl core::fmt::Debug for ByUri {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let uris = self.keks.iter().map(|(uri, _)| uri);
        f.debug_list().entries(uris).finish()
    }
}

impl ByUri {
    /// Over these KEKs, each with its URI.
    pub const fn new(keks: Vec<(String, Arc<dyn UnwrapKey>)>) -> Self {
        Self { keks }
    }

    /// The URIs it can unwrap from.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.keks.iter().map(|(uri, _)| uri.as_str())
    }
}

#[async_trait]
impl UnwrapKey for ByUri {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        let kek = self.keks.iter().find(|(uri, _)| *uri == wrapped.kek_uri);
        match kek {
            Some((_, kek)) => kek.unwrap(ctx, wrapped).await,
            None => Err(Error::Config(format!(
                "a key is wrapped by {}, which is not configured here",
                wrapped.kek_uri
            ))),
        }
    }
}
