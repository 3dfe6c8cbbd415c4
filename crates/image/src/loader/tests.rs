//! What is written is what glibc's own tool reads.

use std::process::Command;

use boltworks_fsx::Node;

use super::*;

/// A shared library for `x86_64` that has a dynamic section, and in it a name, and nothing else.
fn library(soname: Option<&str>) -> Vec<u8> {
    let mut strings = vec![0];
    strings.extend_from_slice(soname.unwrap_or_default().as_bytes());
    strings.push(0);
    let mut dynamic = Vec::new();
    let tag: u64 = if soname.is_some() { 14 } else { 30 };
    for number in [tag, 1, 0, 0] {
        dynamic.extend_from_slice(&number.to_le_bytes());
    }
    let (at_strings, at_dynamic) = (64, 64 + strings.len());
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    out.extend_from_slice(&[3, 0, 62, 0, 1, 0, 0, 0]);
    out.resize(40, 0);
    out.extend_from_slice(&(at_dynamic + dynamic.len()).to_le_bytes());
    out.resize(58, 0);
    out.extend_from_slice(&[64, 0, 3, 0, 0, 0]);
    out.extend_from_slice(&strings);
    out.extend_from_slice(&dynamic);
    let sections = [
        (0_u32, 0, 0, 0_u32),
        (3, at_strings, strings.len(), 0),
        (6, at_dynamic, dynamic.len(), 1),
    ];
    for (kind, place, len, link) in sections {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&kind.to_le_bytes());
        out.resize(start + 24, 0);
        out.extend_from_slice(&(place as u64).to_le_bytes());
        out.extend_from_slice(&(len as u64).to_le_bytes());
        out.extend_from_slice(&link.to_le_bytes());
        out.resize(start + 64, 0);
    }
    out
}

fn tree(files: &[(&str, Vec<u8>)], links: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    let meta = || Meta::new(0o644, 0);
    let mut put = |path: &str, node| {
        tree.insert(RelPath::try_from(path).unwrap(), node).unwrap();
    };
    for (path, bytes) in files {
        put(path, Node::file(meta(), bytes.clone()));
    }
    for (path, target) in links {
        put(path, Node::symlink(meta(), *target));
    }
    tree
}

fn sample() -> Tree {
    tree(
        &[
            (
                "etc/ld.so.conf",
                b"# ours\ninclude ld.so.conf.d/*.conf\n/opt/lib # last\n".to_vec(),
            ),
            (
                "etc/ld.so.conf.d/b.conf",
                b"/usr/local/lib\n/opt/lib\n".to_vec(),
            ),
            (
                "etc/ld.so.conf.d/a.conf",
                b"include /etc/ld.so.conf\n/nowhere\n".to_vec(),
            ),
            ("usr/lib/libz.so.1.3.1", library(Some("libz.so.1"))),
            ("usr/lib/liba.so.2", library(Some("liba.so.2"))),
            ("usr/lib/liba.so.10", library(Some("liba.so.10"))),
            (
                "usr/lib/ld-linux-x86-64.so.2",
                library(Some("ld-linux-x86-64.so.2")),
            ),
            ("usr/lib/libbare.so", library(None)),
            ("usr/lib/libother.so.1", library(Some("libelse.so.1"))),
            ("usr/lib/libtext.so.1", b"INPUT(libz.so.1)".to_vec()),
            ("usr/lib/deep/libdeep.so.1", library(Some("libdeep.so.1"))),
            ("opt/lib/liba.so.2", library(Some("liba.so.2"))),
            ("usr/local/lib/libx.so.1", library(Some("libx.so.1"))),
        ],
        &[
            ("lib", "usr/lib"),
            ("usr/lib/libz.so.1", "libz.so.1.3.1"),
            ("usr/lib/libz.so", "libz.so.1"),
            ("usr/lib/libgone.so.1", "libgone.so.1.0"),
        ],
    )
}

/// What the loader's own tool reads.
fn told(cache: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ld.so.cache");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test writes its own temporary file"
    )]
    std::fs::write(&file, cache).unwrap();
    #[expect(clippy::disallowed_methods, reason = "glibc's own tool is a program")]
    let done = Command::new("/sbin/ldconfig")
        .args(["-p", "-C"])
        .arg(&file)
        .output();
    let done = done.expect("ldconfig is needed: run 'apt-get install -y libc-bin'");
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    lines.join("\n")
}

#[test]
fn ldconfig_reads_what_is_written() {
    let mut tree = sample();
    add(&mut tree).unwrap();
    let (cache, meta) = crate::place::read_file(&tree, CACHE).unwrap().unwrap();
    assert_eq!(meta.mode & 0o7777, 0o644);
    insta::assert_snapshot!(told(&cache), @r"
    libz.so.1 (libc6,x86-64) => /lib/libz.so.1
    libz.so (libc6,x86-64) => /lib/libz.so
    libx.so.1 (libc6,x86-64) => /usr/local/lib/libx.so.1
    libbare.so (libc6,x86-64) => /lib/libbare.so
    liba.so.10 (libc6,x86-64) => /lib/liba.so.10
    liba.so.2 (libc6,x86-64) => /lib/liba.so.2
    liba.so.2 (libc6,x86-64) => /opt/lib/liba.so.2
    ld-linux-x86-64.so.2 (libc6,x86-64) => /lib/ld-linux-x86-64.so.2
    ");
}

#[test]
fn without_folders_there_is_no_cache() {
    let mut tree = sample();
    tree.remove(&RelPath::try_from(CONF).unwrap());
    add(&mut tree).unwrap();
    assert!(!exists(&tree, CACHE));
}

#[test]
fn no_bytes_are_a_library_that_are_none() {
    let good = library(Some("libz.so.1"));
    for end in 0..good.len() {
        let read = elf::read(&Content::Bytes(good[..end].into())).unwrap();
        assert_eq!(read, None, "{end}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] = 0xff;
        let _any = elf::read(&Content::Bytes(bad.into())).unwrap();
    }
}

#[test]
fn names_are_ordered_as_the_loader_looks_for_them() {
    for (one, other, order) in [
        ("liba.so.2", "liba.so.10", Ordering::Less),
        ("liba.so.1", "liba.so", Ordering::Greater),
        ("lib1.so", "liba.so", Ordering::Greater),
        ("liba.so.01", "liba.so.1", Ordering::Equal),
        ("libb.so", "liba.so", Ordering::Greater),
        ("lib99999999999.so", "lib1.so", Ordering::Greater),
    ] {
        assert_eq!(
            compared(one.as_bytes(), other.as_bytes()),
            order,
            "{one} {other}"
        );
        assert_eq!(compared(other.as_bytes(), one.as_bytes()), order.reverse());
    }
}
