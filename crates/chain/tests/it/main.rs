//! What the bytes are, held against other implementations and against random input.

#[cfg(test)]
mod evm_authorization;
#[cfg(test)]
mod evm_message;
#[cfg(test)]
mod evm_transaction;
#[cfg(test)]
mod evm_typed_data;
#[cfg(test)]
mod random_bytes;
#[cfg(test)]
mod signature;
#[cfg(test)]
mod support;
#[cfg(test)]
mod svm_message;
#[cfg(test)]
mod svm_transaction;
