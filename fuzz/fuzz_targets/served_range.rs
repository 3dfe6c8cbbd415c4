//! libFuzzer's door to the target `served_range`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::served_range(data));
