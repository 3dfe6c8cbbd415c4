//! libFuzzer's door to the target `apt_sources`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::apt_sources(data));
