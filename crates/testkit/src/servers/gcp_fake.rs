//! A fake of Google KMS and Secret Manager with real cryptography.
