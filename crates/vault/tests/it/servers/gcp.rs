//! Google KMS and Secret Manager against a fake with real cryptography and against drongo.
