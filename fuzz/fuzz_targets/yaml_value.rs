//! libFuzzer's door to the target `yaml_value`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::yaml_value(data));
