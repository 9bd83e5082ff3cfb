//! Google Cloud KMS.
