//! The file of a repository's index.

use boltworks_apk::{
    Error, Index, IndexEntry, OpenOptions, PackageFile, Scripts, Section, Signed, sign,
};
use boltworks_fsx::Content;

use crate::kit::*;

fn entry(name: &str, version: &str) -> IndexEntry {
    let mut control = control();
    control.name = name.parse().unwrap();
    control.version = version.parse().unwrap();
    let (bytes, _) = write(&control, &Scripts::new(), &tree());
    let package = PackageFile::read(Content::Bytes(bytes.into()), &OpenOptions::default()).unwrap();
    IndexEntry::from_package(&package)
}

fn index() -> Index {
    Index::new(
        "os x86_64",
        vec![
            entry("b", "1.10-r0"),
            entry("a", "2-r0"),
            entry("b", "1.9-r0"),
        ],
    )
}

fn refusal(bytes: &[u8]) -> String {
    Index::read(bytes, Some(&keyring()))
        .map_or_else(|error| reasons(&error), |_| "it was taken".into())
}

#[test]
fn a_signed_index_is_read_back_sorted() {
    let bytes = index().write(signer(), EPOCH).unwrap();
    let read = Index::read(&bytes, Some(&keyring())).unwrap();
    assert_eq!(read, index());
    let names: Vec<_> = read.entries.iter().map(IndexEntry::file_name).collect();
    assert_eq!(names, ["a-2-r0.apk", "b-1.9-r0.apk", "b-1.10-r0.apk"]);
    let mut reversed = index();
    reversed.entries.reverse();
    assert_eq!(reversed.write(signer(), EPOCH).unwrap(), bytes);
    assert!(read.to_text().unwrap().contains("\nL:MIT AND Apache-2.0\n"));
    assert!(read.to_text().unwrap().contains("\nT:says hello; #1\n"));
}

#[test]
fn an_index_by_another_key_or_by_none_is_refused() {
    let bytes = index().write(stranger(), EPOCH).unwrap();
    insta::assert_snapshot!(refusal(&bytes), @"verify the signature: it is by stranger.rsa.pub, which is not trusted");
    let unsigned = index().write_unsigned(EPOCH).unwrap();
    insta::assert_snapshot!(refusal(&unsigned), @"verify the signature: there is none");
    assert_eq!(Index::read(&unsigned, None).unwrap(), index());
    let mut signed = Vec::new();
    assert_eq!(
        sign(bytes.as_slice(), signer(), EPOCH, &mut signed).unwrap(),
        Signed::Index
    );
    assert_eq!(signed, index().write(signer(), EPOCH).unwrap());
}

#[test]
fn another_index_under_a_valid_signature_is_refused() {
    let bytes = index().write(signer(), EPOCH).unwrap();
    let unsigned = index().write_unsigned(EPOCH).unwrap();
    let signature = &bytes[..bytes.len() - unsigned.len()];
    let other = Index::new("os", vec![entry("evil", "1")])
        .write_unsigned(EPOCH)
        .unwrap();
    let error = Index::read(&[signature, &other].concat(), Some(&keyring())).unwrap_err();
    assert!(matches!(error, Error::BadSignature { .. }), "{error}");
    // What is signed stays first, so that nothing may follow it.
    for tail in [other.as_slice(), &gzip(b""), b"x", &[0]] {
        let error = Index::read(&[&bytes, tail].concat(), Some(&keyring())).unwrap_err();
        let section = Section::Index;
        let is_tail = match error {
            Error::SeveralMembers(of) | Error::TrailingBytes(of) => of == section,
            _ => false,
        };
        assert!(is_tail, "{}", reasons(&error));
    }
    for length in 0..bytes.len() {
        assert!(
            Index::read(&bytes[..length], Some(&keyring())).is_err(),
            "{length}"
        );
    }
    insta::assert_snapshot!(refusal(&gzip(&archive(&[("DESCRIPTION", b"x")], true))), @"verify the signature: there is none");
    insta::assert_snapshot!(reasons(&Index::read(&gzip(&archive(&[("APKINDEX", b"P:a\xff")], true)), None).unwrap_err()), @"read line 1 of APKINDEX: it is not UTF-8");
}

#[test]
fn packages_that_cannot_be_understood_are_told_and_left_out() {
    let text = index().to_text().unwrap().replace("V:1.9-r0", "V:1.9x9-r0");
    let bytes = gzip(&archive(&[("APKINDEX", text.as_bytes())], true));
    assert!(Index::read(&bytes, None).is_err());
    let mut told = Vec::new();
    let read = Index::read_foreign(&bytes, None, |unusable| told.push(unusable.package)).unwrap();
    assert_eq!(
        (read.entries.len(), told),
        (2, vec!["b-1.9x9-r0".to_owned()])
    );
}

#[test]
fn what_is_merged_takes_the_place_of_the_same_version() {
    let mut merged = index();
    let mut newer = entry("b", "1.9-r0");
    newer.description = "newer".into();
    merged.merge([newer, entry("c", "1-r0")]);
    let names: Vec<_> = merged
        .entries
        .iter()
        .map(|entry| (entry.file_name(), entry.description.as_str()))
        .collect();
    let old = "says hello; #1";
    let expected = [
        ("a-2-r0.apk", old),
        ("b-1.9-r0.apk", "newer"),
        ("b-1.10-r0.apk", old),
        ("c-1-r0.apk", old),
    ];
    assert_eq!(
        names,
        expected.map(|(name, description)| (name.to_owned(), description))
    );
    let before = merged.clone();
    merged.merge(before.entries.clone());
    assert_eq!(merged, before);
}

#[test]
fn a_description_is_one_short_line() {
    let refusal = |description: &str| {
        Index::new(description, vec![])
            .write_unsigned(0)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(refusal("a\nb"), @"accept the field 'DESCRIPTION': it holds a line break or a control character");
    insta::assert_snapshot!(refusal(&"x".repeat(161)), @"accept the field 'DESCRIPTION': it is longer than 160 bytes");
    assert!(
        Index::new("x".repeat(160), vec![])
            .write_unsigned(0)
            .is_ok()
    );
}
