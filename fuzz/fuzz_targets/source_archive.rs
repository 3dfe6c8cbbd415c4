//! libFuzzer's door to the target `source_archive`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::source_archive(data));
