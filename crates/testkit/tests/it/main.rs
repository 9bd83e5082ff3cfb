//! The payloads of `halfkey-chain`, proven with local keys before any ceremony signs them.

#[cfg(test)]
mod anvil;
#[cfg(test)]
mod litesvm;
#[cfg(test)]
mod local_key;
#[cfg(test)]
mod official_vectors;
