//! libFuzzer's door to the target `licence`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::licence(data));
