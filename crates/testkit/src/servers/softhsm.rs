//! SoftHSM, a PKCS#11 module in software.
