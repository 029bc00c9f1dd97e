//! What the fuzz targets check, one file each: bytes in, a panic if a promise is broken. Knows no fuzzer, so that
//! `cargo test` can replay what one has found.

pub mod law;
pub mod policy;
pub mod requests;
