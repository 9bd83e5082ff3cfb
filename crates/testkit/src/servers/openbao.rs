//! OpenBao, the real server.
