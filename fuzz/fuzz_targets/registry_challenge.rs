//! libFuzzer's door to the target `registry_challenge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::registry_challenge(data));
