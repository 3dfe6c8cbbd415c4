//! Packages, indexes and the installed database.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use boltworks_apk::installed::{Database, side};
use boltworks_apk::package::Scratch;
use boltworks_apk::{
    Control, Index, IndexEntry, Limits, OpenOptions, PackageFile, Parts, Scripts, WriteOptions,
    diff, sign, write_package,
};
use boltworks_crypto::{Keyring, RsaPrivateKey, Signer};
use boltworks_fsx::{Content, Kind, Limit, Meta, Tree};

use crate::{archive, mend, taken, text};

/// The file name of the key that signs here.
const KEY: &str = "seed.rsa.pub";
/// The time in everything that is written here.
const EPOCH: i64 = 1_767_225_600;
/// The latest time that a tar header can hold; what is later is written as this.
const LATEST: i64 = (1 << 33) - 1;

/// A key made for these targets alone; it guards nothing.
static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let pem = include_bytes!("../../seeds/pem/private-pkcs8.pem");
    let key = RsaPrivateKey::from_pem(pem).expect("the seed is a key");
    Signer {
        name: KEY.to_owned(),
        key,
    }
});

/// The signer of the seeds.
pub fn signer() -> &'static Signer {
    &SIGNER
}

const LIMITS: Limits = Limits {
    control: Limit::mib(1),
    data: Limit::mib(4),
    entries: 1000,
    ratio: 256,
};

fn open(bytes: &[u8], keyring: Option<&Keyring>) -> Option<PackageFile> {
    let options = OpenOptions {
        keyring,
        limits: LIMITS,
    };
    PackageFile::read(Content::Bytes(bytes.into()), &options).ok()
}

/// A whole package as a file has it.
pub fn apk_package(data: &[u8]) {
    let mut keyring = Keyring::new();
    keyring.insert(KEY, signer().key.public());
    let anybodys = open(data, None);
    let trusted = open(data, Some(&keyring));
    assert!(
        trusted.is_none() || anybodys.is_some(),
        "a keyring let something pass"
    );
    if let Some(package) = &anybodys {
        check_package(package);
    }
    let mut signed = Vec::new();
    if sign(data, signer(), EPOCH, &mut signed).is_ok()
        && let Some(package) = anybodys
    {
        let again = open(&signed, Some(&keyring)).expect("what was signed is signed");
        assert_eq!(
            again.identity(),
            package.identity(),
            "signing changed the package"
        );
    }
}

/// A package of a control section and a data section, both tar: a length of four bytes, then so
/// many bytes of the first, then the second. Checksums and digests are set right.
pub fn apk_sections(data: &[u8]) {
    let (control, files) = mend::parted(data);
    if let Some(package) = open(&mend::package(control, files), None) {
        check_package(&package);
    }
}

/// What holds of every package that was opened.
fn check_package(package: &PackageFile) {
    taken();
    let (_, root) = archive::scratch();
    let mut scratch = Scratch::new(root).expect("an unnamed file");
    let unpacked = package
        .unpack_into(&mut scratch)
        .expect("what was opened can be unpacked");
    let facts = package.files().expect("what was opened can be looked at");
    assert_eq!(facts.len(), unpacked.tree.len(), "a file came or went");
    let itself = diff(package, package).expect("what was opened can be compared");
    assert!(
        itself.is_empty(),
        "a package differs from itself: {itself:?}"
    );

    let embedded: Vec<(&str, &[u8])> = package
        .embedded()
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let parts = Parts {
        control: package.control(),
        scripts: package.scripts(),
        embedded: &embedded,
        tree: &unpacked.tree,
    };
    let options = WriteOptions {
        level: 0,
        ..WriteOptions::new(LATEST)
    };
    let mut bytes = Vec::new();
    // Readers take more than this writer gives: owners of control files, names of fields.
    let Ok(written) = write_package(&mut bytes, &parts, signer(), &options) else {
        return;
    };
    let again = open(&bytes, None).expect("what was written can be opened");
    assert_eq!(again.identity(), written.identity);
    assert_eq!(again.data_hash(), written.data_hash);
    let expected = Control {
        installed_size: written.installed_size,
        datahash: Some(written.data_hash),
        ..package.control().clone()
    };
    assert_eq!(again.control(), &expected, "the control section changed");
    assert_eq!(again.scripts(), package.scripts(), "a script changed");
    assert_eq!(
        again.embedded(),
        package.embedded(),
        "an embedded file changed"
    );
    let tree = again
        .unpack_into(&mut scratch)
        .expect("what was written can be unpacked")
        .tree;
    let wanted = with_parents(&unpacked.tree);
    assert_eq!(shape(&tree), shape(&wanted), "the files changed");
}

/// Directories that a package leaves out are written all the same.
fn with_parents(tree: &Tree) -> Tree {
    let mut whole = tree.clone();
    whole.ensure_dirs(&Meta::new(0o755, LATEST));
    whole
}

/// Everything of a tree that can be compared.
fn shape(tree: &Tree) -> BTreeMap<String, String> {
    let shape = |kind: &Kind| match kind {
        Kind::File(content) => {
            let bytes = content
                .read_vec(LIMITS.data)
                .expect("the scratch file has it");
            format!("file of {}", boltworks_crypto::sha1(&bytes))
        }
        other => format!("{other:?}"),
    };
    tree.iter()
        .map(|(path, node)| {
            let meta = Meta {
                mtime: node.meta.mtime.min(LATEST),
                ..node.meta.clone()
            };
            (
                format!("{path:?}"),
                format!("{meta:?} {}", shape(&node.kind)),
            )
        })
        .collect()
}

/// The text of a `.PKGINFO`.
pub fn pkginfo(data: &[u8]) {
    let Some(Ok(control)) = text(data).map(Control::parse) else {
        return;
    };
    taken();
    assert!(
        !control.file_name().contains('/'),
        "the file would be elsewhere"
    );
    assert!(!control.license().contains('\n'), "a licence has lines");
    // Values may be read that are refused when they are written.
    let Ok(written) = control.to_pkginfo() else {
        return;
    };
    let again = Control::parse(&written).expect("what was written can be read");
    assert_eq!(again, control, "what was written reads as something else");
    assert_eq!(
        again.to_pkginfo().ok(),
        Some(written),
        "the text is not stable"
    );
}

/// A whole `APKINDEX.tar.gz`, and an archive that is packed into one.
pub fn apk_index(data: &[u8]) {
    let plain = mend::gunzip(data).unwrap_or_default();
    for bytes in [
        data,
        &mend::gzip(&mend::tar(data)),
        &mend::gzip(&mend::tar(&plain)),
    ] {
        let whole = Index::read(bytes, None).ok();
        let mut unusable = 0;
        let usable = Index::read_foreign(bytes, None, |_| unusable += 1).ok();
        match (&whole, &usable) {
            (Some(_), None) => panic!("only the strict reader takes it"),
            (Some(whole), Some(usable)) => assert!(whole == usable && unusable == 0),
            (None, Some(_)) => assert!(unusable > 0, "the strict reader refuses it for nothing"),
            (None, None) => {}
        }
        if let Some(index) = usable {
            check_index(&index);
        }
    }
}

fn check_index(index: &Index) {
    if !index.entries.is_empty() {
        taken();
    }
    // A description can be too long to be written.
    let Ok(written) = index.write_unsigned(EPOCH) else {
        return;
    };
    let again = Index::read(&written, None).expect("what was written can be read");
    let sorted = Index::new(index.description.clone(), index.entries.clone());
    assert_eq!(
        again.entries, sorted.entries,
        "what was written reads as something else"
    );
}

/// The text of an index.
pub fn apk_index_text(data: &[u8]) {
    let Some(Ok(entries)) = text(data).map(Index::parse) else {
        return;
    };
    for entry in &entries {
        taken();
        assert!(
            !entry.file_name().contains('/'),
            "a file would be elsewhere"
        );
    }
    let sorted = Index::new("", entries.clone());
    let written = sorted.to_text().expect("what was read can be written");
    let again = Index::parse(&written).expect("what was written can be read");
    assert_eq!(
        again, sorted.entries,
        "what was written reads as something else"
    );
    let mut merged = sorted.clone();
    merged.merge(entries);
    assert!(
        merged.entries.len() <= sorted.entries.len(),
        "merging with itself made more"
    );
    if let Some(Ok(entry)) = text(data).map(str::parse::<IndexEntry>) {
        assert!(again.contains(&entry), "one paragraph reads differently");
    }
}

/// The text of an installed database.
pub fn installed(data: &[u8]) {
    let Ok(database) = Database::read(data) else {
        return;
    };
    if !database.packages.is_empty() {
        taken();
    }
    // Paths may be read that are refused when they are written.
    let Ok(written) = database.write() else {
        return;
    };
    let again = Database::read(&written).expect("what was written can be read");
    assert_eq!(again.write().ok(), Some(written), "the text is not stable");
    assert_eq!(again.packages.len(), database.packages.len());
    for package in &database.packages {
        assert!(again.packages.contains(package), "{package:?} changed");
    }
}

/// `scripts.tar`, as it is and mended, `triggers` and `world`.
pub fn installed_side(data: &[u8]) {
    for bytes in [data, &mend::tar(data)] {
        if let Ok(packages) = side::read_scripts(bytes) {
            check_scripts(&packages);
        }
    }
    let Some(text) = text(data) else {
        return;
    };
    if let Ok(triggers) = side::parse_triggers(text)
        && let Ok(written) = side::write_triggers(
            triggers
                .iter()
                .map(|(identity, words)| (*identity, &**words)),
        )
    {
        let again = side::parse_triggers(&written).expect("what was written can be read");
        let kept: Vec<_> = triggers
            .into_iter()
            .filter(|(_, words)| !words.is_empty())
            .collect();
        assert_eq!(again, kept, "the triggers changed");
    }
    if let Ok(mut world) = side::parse_world(text) {
        let again = side::parse_world(&side::write_world(&world));
        world.sort();
        world.dedup();
        assert_eq!(again.ok(), Some(world), "the world changed");
    }
}

fn check_scripts(packages: &BTreeMap<boltworks_model::Sha1, Scripts>) {
    if !packages.is_empty() {
        taken();
    }
    let control = Control::new(
        "some-package".parse().expect("a name"),
        "1.0-r0".parse().expect("a version"),
        "x86_64",
    );
    let entries: Vec<(IndexEntry, &Scripts)> = packages
        .iter()
        .map(|(identity, scripts)| (IndexEntry::from_control(&control, *identity, 1), scripts))
        .collect();
    let written = side::write_scripts(entries.iter().map(|(entry, it)| (entry, *it)), EPOCH);
    let again = side::read_scripts(&written.expect("scripts can be written"));
    assert_eq!(again.ok().as_ref(), Some(packages), "the scripts changed");
}
