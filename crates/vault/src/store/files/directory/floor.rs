//! The revision that every new name begins above: the highest one that a destroyed record had. So
//! no revision of a name is used twice, and nothing of a destroyed name stays.

use std::io::Read as _;

use super::Lock;
use crate::private_file::{self, Replace};
use crate::{Error, Rev};

const FILE: &str = "floor";
const FIRST_LINE: &str = "halfkey-revisions-v1";

impl Lock<'_> {
    /// The floor.
    pub(in crate::store::files) fn floor(&self) -> Result<Rev, Error> {
        self.read_floor()?
            .ok_or_else(|| Error::corrupt(FILE, "it is missing; restore it from its backup"))
    }

    /// Makes it, in a directory without records; one that a death on the way left is kept.
    pub(super) fn make_floor(&self) -> Result<(), Error> {
        if self.read_floor()?.is_some() {
            return Ok(());
        }
        self.write_floor(Rev(0))
    }

    /// Makes it at least `rev`, durably.
    pub(in crate::store::files) fn raise_floor(&self, rev: Rev) -> Result<(), Error> {
        if self.floor()? >= rev {
            return Ok(());
        }
        self.write_floor(rev)
    }

    fn read_floor(&self) -> Result<Option<Rev>, Error> {
        let path = self.directory.path.join(FILE);
        let Some(file) = private_file::open(&path)? else {
            return Ok(None);
        };
        let mut text = String::new();
        file.take(1024)
            .read_to_string(&mut text)
            .map_err(|error| private_file::io_error("cannot read", &path, &error))?;
        let number = text
            .strip_prefix(FIRST_LINE)
            .and_then(|rest| rest.strip_prefix('\n')?.strip_suffix('\n'))
            .and_then(|number| number.parse().ok());
        match number {
            Some(number) => Ok(Some(Rev(number))),
            None => Err(Error::corrupt(FILE, "it is no floor of revisions")),
        }
    }

    fn write_floor(&self, rev: Rev) -> Result<(), Error> {
        let path = self.directory.path.join(FILE);
        let text = format!("{FIRST_LINE}\n{}\n", rev.0);
        private_file::write_atomically(&path, text.as_bytes(), Replace::Existing)
    }
}
