//! PKCS#11 against SoftHSM.
