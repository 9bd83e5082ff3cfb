//! The names of a store's keys.

/// The keys of one store. The part in braces is Cluster's hash tag: one store, one slot.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    tag: String,
}

impl Keys {
    /// `prefix` holds no braces (the configuration is checked).
    pub(super) fn new(prefix: &str, tier: &str) -> Self {
        Self {
            tag: format!("{{{prefix}:{tier}}}"),
        }
    }

    pub(super) fn environment(&self) -> String {
        format!("{}:environment", self.tag)
    }

    pub(super) fn counter(&self) -> String {
        format!("{}:counter", self.tag)
    }

    pub(super) fn names(&self) -> String {
        format!("{}:names", self.tag)
    }

    pub(super) fn rev(&self, name: &str) -> String {
        format!("{}:rev:{name}", self.tag)
    }

    pub(super) fn value(&self, name: &str) -> String {
        format!("{}:value:{name}", self.tag)
    }
}
