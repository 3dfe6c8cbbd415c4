//! libFuzzer's door to the target `dependencies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::dependencies(data));
