//! libFuzzer's door to the target `apk_sections`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::apk_sections(data));
