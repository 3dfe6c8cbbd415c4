//! libFuzzer's door to the target `http_date`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::http_date(data));
