//! A fake of Azure Key Vault over TLS, with real RSA-OAEP.
