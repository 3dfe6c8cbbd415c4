//! libFuzzer's door to the target `spdx`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::spdx(data));
