//! Properties in memory.

use async_trait::async_trait;
use halfkey_core::WalletProperties;

use super::Table;
use crate::store::page_limit;
use crate::{Error, Expect, PropertiesStore, Rev, Versioned};

/// A properties store in memory.
#[derive(Debug, Default)]
pub struct MemoryProperties(Table<String, WalletProperties>);

#[async_trait]
impl PropertiesStore for MemoryProperties {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        Ok(self.0.get(address))
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        self.0
            .set(address.to_owned(), Some(properties.clone()), expect)
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        if self.0.get(address).is_some() {
            self.0.set(address.to_owned(), None, Expect::Any)?;
        }
        Ok(())
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let after = after.map(str::to_owned);
        Ok(self
            .0
            .keys_after(after.as_ref(), |_| true, page_limit(limit)?))
    }
}
