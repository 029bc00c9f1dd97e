//! A policy and paths: see `src/law/pattern.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clawguard_fuzz::law::pattern::check(data));
