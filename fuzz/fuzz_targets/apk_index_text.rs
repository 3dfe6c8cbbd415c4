//! libFuzzer's door to the target `apk_index_text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::apk_index_text(data));
