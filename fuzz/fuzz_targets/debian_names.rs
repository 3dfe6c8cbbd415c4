//! libFuzzer's door to the target `debian_names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::debian_names(data));
