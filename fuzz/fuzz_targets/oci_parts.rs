//! libFuzzer's door to the target `oci_parts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::oci_parts(data));
