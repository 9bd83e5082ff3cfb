//! OpenBao: transit and KV v2.
