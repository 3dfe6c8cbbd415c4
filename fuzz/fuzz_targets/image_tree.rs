//! libFuzzer's door to the target `image_tree`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::image_tree(data));
