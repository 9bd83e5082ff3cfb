//! Azure Key Vault against a TLS fake.
