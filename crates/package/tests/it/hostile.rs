//! Garbage, odd names, many files; and that neither threads nor order change what is found.

use std::time::Duration;

use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_package::analysis::{Analysis, Subject, analyse};
use boltworks_package::lint::{self, Report, lint};
use boltworks_package::survey::{Family, survey};
use proptest::prelude::*;

use crate::built;

fn all(tree: &Tree, siblings: &[&Tree]) -> Option<(Analysis, Report)> {
    let (name, version) = ("odd-doc".parse().unwrap(), "1-r0".parse().unwrap());
    let family = Family::new(&[&[tree], siblings].concat()).ok()?;
    let survey = survey(tree, &family).ok()?;
    let analysis = analyse(&Subject::new(&name, &version), &survey);
    let subject = lint::Subject {
        name: "odd-doc",
        tested_with: Some(Vec::new()),
        ..lint::Subject::default()
    };
    Some((analysis, lint(&subject, &survey)))
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

/// Paths that the rules and linters look at.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let folder = prop::sample::select(vec![
        "usr/bin",
        "usr/lib",
        "usr/lib/pkgconfig",
        "usr/share/pkgconfig",
        "usr/lib/python3.14/site-packages/foo",
        "usr/lib/ruby/gems/3.4.0/gems",
        "usr/lib/ruby/gems/3.4.0/specifications",
        "usr/lib/perl5/vendor_perl",
        "usr/share/man/man1",
        "usr/lib/modules/6.1.0/kernel",
        "boot",
        "opt",
        "etc/ld.so.conf.d",
        "sbin",
        "tmp",
    ]);
    let name = prop_oneof![
        prop::sample::select(vec![
            "x",
            "y",
            "x.so",
            "libx.so.1",
            "x.pc",
            "x.conf",
            "x.ko",
            "x.ko.gz",
            "x.ko.zst",
            "vmlinuz",
            "x.gemspec",
            "PKG-INFO",
            "x.la",
            "x.a",
            "x.py",
            "METADATA",
        ])
        .prop_map(|name| name.as_bytes().to_vec()),
        prop::collection::vec(1_u8..=255, 1..6),
    ];
    (folder, name).prop_map(|(folder, name)| [folder.as_bytes(), b"/", &name].concat())
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![
        &b""[..],
        b"#!/usr/bin/env ",
        b"#!",
        b"\x7fELF\x02\x01\x01",
        b"\x7fELF\x01\x02\x01",
        b"MZ",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"Requires: ",
        b"Linux version ",
        b"vermagic=",
        b"/my/lib\n",
        b"Metadata-Version: 2.1\nName: ",
    ]);
    let rest = prop::collection::vec(any::<u8>(), 0..1500);
    (start, rest).prop_map(|(start, rest)| [start, &rest].concat())
}

fn planted(files: &[(Vec<u8>, Vec<u8>, u32)]) -> Tree {
    let mut tree = Tree::new();
    for (path, bytes, mode) in files {
        if let Ok(path) = RelPath::new(path.clone()) {
            let node = Node::file(Meta::new(*mode, 0), bytes.as_slice());
            // Beneath a file nothing can be.
            drop(tree.insert(path, node));
        }
    }
    tree.ensure_dirs(&Meta::new(0o755, 0));
    tree
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn neither_threads_nor_order_change_anything(
        files in prop::collection::btree_map(path(), (content(), 0_u32..0o10000), 0..40),
        seed in any::<usize>(),
    ) {
        let mut files: Vec<_> = files
            .into_iter()
            .map(|(path, (bytes, mode))| (path, bytes, mode))
            .collect();
        let tree = planted(&files);
        let one = with_threads(1, || all(&tree, &[]));
        let four = with_threads(4, || all(&tree, &[]));
        prop_assert_eq!(&one, &four);
        prop_assert!(one.is_some());
        let middle = seed % files.len().max(1);
        files.rotate_left(middle);
        files.reverse();
        let other = planted(&files);
        if other.len() == tree.len() {
            prop_assert_eq!(one, all(&other, &[]));
        }
    }
}

/// Every place of a real ELF file changed, and every length of it.
#[test]
fn a_broken_elf_file_is_a_file() {
    let (folder, _tree) = built(
        "cd $(mktemp -d); echo 'int one(void) { return 1; }' > one.c
         cc -shared -fPIC -nostdlib -Os -s -Wl,-soname,libone.so.1 -o $D/one one.c",
    );
    let bytes = std::fs::read(folder.path().join("one")).unwrap();
    let look = |bytes: Vec<u8>| {
        let files = [(b"usr/lib/libone.so.1".to_vec(), bytes, 0o755)];
        all(&planted(&files), &[])
    };
    let (analysis, _) = look(bytes.clone()).unwrap();
    assert_eq!(analysis.provides.len(), 2);
    let interesting = (0..0x40 + 56 * 12).chain((0x200..bytes.len().min(0x4000)).step_by(13));
    for place in interesting.filter(|&place| place < bytes.len()) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut broken = bytes.clone();
            broken[place] = value;
            // An error is an answer too, if it is one about the file's names.
            look(broken);
        }
        assert!(look(bytes[..place].to_vec()).is_some());
    }
}

/// One that says to hold exabytes costs nothing.
#[test]
fn an_elf_file_that_lies_about_its_size() {
    let (folder, _tree) = built(
        "cd $(mktemp -d); echo 'int one(void) { return 1; }' > one.c
         cc -shared -fPIC -nostdlib -o $D/one one.c",
    );
    let mut bytes = std::fs::read(folder.path().join("one")).unwrap();
    for header in bytes[0x40..0x40 + 56 * 4].chunks_exact_mut(56) {
        header[0x20..0x30].fill(0x7f);
    }
    bytes[0x3c..0x3e].fill(0xff);
    let files = [(b"usr/lib/libone.so.1".to_vec(), bytes, 0o755)];
    assert!(all(&planted(&files), &[]).is_some());
}

#[test]
fn a_hundred_thousand_files_with_odd_names() {
    let mut tree = Tree::new();
    for index in 0..100_000_u32 {
        let odd: &[u8] =
            [&b" "[..], b"'\"", b"\n", b"\xff\xfe", b"\\", b"${x}"][index as usize % 6];
        let folder = format!("usr/share/d{}/", index % 100);
        let path = [folder.as_bytes(), odd, index.to_string().as_bytes()].concat();
        let node = Node::file(Meta::new(0o755, 0), *b"#!/bin/sh\n");
        tree.insert(RelPath::new(path).unwrap(), node).unwrap();
    }
    let start = std::time::Instant::now();
    let (analysis, report) = all(&tree, &[]).unwrap();
    assert!(start.elapsed() < Duration::from_mins(1));
    assert_eq!(analysis, Analysis::default());
    assert_eq!(report.findings.len(), 0, "{:?}", report.findings);
}

#[test]
fn a_bomb_is_not_unpacked_whole() {
    let zeros = vec![0; 1 << 20];
    let mut writer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..4096 {
        std::io::Write::write_all(&mut writer, &zeros).unwrap();
    }
    let files = [(
        b"usr/lib/modules/1.0/x.ko.zst".to_vec(),
        writer.finish().unwrap(),
        0o644,
    )];
    let start = std::time::Instant::now();
    assert!(all(&planted(&files), &[]).is_some());
    assert!(start.elapsed() < Duration::from_mins(1));
}
