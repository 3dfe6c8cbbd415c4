//! libFuzzer's door to the target `condition`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::condition(data));
