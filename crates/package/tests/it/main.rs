//! Dependencies and linters of files, also ones that a real compiler made; golden bytes of
//! emission.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts the machine's compiler"
)]

mod analysis;
mod elf;
mod hostile;
mod lint;
mod pack;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_crypto::{Keyring, RsaPrivateKey, Signer};
use boltworks_fsx::{Meta, Node, Ownership, RelPath, Root, ScanOptions, Tree};
use boltworks_model::{Architecture, Material, PackageName, Sha256, SourceKind, Timestamp};
use boltworks_package::analysis::{Subject, analyse};
use boltworks_package::emit::{Parcel, Shipment, emit};
use boltworks_package::survey::{Family, survey};
use boltworks_recipe::resolved::{Dependencies, PackageOptions, Scriptlets};
use boltworks_store::Store;
use boltworks_version::apk::Version;

/// Throw-away, for golden bytes: RSA PKCS#1 v1.5 signatures are deterministic.
const KEY: &str = include_str!("golden.rsa");

/// Lays out files made by a shell script in `$D` with the machine's compiler.
fn built(script: &str) -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("D", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "is a compiler there? apt-get install gcc libc6-dev\n{said}"
    );
    let tree = scanned(folder.path());
    (folder, tree)
}

fn scanned(folder: &Path) -> Tree {
    let root = Arc::new(Root::open(folder).unwrap());
    let ownership = Ownership::All { uid: 0, gid: 0 };
    Tree::read_from(
        &root,
        ScanOptions {
            ownership,
            ..ScanOptions::default()
        },
    )
    .unwrap()
}

/// A tree of these files, each with its mode; a name that ends in `/` is a folder, and a text that
/// begins with `-> ` is a symbolic link.
fn tree(files: &[(&str, u32, &[u8])]) -> Tree {
    let mut tree = Tree::new();
    for &(name, mode, bytes) in files {
        let node = match (name.strip_suffix('/'), bytes.strip_prefix(b"-> ")) {
            (Some(_), _) => Node::dir(Meta::new(mode, 0)),
            (None, Some(target)) => Node::symlink(Meta::new(mode, 0), target),
            (None, None) => Node::file(Meta::new(mode, 0), bytes),
        };
        let path = RelPath::try_from(name.trim_end_matches('/')).unwrap();
        tree.insert(path, node).unwrap();
    }
    tree.ensure_dirs(&Meta::new(0o755, 0));
    tree
}

fn parcel_tree() -> Tree {
    let mut tree = Tree::new();
    let file = |mode, text: &str| Node::file(Meta::new(mode, 7), text.as_bytes().to_vec());
    let mut add =
        |path: &str, node: Node| tree.insert(RelPath::try_from(path).unwrap(), node).unwrap();
    add("etc/app.conf", file(0o644, "answer = 42\n"));
    add("usr/bin/app", file(0o4755, "#!/bin/sh\necho 42\n"));
    add(
        "usr/bin/also",
        Node::symlink(Meta::new(0o777, 7), b"app".to_vec()),
    );
    add("var/shared", Node::dir(Meta::new(0o2775, 7)));
    tree
}

#[test]
fn emission_is_golden() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    let store = Store::open(&root).unwrap();
    let signer = Signer {
        name: "golden.rsa.pub".into(),
        key: RsaPrivateKey::from_pem(KEY.as_bytes()).unwrap(),
    };
    let name: PackageName = "app".parse().unwrap();
    let version: Version = "1.2-r3".parse().unwrap();
    let source = |uri: &str, fetched_from: Option<&str>, kind| Material::Source {
        uri: uri.to_owned(),
        fetched_from: fetched_from.map(str::to_owned),
        kind,
        sha256: Sha256::new([9; 32]),
        recipe_digest: None,
    };
    let parcel = Parcel {
        name: &name,
        description: "a thing; # with signs",
        url: Some("https://app.example"),
        commit: None,
        licenses: &["MIT".to_owned(), "Apache-2.0".to_owned()],
        dependencies: &Dependencies {
            runtime: vec!["libc".parse().unwrap()],
            ..Dependencies::default()
        },
        options: &PackageOptions::default(),
        scriptlets: &Scriptlets {
            post_install: Some("#!/bin/sh\ntrue\n".into()),
            ..Scriptlets::default()
        },
        tree: parcel_tree(),
    };
    let mut digests = Vec::new();
    // Where a source was fetched from is not in the bytes.
    for (from, kind) in [
        (None, SourceKind::Tarball),
        (Some("http://mirror.example/x"), SourceKind::DebianOrig),
    ] {
        let materials = [source("https://app.example/app-1.2.tar.gz", from, kind)];
        let shipment = Shipment {
            origin: &name,
            version: &version,
            upstream_version: "1.2",
            architecture: Architecture::X86_64,
            epoch: Timestamp(1_700_000_000),
            materials: &materials,
            embedded_recipe: b"{}",
            recipe_digest: boltworks_crypto::sha256(b"{}"),
            vendor: "golden",
            signer: &signer,
            store: &store,
        };
        let family = Family::new(&[&parcel.tree]).unwrap();
        let survey = survey(&parcel.tree, &family).unwrap();
        let analysis = analyse(&Subject::new(&name, &version), &survey);
        let emitted = emit(&shipment, parcel.clone(), &analysis).unwrap();
        let mut batch = store.batch();
        digests.push(emitted.keep(&mut batch).unwrap().artifact.digest);
        batch.commit().unwrap();
    }
    assert_eq!(digests[0], digests[1]);
    let mut keyring = Keyring::default();
    keyring.insert("golden.rsa.pub", signer.key.public());
    let blob = store.open_blob(&digests[0]).unwrap();
    let options = OpenOptions {
        keyring: Some(&keyring),
        ..OpenOptions::default()
    };
    let package = PackageFile::open(Arc::clone(blob.file()), &options).unwrap();
    assert_eq!(
        package
            .control()
            .provides
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["cmd:app=1.2-r3"]
    );
    assert_eq!(package.control().description, "a thing; # with signs");
    // These bytes are a contract: if they change, raise WRITER_VERSION of what changed them.
    insta::assert_snapshot!(digests[0], @"b8c86b1d6618989584891d711d3dcea7b14bfd6cc7548e5f56021baf2f2acc01");
}
