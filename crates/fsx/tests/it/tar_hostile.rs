//! Archives made to break or deceive a reader.

use std::io::Read;

use boltworks_fsx::tar::{Policy, Reader, Writer, read_tree};
use boltworks_fsx::{Error, Limit, Meta, Node, Tree};
use proptest::prelude::*;

use crate::arbitrary::{Wildness, seen, tree};
use crate::{folder, path};

/// One entry as raw blocks, with a right checksum.
struct Raw {
    kind: u8,
    name: &'static [u8],
    link: &'static [u8],
    size: &'static [u8],
    body: Vec<u8>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            kind: b'0',
            name: b"file",
            link: b"",
            size: b"0",
            body: vec![],
        }
    }
}

impl Raw {
    fn header(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, self.name);
        put(100, b"0000644");
        put(124, self.size);
        put(156, &[self.kind]);
        put(157, self.link);
        put(257, b"ustar\x0000");
        sealed(block)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header().to_vec();
        bytes.extend_from_slice(&self.body);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }
}

fn sealed(mut block: [u8; 512]) -> [u8; 512] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn pax(records: &str) -> Vec<u8> {
    let size = format!("{:o}", records.len()).leak();
    Raw {
        kind: b'x',
        name: b"pax",
        size: size.as_bytes(),
        body: records.into(),
        ..Raw::default()
    }
    .bytes()
}

fn global(records: &str) -> Vec<u8> {
    let size = format!("{:o}", records.len()).leak();
    Raw {
        kind: b'g',
        name: b"pax",
        size: size.as_bytes(),
        body: records.into(),
        ..Raw::default()
    }
    .bytes()
}

fn gnu_long(kind: u8, text: &str) -> Vec<u8> {
    let size = format!("{:o}", text.len()).leak();
    Raw {
        kind,
        name: b"long",
        size: size.as_bytes(),
        body: text.into(),
        ..Raw::default()
    }
    .bytes()
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (1..5)
        .map(|digits| rest + digits)
        .find(|sum| sum.to_string().len() + rest == *sum);
    format!("{} {key}={value}\n", length.unwrap())
}

fn read(bytes: &[u8], policy: Policy) -> Result<Vec<String>, Error> {
    let mut reader = Reader::new(bytes, policy);
    let mut names = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        names.push(entry.path.to_string());
    }
    Ok(names)
}

#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    let error = read(bytes, Policy::default()).unwrap_err().to_string();
    assert!(error.contains(reason), "'{reason}' is not in: {error}");
}

fn file(name: &'static [u8]) -> Vec<u8> {
    Raw {
        name,
        ..Raw::default()
    }
    .bytes()
}

#[test]
fn names_that_lead_elsewhere() {
    refused(&file(b"/etc/passwd"), "absolute");
    refused(&file(b"../x"), "'..'");
    refused(&file(b"a/../../x"), "'..'");
    refused(&file(b"a/./x"), "'.'");
    refused(&file(b"a//x"), "component is empty");
    refused(&file(b".//x"), "absolute");
    refused(&file(b"x/"), "component is empty");
    refused(&file(b"."), "'.'");
    refused(&file(b""), "is empty");
    refused(
        &[pax(&record("path", "/x")), file(b"y")].concat(),
        "absolute",
    );
    refused(&[pax(&record("path", "a\0b")), file(b"y")].concat(), "NUL");
    refused(&[pax(&record("path", "../x")), file(b"y")].concat(), "'..'");
    refused(&[gnu_long(b'L', "../x\0"), file(b"y")].concat(), "'..'");
    refused(&[gnu_long(b'L', "a\0b\0"), file(b"y")].concat(), "NUL");
    let long = "n".repeat(256);
    refused(
        &[gnu_long(b'L', &long), file(b"y")].concat(),
        "longer than 255 bytes",
    );
    let prefixed = Raw {
        name: b"x",
        ..Raw::default()
    };
    let mut block = prefixed.header();
    block[345..347].copy_from_slice(b"..");
    refused(&sealed(block), "'..'");
    let link = |link| {
        Raw {
            kind: b'1',
            link,
            ..Raw::default()
        }
        .bytes()
    };
    refused(&link(b"/etc/passwd"), "absolute");
    refused(&link(b"../../etc/passwd"), "'..'");
    refused(&link(b""), "is empty");
    refused(
        &Raw {
            kind: b'2',
            ..Raw::default()
        }
        .bytes(),
        "target is empty",
    );
}

#[test]
fn kinds_that_are_not_taken() {
    for kind in [b'3', b'4'] {
        refused(
            &Raw {
                kind,
                ..Raw::default()
            }
            .bytes(),
            "the device 'file' is not allowed here",
        );
    }
    refused(
        &Raw {
            kind: b'S',
            ..Raw::default()
        }
        .bytes(),
        "sparse",
    );
    for kind in [b'7', b'D', b'V', b'M', b'X', b'z', 0xff] {
        refused(
            &Raw {
                kind,
                ..Raw::default()
            }
            .bytes(),
            "not supported",
        );
    }
    for key in ["GNU.sparse.major", "GNU.sparse.name", "SCHILY.realsize"] {
        refused(&[pax(&record(key, "1")), file(b"x")].concat(), "sparse");
    }
    let link_with_content = Raw {
        kind: b'1',
        link: b"a",
        size: b"5",
        ..Raw::default()
    };
    refused(
        &link_with_content.bytes(),
        "something that is not a file has content",
    );
    let dir = Raw {
        kind: b'5',
        name: b"d/",
        size: b"1000",
        ..Raw::default()
    };
    refused(&dir.bytes(), "something that is not a file has content");
}

#[test]
fn headers_that_are_damaged() {
    let mut block = Raw::default().header();
    block[0] = b'F';
    refused(&block, "checksum");
    let mut block = Raw::default().header();
    block[257..265].fill(0);
    refused(&sealed(block), "neither ustar nor GNU");
    refused(
        &Raw {
            size: b"12x",
            ..Raw::default()
        }
        .bytes(),
        "the size is not a number",
    );
    refused(
        &Raw {
            size: b"-1",
            ..Raw::default()
        }
        .bytes(),
        "the size is not a number",
    );
    refused(
        &Raw {
            size: b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
            ..Raw::default()
        }
        .bytes(),
        "the size",
    );
    refused(
        &[file(b"x"), vec![1; 100]].concat(),
        "cut off within a header",
    );
    refused(&[0x55; 512], "checksum");
    refused(
        &[vec![0; 1024], file(b"x")].concat(),
        "something follows the end",
    );
    refused(
        &[vec![0; 512], file(b"x")].concat(),
        "something follows the end",
    );
}

#[test]
fn extended_headers_that_deceive() {
    let two = [
        pax(&record("path", "a")),
        pax(&record("path", "b")),
        file(b"c"),
    ]
    .concat();
    refused(&two, "two PAX headers");
    let long = [gnu_long(b'L', "a"), gnu_long(b'L', "b"), file(b"c")].concat();
    refused(&long, "two long names");
    let both = [pax(&record("path", "a")), gnu_long(b'L', "b"), file(b"c")].concat();
    refused(&both, "different names");
    refused(&[pax("5 path=a\n"), file(b"c")].concat(), "malformed");
    refused(
        &[pax(&record("path", "a").repeat(2)), file(b"c")].concat(),
        "a key twice",
    );
    refused(
        &[pax(&record("hdrcharset", "EBCDIC")), file(b"c")].concat(),
        "character set",
    );
    for key in ["uid", "gid", "size", "mtime"] {
        refused(&[pax(&record(key, "-x")), file(b"c")].concat(), key);
    }
    refused(
        &[pax(&record("uid", "4294967295")), file(b"c")].concat(),
        "out of range",
    );
    refused(
        &[pax(&record("uid", "99999999999")), file(b"c")].concat(),
        "out of range",
    );
    refused(
        &pax(&record("path", "a")),
        "the entry of an extended header is missing",
    );
    refused(
        &[pax(&record("path", "a")), vec![0; 1024]].concat(),
        "header is missing",
    );
    for key in [
        "path",
        "linkpath",
        "size",
        "mtime",
        "SCHILY.xattr.user.x",
        "GNU.sparse.name",
    ] {
        refused(
            &[global(&record(key, "1")), file(b"c")].concat(),
            &format!("sets '{key}'"),
        );
    }
    let comment = [global(&record("comment", "commit")), file(b"c")].concat();
    assert_eq!(read(&comment, Policy::default()).unwrap(), ["c"]);
}

#[test]
fn bombs() {
    let policy = Policy {
        max_extended: Limit::kib(64),
        ..Policy::default()
    };
    let limited = |bytes: &[u8], reason: &str| {
        let error = read(bytes, policy).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    // A header that promises much is refused before anything is allocated.
    let promise = Raw {
        kind: b'x',
        size: b"77777777777",
        ..Raw::default()
    };
    limited(&promise.bytes(), "extended headers are too long");
    let promise = Raw {
        kind: b'L',
        size: b"77777777777",
        ..Raw::default()
    };
    limited(&promise.bytes(), "extended headers are too long");
    let endless = global(&record("comment", "x")).repeat(200);
    limited(&endless, "extended headers are too long");
    let between: Vec<u8> = [global(&record("comment", &"x".repeat(900))), file(b"c")].concat();
    let policy_twice = Policy {
        duplicates: true,
        ..policy
    };
    let error = read(&between.repeat(100), policy_twice)
        .unwrap_err()
        .to_string();
    assert!(error.contains("global headers are too long"), "{error}");
}

#[test]
fn more_than_the_policy_allows() {
    let policy = Policy::default();
    let bound = |policy: Policy, bytes: &[u8], reason: &str| {
        let error = read(bytes, policy).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    let file_of = |size| {
        Raw {
            size,
            ..Raw::default()
        }
        .bytes()
    };
    bound(
        Policy {
            max_file: Limit(7),
            ..policy
        },
        &file_of(b"10"),
        "too long: 8 bytes",
    );
    bound(
        Policy {
            max_total: Limit(1024),
            ..policy
        },
        &file_of(b"1001"),
        "longer than allowed",
    );
    bound(
        Policy {
            max_total: Limit(512),
            ..policy
        },
        &[0; 2048],
        "longer than allowed",
    );
    let three = [file(b"a"), file(b"b"), file(b"c")].concat();
    bound(
        Policy {
            max_entries: 2,
            ..policy
        },
        &three,
        "more than 2 entries",
    );
    let huge = [pax(&record("size", "18446744073709551615")), file(b"x")].concat();
    bound(
        Policy {
            max_file: Limit(u64::MAX),
            ..policy
        },
        &huge,
        "longer than allowed",
    );
}

#[test]
fn paths_that_come_twice() {
    let twice = [
        file(b"a"),
        Raw {
            kind: b'5',
            name: b"./a/",
            ..Raw::default()
        }
        .bytes(),
    ]
    .concat();
    refused(&twice, "'a' comes twice");
    let policy = Policy {
        duplicates: true,
        ..Policy::default()
    };
    assert_eq!(read(&twice, policy).unwrap(), ["a", "a"]);
}

#[test]
fn the_end_is_checked_where_it_is_required() {
    let policy = Policy {
        end_required: true,
        ..Policy::default()
    };
    for (blocks, is_good) in [(0, false), (1, false), (2, true), (20, true)] {
        let bytes = [file(b"a"), vec![0; 512 * blocks]].concat();
        assert_eq!(read(&bytes, policy).is_ok(), is_good, "{blocks}");
        assert_eq!(read(&bytes, Policy::default()).unwrap(), ["a"]);
    }
}

#[test]
fn after_an_error_there_are_only_errors() {
    let bytes = [file(b"../a"), file(b"b")].concat();
    let mut reader = Reader::new(bytes.as_slice(), Policy::default());
    for _ in 0..3 {
        assert!(reader.next_entry().is_err());
    }
    let cut = Raw {
        size: b"20",
        body: b"half".to_vec(),
        ..Raw::default()
    }
    .bytes();
    let mut reader = Reader::new(&cut[..512 + 4], Policy::default());
    reader.next_entry().unwrap().unwrap();
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    assert!(reader.next_entry().is_err());
}

#[test]
fn a_link_is_never_written_through() {
    let link = Raw {
        kind: b'2',
        name: b"dir",
        link: b"/etc",
        ..Raw::default()
    }
    .bytes();
    let in_memory = |bytes: &[u8]| {
        let folder = folder();
        folder.root.write(&path("a.tar"), bytes, 0o644).unwrap();
        let file = folder.root.open_file(&path("a.tar")).unwrap().into();
        read_tree(&file, Policy::default())
    };
    let error = in_memory(&[link, file(b"dir/passwd")].concat())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("beneath something that is no directory"),
        "{error}"
    );
    let out = Raw {
        kind: b'1',
        name: b"h",
        link: b"nothing",
        ..Raw::default()
    }
    .bytes();
    let error = in_memory(&out).unwrap_err().to_string();
    assert!(
        error.contains("hard link to nothing in the archive"),
        "{error}"
    );
    let cut = Raw {
        size: b"2000",
        ..Raw::default()
    }
    .bytes();
    let error = in_memory(&cut).unwrap_err().to_string();
    assert!(error.contains("cut off within a file"), "{error}");
}

fn archive(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.append_tree(tree).unwrap();
    writer.finish_with_end().unwrap()
}

proptest! {
    #[test]
    fn no_cut_archive_passes_for_a_whole_one(tree in tree(Wildness::Archive), at: prop::sample::Index) {
        let whole = archive(&tree);
        let cut = &whole[..at.index(whole.len())];
        let policy = Policy { end_required: true, devices: true, ..Policy::default() };
        prop_assert!(read(cut, policy).is_err());
    }

    #[test]
    fn no_damage_panics_or_escapes(
        tree in tree(Wildness::Archive),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_resealed: bool,
    ) {
        let mut bytes = archive(&tree);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if is_resealed {
                let start = at / 512 * 512;
                let block: [u8; 512] = bytes[start..start + 512].try_into().unwrap();
                bytes[start..start + 512].copy_from_slice(&sealed(block));
            }
        }
        let policy = Policy { devices: true, duplicates: true, ..Policy::default() };
        for name in read(&bytes, policy).unwrap_or_default() {
            prop_assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."));
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        prop_assert!(read(&bytes, Policy::default()).is_err() || bytes.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn an_empty_archive_is_empty() {
    assert_eq!(seen(&Tree::new()).len(), 0);
    assert_eq!(
        read(&archive(&Tree::new()), Policy::default()).unwrap(),
        [""; 0]
    );
    assert_eq!(read(&[], Policy::default()).unwrap(), [""; 0]);
    let mut tree = Tree::new();
    tree.insert(path("d"), Node::dir(Meta::new(0o755, 0)))
        .unwrap();
    assert_eq!(archive(&tree).len(), 512 * 3);
}
