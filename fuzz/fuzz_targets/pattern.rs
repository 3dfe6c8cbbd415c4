//! libFuzzer's door to the target `pattern`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::pattern(data));
