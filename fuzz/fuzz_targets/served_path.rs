//! libFuzzer's door to the target `served_path`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::served_path(data));
