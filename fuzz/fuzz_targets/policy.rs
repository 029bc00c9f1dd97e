//! Arbitrary bytes as the text of a policy.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clawguard_fuzz::policy::check(data));
