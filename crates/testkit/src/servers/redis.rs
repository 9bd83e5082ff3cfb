//! Redis, the real server: single, TLS, Cluster, Sentinel.
