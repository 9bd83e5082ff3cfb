//! A server that forgets everything when it ends is refused.

use serde::Deserialize;

use super::transport::{Request, Transport};
use super::{OpenBaoConfig, PEER};
use crate::Error;

#[derive(Deserialize)]
struct SealStatus {
    initialized: bool,
    sealed: bool,
    storage_type: Option<String>,
}

/// Asks, without a token, whether the server is in use and where it keeps its data.
pub(super) async fn check(transport: &Transport, config: &OpenBaoConfig) -> Result<(), Error> {
    let request = Request::get("sys/seal-status").outside_namespaces();
    let reply = transport.send(&request, None).await?;
    if !reply.is_success() {
        return Err(reply.refused("its state"));
    }
    let status: SealStatus = reply.json("its state")?;
    if !status.initialized {
        return Err(Error::permanent(format!(
            "{PEER}: the server is not initialised"
        )));
    }
    if status.sealed {
        return Err(Error::temporary(format!("{PEER}: the server is sealed")));
    }
    if config.allow_in_memory_server {
        return Ok(());
    }
    match status.storage_type.as_deref() {
        Some(kind) if !kind.starts_with("inmem") => Ok(()),
        Some(_) => Err(Error::NotDurable(format!(
            "{PEER}: the server keeps its data in memory"
        ))),
        None => Err(Error::NotDurable(format!(
            "{PEER}: the server does not tell where it keeps its data"
        ))),
    }
}
