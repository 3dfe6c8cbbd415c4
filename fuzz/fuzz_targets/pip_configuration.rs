//! libFuzzer's door to the target `pip_configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::pip_configuration(data));
