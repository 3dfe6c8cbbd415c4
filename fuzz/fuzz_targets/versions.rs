//! libFuzzer's door to the target `versions`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::versions(data));
