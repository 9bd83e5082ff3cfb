//! Secrets in Google Secret Manager.
