//! libFuzzer's door to the target `pipeline`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::pipeline(data));
