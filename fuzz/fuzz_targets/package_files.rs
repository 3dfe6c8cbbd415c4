//! libFuzzer's door to the target `package_files`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::package_files(data));
