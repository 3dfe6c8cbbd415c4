//! What the machine's own programs packed is read.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use proptest::prelude::*;

use super::{Opened, beginning, open};

/// Pipes bytes through a program.
#[expect(
    clippy::disallowed_methods,
    reason = "the test packs with the real programs"
)]
fn piped(program: &str, arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|_| panic!("{program} is needed: apt-get install xz-utils zstd gzip tar"));
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// A tar archive of some files.
fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let root = boltworks_fsx::Root::open(folder.path()).unwrap();
    for (name, bytes) in files {
        let path = boltworks_fsx::RelPath::try_from(*name).unwrap();
        if let Some(parent) = path.parent() {
            root.make_dir(&parent).unwrap();
        }
        root.write(&path, bytes, 0o644).unwrap();
    }
    let folder = folder.path().to_str().unwrap().to_owned();
    let mut arguments = vec!["-C", &folder, "-c"];
    arguments.extend(files.iter().map(|(name, _)| *name));
    piped("tar", &arguments, b"")
}

fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Opened::Archive(mut members) = open(bytes).unwrap() else {
        panic!("no archive");
    };
    let mut found = Vec::new();
    while let Some(entry) = members.next_member().unwrap() {
        let bytes = members.beginning(usize::MAX).unwrap();
        assert_eq!(bytes.len() as u64, entry.size);
        found.push((entry.path.to_string(), bytes));
    }
    found
}

#[test]
fn archives_are_read_whoever_packed_them() {
    let long: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let files = [("a/LICENSE", &b"text"[..]), ("a/long", &long), ("b", b"")];
    let tar = packed(&files);
    let expected: Vec<_> = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
        .collect();
    for (program, arguments) in [
        ("cat", &[][..]),
        ("gzip", &["-c"]),
        ("xz", &["-c"]),
        ("xz", &["-c", "--check=none", "-0"]),
        ("xz", &["-c", "--check=sha256", "--block-size=40000"]),
        ("xz", &["-c", "-T2", "--block-size=150000"]),
        ("zstd", &["-c", "-q"]),
    ] {
        let bytes = piped(program, arguments, &tar);
        assert!(members(&bytes) == expected, "{program} {arguments:?}");
    }
    // Streams in a row, with padding between them.
    let (first, second) = tar.split_at(700);
    let xz = |bytes: &[u8]| piped("xz", &["-c"], bytes);
    let both = [xz(first), vec![0; 8], xz(second)].concat();
    assert!(members(&both) == expected);
    let cut = xz(&tar);
    let Opened::Archive(mut members) = open(&cut[..cut.len() / 2]).unwrap() else {
        panic!("no archive");
    };
    let mut walked = std::iter::from_fn(|| members.next_member().transpose());
    assert!(walked.any(|member| member.is_err()));
}

#[test]
fn what_is_no_archive_says_what_it_is() {
    let foreign = |bytes: &[u8]| match open(bytes).unwrap() {
        Opened::Foreign(name) => name.to_owned(),
        Opened::File(mut reader) => String::from_utf8(beginning(&mut reader, 5).unwrap()).unwrap(),
        Opened::Archive(_) => "archive".to_owned(),
    };
    assert_eq!(foreign(&piped("bzip2", &["-c"], b"x")), "bzip2");
    assert_eq!(foreign(b"PK\x03\x04rest"), "zip");
    assert_eq!(foreign(b"plain text"), "plain");
    assert_eq!(foreign(b""), "");
    let filtered = piped("xz", &["-c", "--x86", "--lzma2"], b"x");
    let Opened::Archive(mut members) = open(filtered.as_slice()).unwrap() else {
        panic!("no archive");
    };
    let error = boltworks_model::chain(&members.next_member().unwrap_err());
    assert!(error.contains("another filter"), "{error}");
}

/// The beginning of an xz file, to its first compressed bytes.
fn begun() -> &'static [u8] {
    static BEGUN: OnceLock<Vec<u8>> = OnceLock::new();
    BEGUN.get_or_init(|| {
        piped("xz", &["-c"], b"some text")
            .into_iter()
            .take(24)
            .collect()
    })
}

proptest! {
    #[test]
    fn no_bytes_are_read_for_ever(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), is_xz: bool) {
        if is_xz {
            bytes.splice(0..0, begun().iter().copied());
        }
        if let Ok(Opened::Archive(mut members)) = open(bytes.as_slice()) {
            while let Ok(Some(_)) = members.next_member() {}
        }
    }
}
