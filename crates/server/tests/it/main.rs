//! A real provider on loopback, driven over its HTTP API by a customer's half.

mod activity;
mod attempts;
mod auth;
mod create_bad;
mod customer;
mod happy;
mod idempotency;
mod limits;
mod restore;
mod rounds;
mod sign_bad;
mod slots;
mod startup;
mod tenancy;
mod tls;
mod world;
