//! libFuzzer's door to the target `stage0_plan`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::stage0_plan(data));
