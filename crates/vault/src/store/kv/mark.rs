//! The environment mark of the folder.

use halfkey_core::EnvironmentId;
use serde::{Deserialize, Serialize};

use super::KvRecords;
use super::secret::Write;
use crate::Error;
use crate::net::openbao::{Request, json_body};

const FORMAT: &str = "halfkey-kv-v1";
const WHAT: &str = "the environment mark";

/// The mark's content.
#[derive(Serialize, Deserialize)]
struct Mark {
    format: String,
    environment: String,
}

impl KvRecords {
    fn mark_path(&self) -> String {
        format!("{}/data/{}/environment", self.mount, self.prefix)
    }

    /// Refuses the folder of another environment; marks an empty one.
    pub(super) async fn check_mark(&self, environment: &EnvironmentId) -> Result<(), Error> {
        let mark = match self.read_mark().await? {
            Some(mark) => mark,
            None => self.make_mark(environment).await?,
        };
        if mark.format != FORMAT {
            return Err(Error::Config(
                "the record store has an unknown format".to_owned(),
            ));
        }
        if mark.environment != environment.as_str() {
            return Err(Error::Environment {
                what: "the record store".to_owned(),
                found: mark.environment,
                expected: environment.to_string(),
            });
        }
        Ok(())
    }

    async fn read_mark(&self) -> Result<Option<Mark>, Error> {
        #[derive(Deserialize)]
        struct Data {
            data: Mark,
        }
        let reply = self.client.call(&Request::get(self.mark_path())).await?;
        if reply.is_absent() {
            return Ok(None);
        }
        if !reply.is_success() {
            return Err(reply.refused(WHAT));
        }
        let Data { data } = reply.data(WHAT)?;
        Ok(Some(data))
    }

    /// Marks a folder that was never used; of two who do so at once, the first one's mark stands.
    async fn make_mark(&self, environment: &EnvironmentId) -> Result<Mark, Error> {
        if !self.segments("", 1).await?.is_empty() {
            return Err(Error::Config(
                "the record store has records but lost its environment mark".to_owned(),
            ));
        }
        let mark = Mark {
            format: FORMAT.to_owned(),
            environment: environment.to_string(),
        };
        let body = json_body(&Write::new(&mark, 0), 256)?;
        let request = Request::post(self.mark_path(), body);
        let reply = self.client.call(&request).await?;
        let is_second =
            reply.status() == 400 && reply.says("check-and-set parameter did not match");
        if !reply.is_success() && !is_second {
            return Err(reply.refused(WHAT));
        }
        let made = self.read_mark().await?;
        made.ok_or_else(|| Error::Config("the environment mark is gone again".to_owned()))
    }
}
