//! HSMs through PKCS#11.
