//! libFuzzer's door to the target `debian_index`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::debian_index(data));
