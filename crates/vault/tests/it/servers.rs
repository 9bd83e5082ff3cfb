//! Back-ends against their servers, one module each.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod cut;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg(all(
    feature = "aws",
    feature = "azure",
    feature = "gcp",
    feature = "openbao",
    feature = "redis",
    feature = "s3"
))]
mod old_tls;
#[cfg(feature = "openbao")]
mod openbao;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "pkcs11")]
mod softhsm;
