//! libFuzzer's door to the target `installed_side`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::installed_side(data));
