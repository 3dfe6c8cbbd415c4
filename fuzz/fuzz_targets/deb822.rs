//! libFuzzer's door to the target `deb822`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::deb822(data));
