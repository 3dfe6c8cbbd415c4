//! libFuzzer's door to the target `factory_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::factory_file(data));
