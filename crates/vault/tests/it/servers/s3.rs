//! S3-compatible buckets against moto.
