//! What the tests build packages from, sound ones and others.

use std::error::Error as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use boltworks_apk::{
    Control, Error, OpenOptions, PackageFile, Parts, Scripts, WriteOptions, Written,
};
use boltworks_crypto::{Keyring, RsaHash, RsaPrivateKey, Signer, sha256};
use boltworks_fsx::tar::Writer;
use boltworks_fsx::{Content, Meta, Node, RelPath, Root, Tree};
use flate2::{Compression, GzBuilder};

pub(crate) const EPOCH: i64 = 1_767_225_600;
pub(crate) const KEY: &str = "web.rsa.pub";

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer {
    name: KEY.into(),
    key: RsaPrivateKey::generate_short().unwrap(),
});
static STRANGER: LazyLock<Signer> = LazyLock::new(|| Signer {
    name: "stranger.rsa.pub".into(),
    key: RsaPrivateKey::generate_short().unwrap(),
});

pub(crate) fn signer() -> &'static Signer {
    &SIGNER
}

pub(crate) fn stranger() -> &'static Signer {
    &STRANGER
}

/// Trusts the signer and nobody else.
pub(crate) fn keyring() -> Keyring {
    let mut keyring = Keyring::new();
    keyring.insert(KEY, signer().key.public());
    keyring
}

pub(crate) fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

pub(crate) fn control() -> Control {
    Control {
        origin: "hello".into(),
        description: "says hello; #1".into(),
        licenses: vec!["MIT".into(), "Apache-2.0".into()],
        depends: vec!["so:libc.so".parse().unwrap()],
        build_date: Some(EPOCH),
        ..Control::new(
            "hello".parse().unwrap(),
            "1.0-r0".parse().unwrap(),
            "x86_64",
        )
    }
}

/// A few files.
pub(crate) fn tree() -> Tree {
    let mut tree = Tree::new();
    let mut put = |name: &str, node: Node| tree.insert(path(name), node).unwrap();
    put("usr", Node::dir(Meta::new(0o755, EPOCH)));
    put("usr/bin", Node::dir(Meta::new(0o755, EPOCH)));
    put(
        "usr/bin/hello",
        Node::file(Meta::new(0o755, EPOCH), *b"#!/bin/sh\necho hello\n"),
    );
    put(
        "usr/bin/hi",
        Node::symlink(Meta::new(0o777, EPOCH), "hello"),
    );
    tree
}

pub(crate) fn write(control: &Control, scripts: &Scripts, tree: &Tree) -> (Vec<u8>, Written) {
    let mut bytes = Vec::new();
    let embedded: [(&str, &[u8]); 1] = [(".melange.yaml", b"package:\n  name: hello\n")];
    let parts = Parts {
        control,
        scripts,
        embedded: &embedded,
        tree,
    };
    let options = WriteOptions::new(EPOCH);
    let written = boltworks_apk::write_package(&mut bytes, &parts, signer(), &options).unwrap();
    (bytes, written)
}

/// A sound package of [`tree`].
pub(crate) fn sound() -> Vec<u8> {
    write(&control(), &Scripts::new(), &tree()).0
}

/// Opens a package that must be signed by the signer.
pub(crate) fn open(bytes: &[u8]) -> Result<PackageFile, Error> {
    let keyring = keyring();
    let options = OpenOptions {
        keyring: Some(&keyring),
        ..OpenOptions::default()
    };
    PackageFile::read(Content::Bytes(bytes.into()), &options)
}

/// An error with all its reasons.
pub(crate) fn reasons(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        text = format!("{text}: {reason}");
        source = reason.source();
    }
    text
}

/// Why a package is refused.
pub(crate) fn refusal(bytes: &[u8]) -> String {
    match open(bytes) {
        Err(error) => reasons(&error),
        Ok(_) => "it was taken".into(),
    }
}

/// A directory for one test, gone at its end.
pub(crate) fn scratch() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

/// An unnamed file with these bytes.
pub(crate) fn file(root: &Root, bytes: &[u8]) -> Arc<File> {
    let mut file = root.scratch().unwrap();
    file.write_all(bytes).unwrap();
    Arc::new(file)
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Plain files at the top of an archive.
pub(crate) fn archive(files: &[(&str, &[u8])], end: bool) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for &(name, content) in files {
        writer
            .append(&path(name), &Node::file(Meta::new(0o644, 0), content), &[])
            .unwrap();
    }
    if end {
        writer.finish_with_end().unwrap()
    } else {
        writer.finish_without_end().unwrap()
    }
}

/// One raw entry: what no sound writer writes.
pub(crate) struct Raw<'a> {
    pub(crate) kind: u8,
    pub(crate) name: &'a str,
    pub(crate) link: &'a str,
    pub(crate) content: &'a [u8],
    /// Whether the checksum that apk wants is in front.
    pub(crate) summed: bool,
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Self {
            kind: b'0',
            name: "usr/x",
            link: "",
            content: b"",
            summed: true,
        }
    }
}

impl Raw<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.summed {
            let sum = boltworks_crypto::sha1(self.content);
            let record = format!("APK-TOOLS.checksum.SHA1={sum}\n");
            let record = format!("{} {record}", record.len() + 3);
            let header = Raw {
                kind: b'x',
                name: "x",
                content: record.as_bytes(),
                ..*self
            };
            bytes.extend(header.block());
        }
        bytes.extend(self.block());
        bytes
    }

    fn block(&self) -> Vec<u8> {
        let mut header = [0_u8; 512];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, self.name.as_bytes());
        put(100, b"0000644\x000000000\x000000000\0");
        put(
            124,
            format!("{:011o}\0{:011o}\0        ", self.content.len(), 0).as_bytes(),
        );
        put(156, &[self.kind]);
        put(157, self.link.as_bytes());
        put(257, b"ustar\x0000");
        put(329, b"0000001\x000000003\0");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut block = [&header, self.content].concat();
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }
}

/// Raw entries as a data section's archive, with its end mark.
pub(crate) fn data(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(Raw::bytes).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The text of a `.PKGINFO` for a data section.
pub(crate) fn pkginfo(data: &[u8]) -> String {
    let datahash = Some(sha256(data));
    Control {
        datahash,
        ..control()
    }
    .to_pkginfo()
    .unwrap()
}

/// A signature section over a compressed control section.
pub(crate) fn signature(control: &[u8], name: &str) -> Vec<u8> {
    let bytes = signer().key.sign(RsaHash::Sha256, control).unwrap();
    gzip(&archive(
        &[(&format!(".SIGN.RSA256.{name}"), &bytes)],
        false,
    ))
}

/// A package of a control archive and compressed data, well signed.
pub(crate) fn signed(control: &[u8], data: &[u8]) -> Vec<u8> {
    let control = gzip(control);
    [signature(&control, KEY), control, data.to_vec()].concat()
}

/// A package that is sound in all but its data archive.
pub(crate) fn with_data(plain: &[u8]) -> Vec<u8> {
    let data = gzip(plain);
    signed(
        &archive(&[(".PKGINFO", pkginfo(&data).as_bytes())], false),
        &data,
    )
}

/// Where the three sections of a package begin, and its end.
pub(crate) fn sections(bytes: &[u8]) -> [usize; 4] {
    let end = |start: usize| {
        let mut decoder = flate2::bufread::GzDecoder::new(&bytes[start..]);
        std::io::copy(&mut decoder, &mut std::io::sink()).unwrap();
        bytes.len() - decoder.into_inner().len()
    };
    let control = end(0);
    let data = end(control);
    [0, control, data, end(data)]
}
