//! Hostile system calls: see `src/requests/mod.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clawguard_fuzz::requests::check(data));
