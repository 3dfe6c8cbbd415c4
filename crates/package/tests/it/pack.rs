//! From files to packages in the store, as a build does it: what one package of a recipe says of
//! another, what no package can hold, and many of both.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use boltworks_apk::{Control, PackageFile};
use boltworks_crypto::{RsaPrivateKey, Signer};
use boltworks_fsx::{Content, Kind, Meta, Node, RelPath, Root, ScanOptions, Tree};
use boltworks_model::{Ambient, Architecture, Cancel, Clock, Entropy, Timestamp};
use boltworks_package::pack::{BuiltPackage, Packing, pack, parcels};
use boltworks_package::{Error, libraries, scan};
use boltworks_recipe::resolved::Recipe;
use boltworks_recipe::{PipelineLibrary, ResolveOptions, parse_recipe, resolve};
use boltworks_rootfs::{Locked, LockedPackage};
use boltworks_store::Store;
use boltworks_version::apk::Version;

use crate::{KEY, built, scanned, tree};

const EPOCH: Timestamp = Timestamp(1_700_000_000);

/// A store in a folder of its own, and who signs.
struct Bench {
    root: Root,
    store: Store,
    signer: Signer,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let store = Store::open(&root).unwrap();
        let signer = Signer {
            name: "golden.rsa.pub".into(),
            key: RsaPrivateKey::from_pem(KEY.as_bytes()).unwrap(),
        };
        Self {
            root,
            store,
            signer,
            _folder: folder,
        }
    }

    fn pack(
        &self,
        recipe: &Recipe,
        trees: &BTreeMap<&str, Tree>,
        libraries: Option<&BTreeMap<String, Version>>,
    ) -> Result<Vec<BuiltPackage>, Error> {
        let packing = Packing {
            recipe,
            libraries,
            epoch: EPOCH,
            materials: &[],
            lint_levels: &BTreeMap::new(),
            vendor: "golden",
            signer: &self.signer,
            store: &self.store,
        };
        let parcels = parcels(recipe, |name, _| {
            Ok(trees.get(name).cloned().unwrap_or_default())
        })?;
        let ambient = Ambient {
            clock: &Nothing,
            entropy: &Nothing,
            sink: &(),
            cancel: &Cancel::default(),
        };
        Ok(pack(&packing, parcels, &ambient)?.0)
    }

    fn open(&self, package: &BuiltPackage) -> PackageFile {
        let blob = self.store.open_blob(&package.artifact.digest).unwrap();
        PackageFile::open(
            Arc::clone(blob.file()),
            &boltworks_apk::OpenOptions::default(),
        )
        .unwrap()
    }
}

struct Nothing;

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}
}

impl Entropy for Nothing {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

fn recipe(more: &str) -> Recipe {
    let text = format!(
        "package:\n  name: app\n  version: 1.2\n  epoch: 3\n  copyright: [{{license: MIT}}]\n{more}"
    );
    let library = PipelineLibrary::builtin();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    resolve(&parse_recipe("app.yaml", &text).unwrap(), &options).unwrap()
}

fn depends(control: &Control) -> Vec<String> {
    control.depends.iter().map(ToString::to_string).collect()
}

/// A program of one package that needs a library of the other, and the C library.
const TWO: &str = "mkdir -p $D/app/usr/bin $D/lib/usr/lib; cd $(mktemp -d)
    echo 'int one(void) { return 1; }' > one.c
    echo 'int one(void); int main(void) { return one(); }' > main.c
    cc -shared -fPIC -Wl,-soname,libone.so.1 -o $D/lib/usr/lib/libone.so.1 one.c
    cc -o $D/app/usr/bin/app main.c $D/lib/usr/lib/libone.so.1";

#[test]
fn needs_of_libraries_are_bound_where_that_is_asked_for() {
    let (folder, _) = built(TWO);
    let of = |name: &str| scanned(&folder.path().join(name));
    let trees = BTreeMap::from([("app", of("app")), ("app-lib", of("lib"))]);
    let bench = Bench::new();
    let needs = |more: &str, libraries: Option<&BTreeMap<String, Version>>| {
        let recipe = recipe(&format!("{more}subpackages:\n  - name: app-lib\n"));
        let packages = bench.pack(&recipe, &trees, libraries).unwrap();
        let [app, _] = packages.as_slice() else {
            panic!("{packages:?}");
        };
        depends(bench.open(app).control())
    };
    let free = ["so:ld-linux-x86-64.so.2", "so:libc.so.6", "so:libone.so.1"];
    assert_eq!(needs("", None), free);
    // What its sibling offers counts, and not what lay in the environment; the loader is free.
    let old = "1.1-r0".parse().unwrap();
    let (c, loader) = ("2.41-r0".parse().unwrap(), "2.41-r0".parse().unwrap());
    let libraries = BTreeMap::from([
        ("libone.so.1".to_owned(), old),
        ("libc.so.6".to_owned(), c),
        ("ld-linux-x86-64.so.2".to_owned(), loader),
    ]);
    let bound = [
        "so-ver:libc.so.6>=2.41-r0",
        "so-ver:libone.so.1>=1.2-r3",
        "so:ld-linux-x86-64.so.2",
        "so:libc.so.6",
        "so:libone.so.1",
    ];
    assert_eq!(needs("", Some(&libraries)), bound);
    // Who offers no version binds nobody.
    let without = [&bound[1..2], &bound[2..]].concat();
    assert_eq!(needs("", Some(&BTreeMap::new())), without);
    let option = "  options:\n    no-versioned-shlib-deps: true\n";
    assert_eq!(needs(option, Some(&libraries)), free);
}

#[test]
fn an_environment_says_which_libraries_it_has() {
    let (folder, _) = built(TWO);
    let trees = BTreeMap::from([("app", scanned(&folder.path().join("lib")))]);
    let bench = Bench::new();
    let packages = bench.pack(&recipe(""), &trees, None).unwrap();
    let locked = Locked {
        packages: packages
            .iter()
            .map(|package| LockedPackage {
                name: package.entry.name.clone(),
                version: package.entry.version.clone(),
                sha256: package.artifact.digest,
                identity: package.entry.identity,
                repository: "os".to_owned(),
            })
            .collect(),
    };
    let libraries = libraries::of_environment(&locked, &bench.store).unwrap();
    let expected = ("libone.so.1".to_owned(), "1.2-r3".parse().unwrap());
    assert_eq!(libraries, BTreeMap::from([expected]));
}

/// Of packages that were written, their files say again what was written.
#[test]
fn packages_are_scanned_to_what_they_say() {
    let (folder, _) = built(TWO);
    let of = |name: &str| scanned(&folder.path().join(name));
    let script = tree(&[("usr/bin/say", 0o755, b"#!/usr/bin/env bash\n")]);
    let trees = BTreeMap::from([
        ("app", of("app")),
        ("app-lib", of("lib")),
        ("app-say", script),
    ]);
    let more = "  dependencies: {runtime: [zlib], provides: ['cmd:other=1']}
  commit: 0123abcd
subpackages:
  - name: app-lib
    options: {no-provides: true}
  - name: app-say
    scriptlets: {trigger: {script: 'true', paths: [/etc]}}
";
    let recipe = recipe(more);
    let bench = Bench::new();
    let old = BTreeMap::from([("libc.so.6".to_owned(), "2.41-r0".parse().unwrap())]);
    for libraries in [None, Some(&old)] {
        let packages = bench.pack(&recipe, &trees, libraries).unwrap();
        let opened: Vec<_> = packages.iter().map(|one| bench.open(one)).collect();
        let said: Vec<_> = opened.iter().map(|one| one.control().clone()).collect();
        assert!(said.iter().any(|one| depends(one).len() > 2), "{said:?}");
        let opened: Vec<_> = opened.iter().collect();
        let found = scan(&recipe, &opened, None, &bench.root).unwrap();
        assert_eq!(found, said);
        // One by one, and in another order.
        let last = opened.last().copied().unwrap();
        let found = scan(&recipe, &[last, opened[0]], Some("else"), &bench.root).unwrap();
        let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["app-say", "app"]);
        assert_eq!(found[0].maintainer, "else");
    }
    let other = recipe_of_another();
    let stranger = bench.pack(&other, &BTreeMap::new(), None).unwrap();
    let stranger = bench.open(&stranger[0]);
    let refused = scan(&recipe, &[&stranger], None, &bench.root).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the recipe app makes no package 'other'"
    );
}

fn recipe_of_another() -> Recipe {
    let mut recipe = recipe("");
    recipe.package.name = "other".parse().unwrap();
    recipe
}

/// Field by field as melange writes it, but for what it says of what nobody knows.
#[test]
fn a_package_says_of_itself_what_melange_says() {
    let recipe = recipe(
        "  url: https://app.example
  dependencies:
    runtime: [zlib, libapp, 'libapp>1', '!app-old', 'cmd:app', B]
    provides: [libapp=7, 'cmd:app']
  scriptlets:
    trigger: {script: 'true', paths: [/usr/share/fonts/*, /etc/x]}
subpackages:
  - name: app-doc
    description: its pages
",
    );
    let files = tree(&[("usr/bin/app", 0o755, b"x")]);
    let bench = Bench::new();
    let packages = bench
        .pack(&recipe, &BTreeMap::from([("app", files)]), None)
        .unwrap();
    let said = packages.iter().map(|package| {
        let text = bench.open(package).control().to_pkginfo().unwrap();
        let (known, _) = text.split_once("datahash").unwrap();
        known.replace(" \n", "_\n")
    });
    insta::assert_snapshot!(said.collect::<Vec<_>>().join("---\n"), @"
    # Generated by boltworks
    pkgname = app
    pkgver = 1.2-r3
    arch = x86_64
    size = 1483
    origin = app
    pkgdesc =_
    url = https://app.example
    maintainer = golden
    builddate = 1700000000
    license = MIT
    depend = !app-old
    depend = B
    depend = libapp>1
    depend = zlib
    provides = cmd:app
    provides = cmd:app=1.2-r3
    provides = libapp=7
    triggers = /usr/share/fonts/* /etc/x_
    ---
    # Generated by boltworks
    pkgname = app-doc
    pkgver = 1.2-r3
    arch = x86_64
    size = 1515
    origin = app
    pkgdesc = its pages
    url =_
    maintainer = golden
    builddate = 1700000000
    license = MIT
    ");
}

const ODD: &str = "  checks: {disabled: [setuidgid]}\n";

/// Unpacked by GNU tar, the files of a package are those that were packed.
#[test]
fn odd_files_are_packed_as_they_are() {
    let (_folder, mut files) = built(
        r#"cd $D; mkdir -p usr/odd etc; cd usr/odd
        touch -- 'with space' "it's" '"quoted"' 'dollar$x' -dash -rf a. a.. ... '*' 'back\slash' '#' 'a=b'
        touch "$(printf '\377\376')" "$(printf 's\303\274\303\237')" "$(printf '%0255d' 0)"
        deep=$(printf '%0250d' 0); for level in 1 2 3 4 5; do mkdir $deep; cd $deep; done; echo x > end; cd $D
        echo one > etc/one; ln etc/one usr/odd/also; chmod 4750 etc/one
        ln -s ../../etc/one usr/odd/link; ln usr/odd/link usr/odd/link-too; ln -s "$(printf '\377 ')" usr/odd/nowhere
        mkfifo -m 640 usr/odd/pipe; mkdir -m 3770 usr/odd/shared; ln usr/odd/pipe usr/odd/pipe-too
        truncate -s 3M usr/odd/hole; echo end >> usr/odd/hole"#,
    );
    for (path, value) in [
        ("etc/one", &b"a value"[..]),
        ("usr/odd/also", b"a value"),
        ("usr/odd/shared", b"\0\xff\n"),
    ] {
        let node = files.get_mut(&RelPath::try_from(path).unwrap()).unwrap();
        let xattrs = &mut node.meta.xattrs;
        xattrs.insert(b"user.note".to_vec(), value.to_vec());
    }
    let expected = told(&files);
    let bench = Bench::new();
    let packages = bench
        .pack(&recipe(ODD), &BTreeMap::from([("app", files)]), None)
        .unwrap();
    let out = tempfile::tempdir().unwrap();
    let package = out.path().join("app.apk");
    let blob = bench.store.open_blob(&packages[0].artifact.digest);
    let mut file = std::fs::File::create(&package).unwrap();
    std::io::copy(&mut blob.unwrap().reader(), &mut file).unwrap();
    let tar = Command::new("tar")
        .args([
            "--xattrs",
            "--xattrs-include=*",
            "--same-permissions",
            "--exclude=.[A-Zm]*",
        ])
        .args(["--exclude=var", "--warning=no-unknown-keyword", "-xzf"])
        .arg(&package)
        .arg("-C")
        .arg(out.path())
        .output()
        .unwrap();
    assert!(
        tar.status.success(),
        "{}",
        String::from_utf8_lossy(&tar.stderr)
    );
    std::fs::remove_file(package).unwrap();
    assert_eq!(told(&scanned(out.path())), expected);
}

/// Everything of a tree but times.
fn told(tree: &Tree) -> Vec<String> {
    let told = tree.iter().map(|(path, node)| {
        let bytes = |content: &Content| content.sha256().unwrap().to_string();
        let kind = match &node.kind {
            Kind::File(content) => bytes(content),
            other => format!("{other:?}"),
        };
        let Meta { mode, xattrs, .. } = &node.meta;
        format!(
            "{} {mode:o} {xattrs:?} {kind}",
            path.as_bytes().escape_ascii()
        )
    });
    told.collect()
}

fn told_refusal(files: Tree) -> String {
    let trees = BTreeMap::from([("app", files)]);
    let error = Bench::new().pack(&recipe(""), &trees, None).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn what_no_package_can_hold_is_refused_by_name() {
    let refused = |path: &[u8], kind: Kind| {
        let mut files = Tree::new();
        let meta = Meta::new(0o644, 0);
        let path = RelPath::new(path).unwrap();
        files.insert(path, Node { meta, kind }).unwrap();
        told_refusal(files)
    };
    let file = || Kind::File(Content::Bytes(Arc::default()));
    let device = Kind::CharDevice { major: 1, minor: 3 };
    // Of which nothing is read.
    let huge = |len: u64| {
        let file = tempfile::tempfile().unwrap();
        file.set_len(len).unwrap();
        Content::Span {
            file: Arc::new(file),
            offset: 0,
            len,
        }
    };
    let all = [
        refused(b"usr/new\nline", file()),
        refused(b"usr/bell\x07", file()),
        refused(b".PKGINFO", file()),
        refused(b".hidden/x", file()),
        refused(b"usr/link", Kind::Symlink(b"a\nF:etc".to_vec())),
        refused(b"usr/null", device),
        refused(b"usr/huge", Kind::File(huge(8 << 30))),
        {
            let mut files = Tree::new();
            for name in ["usr/one", "usr/two", "usr/three"] {
                let node = Node {
                    meta: Meta::new(0o644, 0),
                    kind: Kind::File(huge((8 << 30) - 1)),
                };
                files.insert(name.parse().unwrap(), node).unwrap();
            }
            told_refusal(files)
        },
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    write the package app: take 'usr/new\nline' into a package: its name holds a control character
    write the package app: take 'usr/bell�' into a package: its name holds a control character
    write the package app: take '.PKGINFO' into a package: apk takes a name at the top that begins with '.' for its own
    write the package app: take '.hidden' into a package: apk takes a name at the top that begins with '.' for its own
    write the package app: take 'usr/link' into a package: the target it links to holds a control character
    write the package app: take 'usr/null' into a package: a package holds no devices
    write the package app: take 'usr/huge' into a package: apk reads no file of 8 GiB or more
    write the package app: hold its files: they have 25769803773 bytes, 17179869184 are allowed
    ");
}

/// One file in two packages is whole in both.
#[test]
fn a_file_that_two_packages_share_is_in_both() {
    let (folder, _) =
        built("mkdir -p $D/a/usr $D/b/usr; echo one > $D/a/usr/x; ln $D/a/usr/x $D/b/usr/y");
    let of = |name: &str| scanned(&folder.path().join(name));
    let trees = BTreeMap::from([("app", of("a")), ("app-b", of("b"))]);
    let bench = Bench::new();
    let packages = bench
        .pack(&recipe("subpackages: [{name: app-b}]\n"), &trees, None)
        .unwrap();
    for (package, path) in packages.iter().zip(["usr/x", "usr/y"]) {
        let tree = bench.open(package).tree(&bench.root).unwrap();
        let content = tree.file(&RelPath::try_from(path).unwrap()).unwrap();
        assert_eq!(content.read_head(9).unwrap(), b"one\n");
    }
}

/// The bytes do not depend on the number of threads, nor which of several packages is first.
#[test]
fn threads_change_no_byte() {
    let large: Vec<u8> = (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 13).to_le_bytes()[0] & 0x3f)
        .collect();
    let trees = BTreeMap::from([
        (
            "app",
            tree(&[
                ("usr/a", 0o644, &large),
                ("usr/b", 0o644, b"x"),
                ("usr/c", 0o644, &large),
            ]),
        ),
        ("app-1", tree(&[("usr/d", 0o644, b"y")])),
        ("app-2", tree(&[("usr/e", 0o644, &large)])),
    ]);
    let recipe = recipe("subpackages: [{name: app-1}, {name: app-2}]\n");
    let digests = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let bench = Bench::new();
        let packages = pool
            .unwrap()
            .install(|| bench.pack(&recipe, &trees, None).unwrap());
        packages
            .iter()
            .map(|one| one.artifact.digest)
            .collect::<Vec<_>>()
    };
    let one = digests(1);
    assert_eq!(one, digests(2));
    assert_eq!(one, digests(7));
}

/// Deeper than any system call takes a path: the folders are there, and no package can hold them.
#[test]
fn folders_that_are_too_deep_are_refused() {
    let (folder, _) = built("mkdir $D/x");
    let deep = "d".repeat(250);
    let script = format!(
        "cd \"$D\"; for level in $(seq 20); do mkdir {deep} && cd -P {deep} || exit 1; done; echo x > end"
    );
    let mut made = Command::new("bash");
    made.args(["-c", &script]).env("D", folder.path());
    assert!(made.status().unwrap().success());
    let root = Arc::new(Root::open(folder.path()).unwrap());
    let error = Tree::read_from(&root, ScanOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("longer than 4095 bytes") && text.len() < 300,
        "{text}"
    );
    // What is left is removed by the same means as a workspace.
    let parent = Root::open(folder.path().parent().unwrap()).unwrap();
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    parent
        .remove_tree(&RelPath::try_from(name).unwrap())
        .unwrap();
}
