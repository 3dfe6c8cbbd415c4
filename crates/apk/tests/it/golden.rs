//! The bytes that [`WRITER_VERSION`] names. Whoever changes one of these digests raises it.

use boltworks_apk::installed::{Database, InstalledPackage, side};
use boltworks_apk::{Index, IndexEntry, ScriptKind, Scripts, WRITER_VERSION};
use boltworks_crypto::sha256;

use crate::kit::*;

#[test]
fn the_bytes_are_those_of_the_writers_version() {
    assert_eq!(WRITER_VERSION, "apk-2");
    let scripts: Scripts = [(ScriptKind::PostInstall, b"#!/bin/sh\n".to_vec())]
        .into_iter()
        .collect();
    let (_, written) = write(&control(), &scripts, &tree());
    insta::assert_snapshot!(written.data_hash, @"b86f3bb5112b8f33070f89f6ac605c34d63b7753f4844bdc697c8d2f19241e66");
    insta::assert_snapshot!(written.identity, @"2899adf3a45d95827e74ad31dc0d8123e1792a58");
    let mut entry = IndexEntry::new(&control(), &written);
    // The signature's key is another in every run, and with it the size.
    entry.size = 1;
    let index = Index::new("os", vec![entry.clone()])
        .write_unsigned(EPOCH)
        .unwrap();
    insta::assert_snapshot!(sha256(&index), @"164be0e0189449ca047a11dfd75c01440b133d9e82996707c9b9f807efd57158");
    let package =
        InstalledPackage::new(&control(), written.identity, 1).with_paths(tree().iter(), |_| None);
    let database = Database {
        packages: vec![package],
    }
    .write()
    .unwrap();
    insta::assert_snapshot!(sha256(&database), @"f15b53c4353aa28be37ae52b5857b657cef1b0436ed4f7f98e3da982d29be098");
    let tar = side::write_scripts([(&entry, &scripts)], EPOCH).unwrap();
    insta::assert_snapshot!(sha256(&tar), @"6e02cbf387882c4198f0c006e722a471c86505c46013211bf388e62aa0c8882e");
}
