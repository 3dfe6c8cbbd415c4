//! libFuzzer's door to the target `model_names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::model_names(data));
