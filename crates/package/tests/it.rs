//! Analysis of files that a real compiler made, and golden bytes of emission.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts the machine's compiler"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_crypto::{Keyring, RsaPrivateKey, Signer};
use boltworks_fsx::{Meta, Node, Ownership, RelPath, Root, ScanOptions, Tree};
use boltworks_model::{Architecture, Material, PackageName, Sha256, SourceKind, Timestamp};
use boltworks_package::analysis::{Analysis, Subject, analyse};
use boltworks_package::emit::{Parcel, Shipment, emit};
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

fn analysis(name: &str, tree: &Tree, siblings: &[&Tree]) -> Analysis {
    let subject = Subject {
        name: &name.parse().unwrap(),
        version: &"1.2-r3".parse().unwrap(),
        no_commands: false,
        no_provides: false,
        no_depends: false,
    };
    analyse(&subject, tree, siblings).unwrap()
}

fn depends(analysis: &Analysis) -> Vec<String> {
    analysis.depends.iter().map(ToString::to_string).collect()
}

fn provides(analysis: &Analysis) -> Vec<String> {
    analysis
        .provides
        .values()
        .map(ToString::to_string)
        .collect()
}

const LIBRARY: &str = r"
mkdir -p $D/usr/lib $D/usr/lib/pkgconfig
echo 'int one(void) { return 1; }' > one.c && cc -shared -fPIC -o $D/usr/lib/libone.so.1.2 -Wl,-soname,libone.so.1 -nostdlib one.c
ln -s libone.so.1.2 $D/usr/lib/libone.so.1
";

#[test]
fn a_library_offers_its_soname() {
    let (_folder, tree) = built(&format!("cd $(mktemp -d)\n{LIBRARY}"));
    let analysis = analysis("one", &tree, &[]);
    assert_eq!(
        provides(&analysis),
        ["so-ver:libone.so.1=1.2-r3", "so:libone.so.1=1"]
    );
    assert_eq!(depends(&analysis), Vec::<String>::new());
}

#[test]
fn a_program_needs_its_libraries_and_its_loader() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/bin
         echo 'int one(void); int main(void) {{ return one(); }}' > main.c
         cc -o $D/usr/bin/main main.c -L$D/usr/lib -l:libone.so.1.2 -Wl,--dynamic-linker=/lib/ld-test.so.7
         rm -r $D/usr/lib"
    );
    let (_folder, tree) = built(&script);
    let analysis = analysis("main", &tree, &[]);
    assert_eq!(provides(&analysis), ["cmd:main=1.2-r3"]);
    let needs = depends(&analysis);
    assert!(needs.contains(&"so:libone.so.1".to_owned()), "{needs:?}");
    assert!(needs.contains(&"so:ld-test.so.7".to_owned()), "{needs:?}");
}

#[test]
fn what_a_package_has_itself_it_does_not_need() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/bin
         echo 'int one(void); int main(void) {{ return one(); }}' > main.c
         cc -nostdlib -nostartfiles -o $D/usr/bin/main main.c -L$D/usr/lib -l:libone.so.1.2"
    );
    let (_folder, tree) = built(&script);
    let needs = depends(&analysis("main", &tree, &[]));
    assert!(!needs.contains(&"so:libone.so.1".to_owned()), "{needs:?}");
}

#[test]
fn a_development_link_needs_the_library_beside_it() {
    let (_library, library) = built(&format!("cd $(mktemp -d)\n{LIBRARY}"));
    let (_links, links) = built("mkdir -p $D/usr/lib && ln -s libone.so.1 $D/usr/lib/libone.so");
    assert_eq!(
        depends(&analysis("one-dev", &links, &[&library])),
        ["so:libone.so.1"]
    );
    assert_eq!(
        depends(&analysis("one-dev", &links, &[])),
        Vec::<String>::new()
    );
}

#[test]
fn a_library_elsewhere_is_vendored() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/opt/app && mv $D/usr/lib/libone.so.1.2 $D/opt/app/ && rm -r $D/usr"
    );
    let (_folder, tree) = built(&script);
    let analysis = analysis("app", &tree, &[]);
    assert_eq!(provides(&analysis), Vec::<String>::new());
    let vendored: Vec<String> = analysis
        .vendored
        .values()
        .map(ToString::to_string)
        .collect();
    assert_eq!(vendored, ["so:libone.so.1=1"]);
}

#[test]
fn scripts_pkg_config_files_and_hard_links() {
    let script = "mkdir -p $D/usr/bin $D/usr/lib/pkgconfig $D/usr/share/doc
        printf '#!/usr/bin/env perl\\n' > $D/usr/bin/tool && chmod 755 $D/usr/bin/tool
        ln $D/usr/bin/tool $D/usr/bin/tool2
        printf '#!/bin/sh\\n' > $D/usr/bin/plain && chmod 755 $D/usr/bin/plain
        printf '#!/usr/bin/perl\\n' > $D/usr/share/doc/example && chmod 755 $D/usr/share/doc/example
        printf 'Version: 3\\nRequires: zlib >= 1.2, pcre2\\n' > $D/usr/lib/pkgconfig/tool.pc
        printf 'not executable' > $D/usr/bin/data";
    let (_folder, tree) = built(script);
    let analysis = analysis("tool", &tree, &[]);
    assert_eq!(depends(&analysis), ["cmd:perl", "pc:pcre2", "pc:zlib"]);
    assert_eq!(
        provides(&analysis),
        [
            "cmd:plain=1.2-r3",
            "cmd:tool=1.2-r3",
            "cmd:tool2=1.2-r3",
            "pc:tool=1.2-r3"
        ]
    );
}

#[test]
fn section_headers_decide_nothing() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/bin
         echo 'int one(void); int main(void) {{ return one(); }}' > main.c
         cc -o $D/usr/bin/main main.c -L$D/usr/lib -l:libone.so.1.2"
    );
    let (folder, tree) = built(&script);
    let expected = analysis("main", &tree, &[]);
    assert!(depends(&expected).contains(&"so:libc.so.6".to_owned()));
    assert!(provides(&expected).contains(&"so:libone.so.1=1".to_owned()));
    // `e_shoff`, `e_shnum` and `e_shstrndx` of a 64-bit file.
    let without = |bytes: &mut Vec<u8>| {
        bytes[0x28..0x30].fill(0);
        bytes[0x3c..0x40].fill(0);
    };
    // Everything there says that it is nothing.
    let lying = |bytes: &mut Vec<u8>| {
        let at = usize::from_le_bytes(bytes[0x28..0x30].try_into().unwrap());
        bytes[at..].fill(0);
    };
    // The program headers at an odd place, which every loader takes.
    let odd = |bytes: &mut Vec<u8>| {
        let count = usize::from(bytes[0x38]);
        let headers = bytes[0x40..0x40 + 56 * count].to_vec();
        bytes.resize(bytes.len() | 1, 0);
        let place = bytes.len() as u64;
        bytes[0x20..0x28].copy_from_slice(&place.to_le_bytes());
        bytes.extend(headers);
    };
    for change in [lying as fn(&mut Vec<u8>), without, odd] {
        for path in ["usr/bin/main", "usr/lib/libone.so.1.2"] {
            let path = folder.path().join(path);
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
        }
        assert_eq!(analysis("main", &scanned(folder.path()), &[]), expected);
    }
}

#[test]
fn an_elf_file_with_an_endless_name_is_an_error() {
    let script = "cd $(mktemp -d) && mkdir -p $D/usr/lib
        echo 'int one(void) { return 1; }' > one.c
        cc -shared -fPIC -nostdlib -o $D/usr/lib/libone.so.1 \
          -Wl,-soname,$(head -c 5000 /dev/zero | tr '\\0' x) one.c";
    let (_folder, tree) = built(script);
    let subject = Subject {
        name: &"one".parse().unwrap(),
        version: &"1.2-r3".parse().unwrap(),
        no_commands: false,
        no_provides: false,
        no_depends: false,
    };
    let error = analyse(&subject, &tree, &[]).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        cause,
        "an ELF file names a library with more than 4095 bytes"
    );
}

#[test]
fn a_file_that_only_looks_like_elf_is_a_file() {
    let mut tree = Tree::new();
    for (name, bytes) in [
        ("usr/bin/a", &b"\x7fELF"[..]),
        ("usr/lib/b.so.1", &b"\x7fELF\x02\x01\x01garbage"[..]),
        ("usr/lib/pkgconfig/c.pc", &b"\xff\xfe\0"[..]),
    ] {
        tree.insert(
            RelPath::try_from(name).unwrap(),
            Node::file(Meta::new(0o755, 0), bytes.to_vec()),
        )
        .unwrap();
    }
    tree.ensure_dirs(&Meta::new(0o755, 0));
    assert_eq!(
        provides(&analysis("odd", &tree, &[])),
        ["cmd:a=1.2-r3", "pc:c=1.2-r3"]
    );
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
    let store = Store::open(&Root::open(folder.path()).unwrap()).unwrap();
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
            vendor: "golden",
            signer: &signer,
            store: &store,
        };
        digests.push(emit(&shipment, &parcel, &[]).unwrap().artifact.digest);
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
    insta::assert_snapshot!(digests[0], @"1b2f656749e289241f5f1bd7ea44be5944fd3ac25f7554008de1816b751249d0");
}
