//! libFuzzer's door to the target `oci_document`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boltworks_fuzz_targets::oci_document(data));
