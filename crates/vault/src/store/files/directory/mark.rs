//! The file that says whose records these are.

use std::io::Read as _;

use halfkey_core::EnvironmentId;

use super::Lock;
use crate::Error;
use crate::private_file::{self, Replace};
use crate::store::files::file_name::{Named, record_of};

const FILE: &str = "environment";
const FIRST_LINE: &str = "halfkey-records-v1";

impl Lock<'_> {
    /// Checks the mark; makes it, and the floor before it, in a directory without records.
    pub(super) fn check_mark(&self, environment: &EnvironmentId) -> Result<(), Error> {
        let path = self.directory.path.join(FILE);
        let Some(file) = private_file::open(&path)? else {
            return self.make_mark(environment);
        };
        let mut text = String::new();
        file.take(1024)
            .read_to_string(&mut text)
            .map_err(|error| private_file::io_error("cannot read", &path, &error))?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(Error::corrupt(FILE, "it is no mark of an environment"));
        }
        match lines.next() {
            Some(found) if found == environment.as_str() => Ok(()),
            found => Err(self.foreign(found.unwrap_or("none"), environment)),
        }
    }

    fn make_mark(&self, environment: &EnvironmentId) -> Result<(), Error> {
        if self.has_records()? {
            return Err(self.foreign("none", environment));
        }
        self.make_floor()?;
        let text = format!("{FIRST_LINE}\n{environment}\n");
        let path = self.directory.path.join(FILE);
        private_file::write_atomically(&path, text.as_bytes(), Replace::Never)
    }

    fn has_records(&self) -> Result<bool, Error> {
        for entry in self.directory.entries()? {
            if record_of(&entry?) != Named::Other {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn foreign(&self, found: &str, expected: &EnvironmentId) -> Error {
        Error::Environment {
            what: self.directory.path.display().to_string(),
            found: found.escape_default().to_string(),
            expected: expected.to_string(),
        }
    }
}
