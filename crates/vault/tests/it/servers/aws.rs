//! AWS KMS and Secrets Manager against moto and ministack.
