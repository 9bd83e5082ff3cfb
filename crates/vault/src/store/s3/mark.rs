//! The object that says whose records these are, and what the server is checked with.

use halfkey_core::EnvironmentId;
use object_store::{PutMode, UpdateVersion};

use super::S3Records;
use crate::{Error, ListRecords as _};

const FIRST_LINE: &str = "halfkey-records-v1";
/// An `ETag` that no object of ours has.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

impl S3Records {
    /// Checks the mark; makes it where there are no records.
    pub(super) async fn check_mark(&self, environment: &EnvironmentId) -> Result<(), Error> {
        let key = self.keys.mark();
        let mut raw = self.timed(self.read_raw(&key)).await?;
        if raw.is_none() {
            let records = self.list("", None, 1).await?;
            if !records.names.is_empty() {
                return Err(self.foreign("none", environment));
            }
            let made = self.put_if(&key, text(environment), PutMode::Create);
            if self.timed(made).await? {
                return Ok(());
            }
            raw = self.timed(self.read_raw(&key)).await?;
        }
        let Some(raw) = raw else {
            return Err(Error::corrupt(key, "it comes and goes"));
        };
        if raw.is_version {
            tracing::warn!(
                store = %self.uri,
                "the bucket keeps old versions, sealed: what is overwritten or destroyed stays"
            );
        }
        if raw.bytes == text(environment) {
            return Ok(());
        }
        let found = core::str::from_utf8(&raw.bytes).ok();
        match found.and_then(|found| found.strip_prefix(FIRST_LINE)) {
            Some(found) => Err(self.foreign(found.trim(), environment)),
            None => Err(Error::corrupt(key, "it is no mark of an environment")),
        }
    }

    /// Tries, with the mark's own bytes, whether writes are refused whose condition does not hold:
    /// there are servers that ignore it, and there two writers would overwrite each other.
    pub(super) async fn check_conditions(&self, environment: &EnvironmentId) -> Result<(), Error> {
        let no_such = PutMode::Update(UpdateVersion {
            e_tag: Some(NO_ETAG.to_owned()),
            version: None,
        });
        let key = self.keys.mark();
        for (header, mode) in [("If-None-Match", PutMode::Create), ("If-Match", no_such)] {
            let written = self.put_if(&key, text(environment), mode);
            match self.timed(written).await {
                Ok(false) => {}
                Ok(true) => {
                    return Err(Error::Config(format!(
                        "{}: the server ignores {header}: writers would overwrite each other",
                        self.uri
                    )));
                }
                // It may only read here.
                Err(Error::Denied(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn foreign(&self, found: &str, expected: &EnvironmentId) -> Error {
        Error::Environment {
            what: self.uri.clone(),
            found: found.escape_default().to_string(),
            expected: expected.to_string(),
        }
    }
}

fn text(environment: &EnvironmentId) -> Vec<u8> {
    format!("{FIRST_LINE}\n{environment}\n").into_bytes()
}
