//! libFuzzer's door to the target `erofs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::erofs(data));
