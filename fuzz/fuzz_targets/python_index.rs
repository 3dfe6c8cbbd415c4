//! libFuzzer's door to the target `python_index`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::python_index(data));
