//! The rights of this process, each with the name a refusal gives it.

use super::Vault;
use crate::{DestroyRecord, Error, GetRecord, ListRecords, PutRecord, UnwrapKey, WrapKey};

impl Vault {
    pub(super) fn wrap_right(&self) -> Result<&dyn WrapKey, Error> {
        self.parts
            .wrap
            .as_deref()
            .ok_or(Error::Forbidden("seal records"))
    }

    pub(super) fn unwrap_right(&self) -> Result<&dyn UnwrapKey, Error> {
        self.parts
            .unwrap
            .as_deref()
            .ok_or(Error::Forbidden("open records"))
    }

    pub(super) fn put_right(&self) -> Result<&dyn PutRecord, Error> {
        self.parts
            .put
            .as_deref()
            .ok_or(Error::Forbidden("write records"))
    }

    pub(super) fn get_right(&self) -> Result<&dyn GetRecord, Error> {
        self.parts
            .get
            .as_deref()
            .ok_or(Error::Forbidden("read records"))
    }

    pub(super) fn list_right(&self) -> Result<&dyn ListRecords, Error> {
        self.parts
            .list
            .as_deref()
            .ok_or(Error::Forbidden("list records"))
    }

    pub(super) fn destroy_right(&self) -> Result<&dyn DestroyRecord, Error> {
        self.parts
            .destroy
            .as_deref()
            .ok_or(Error::Forbidden("destroy records"))
    }
}
