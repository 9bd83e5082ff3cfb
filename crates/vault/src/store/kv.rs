//! Records in the KV v2 engine of HashiCorp Vault or OpenBao.
