//! Redis: single, TLS, Cluster, Sentinel.
