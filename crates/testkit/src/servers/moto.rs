//! moto, an emulator of AWS: faithful in KMS contexts and conditional puts.
