//! libFuzzer's door to the target `registry_logins`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::registry_logins(data));
