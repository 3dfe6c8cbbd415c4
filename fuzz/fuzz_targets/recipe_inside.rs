//! libFuzzer's door to the target `recipe_inside`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::recipe_inside(data));
