//! Trees on disk.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use boltworks_apk::{Parts, Scripts, WriteOptions, write_package};
use boltworks_crypto::{RsaPrivateKey, Signer};
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::{Sha1, Sha256};
use boltworks_rootfs::{Environments, Error, Locked, LockedPackage, Owner, TreeHandle};
use boltworks_store::Store;

use super::{package, rel};

/// A store with packages, and a folder of trees.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    signer: Signer,
    packages: BTreeMap<String, LockedPackage>,
}

/// Whoever runs the tests.
pub(crate) fn me() -> Owner {
    let stat = Root::open(Path::new("/proc/self"))
        .unwrap()
        .stat_self()
        .unwrap();
    Owner {
        uid: stat.uid,
        gid: stat.gid,
    }
}

impl Site {
    pub(crate) fn new(packages: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path()).unwrap();
        let mut site = Self {
            store: Store::open(&root).unwrap(),
            signer: Signer {
                name: "test.rsa.pub".into(),
                key: RsaPrivateKey::generate_short().unwrap(),
            },
            packages: BTreeMap::new(),
            folder,
        };
        for text in packages {
            let (control, tree) = package(text);
            site.add(&control, &tree);
        }
        site
    }

    pub(crate) fn add(&mut self, control: &boltworks_apk::Control, tree: &boltworks_fsx::Tree) {
        let scripts = Scripts::new();
        let parts = Parts {
            control,
            scripts: &scripts,
            embedded: &[],
            tree,
        };
        let mut bytes = Vec::new();
        let options = WriteOptions {
            level: 1,
            ..WriteOptions::new(1_767_225_600)
        };
        let written = write_package(&mut bytes, &parts, &self.signer, &options).unwrap();
        let stored = self.store.put_bytes(&bytes).unwrap();
        let locked = LockedPackage {
            name: control.name.clone(),
            version: control.version.clone(),
            sha256: stored.digest,
            identity: written.identity,
            repository: "os".to_owned(),
        };
        self.packages.insert(control.name.to_string(), locked);
    }

    pub(crate) fn locked(&self, names: &str) -> Locked {
        let packages = names.split(' ').map(|name| self.packages[name].clone());
        Locked {
            packages: packages.collect(),
        }
    }

    pub(crate) fn trees(&self) -> Environments {
        Environments::open(&self.folder.path().join("trees"), 2).unwrap()
    }

    fn ensure(&self, names: &str) -> Result<TreeHandle, Error> {
        self.trees().ensure(&self.locked(names), &self.store, me())
    }

    fn folder(&self, path: &str) -> Vec<String> {
        let root = Root::open(&self.folder.path().join(path)).unwrap();
        let names = root.list().unwrap().into_iter();
        names
            .map(|entry| String::from_utf8(entry.name).unwrap())
            .collect()
    }
}

const BASE: &str = "
    base 1
    bin -> usr/bin
    usr/
    usr/bin/
    usr/bin/sh = shell 4755
    srv/ 2775
";
const TOOL: &str = "
    tool 1
    bin/tool = tool 755
    bin/tool-too => bin/tool
    usr/share/read-only/ 555
    usr/share/read-only/file = text 444
";

fn inode(tree: &TreeHandle, path: &str) -> u64 {
    tree.root.stat(&rel(path)).unwrap().unwrap().inode
}

#[test]
fn a_tree_is_laid_as_it_was_assembled() {
    let site = Site::new(&[BASE, TOOL]);
    let tree = site.ensure("base tool").unwrap();
    assert!(tree.made);
    let trees = site.folder.path().join("trees");
    assert!(tree.path.starts_with(trees) && tree.path.ends_with("root"));
    let stat = |path: &str| tree.root.stat(&rel(path)).unwrap().unwrap();
    let read = |path: &str| tree.root.read_text(&rel(path), Limit::kib(4)).unwrap();
    assert_eq!(read("usr/bin/tool"), "tool");
    assert_eq!(tree.root.read_link(&rel("bin")).unwrap(), b"usr/bin");
    // Nothing in a guest is setuid; directories keep what they had.
    assert_eq!(stat("usr/bin/sh").mode, 0o755);
    assert_eq!((stat("srv").mode, stat("tmp").mode), (0o2775, 0o1777));
    assert_eq!(stat("usr/share/read-only").mode, 0o555);
    assert_eq!(
        inode(&tree, "usr/bin/tool"),
        inode(&tree, "usr/bin/tool-too")
    );
    assert!(read("etc/passwd").contains("build:x:1000:1000"));
    for directory in ["dev", "proc", "sys", "home/build", "var/cache/melange"] {
        assert!(
            tree.root
                .dir(&rel(directory))
                .unwrap()
                .list()
                .unwrap()
                .is_empty()
        );
    }
    let Owner { uid, gid } = me();
    for path in ["usr/bin/tool", "bin", "usr/share/read-only", "etc/passwd"] {
        assert_eq!((stat(path).uid, stat(path).gid), (uid, gid), "{path}");
    }
}

#[test]
fn a_tree_is_made_once_and_its_files_are_shared() {
    let site = Site::new(&[BASE, TOOL]);
    let first = site.ensure("base tool").unwrap();
    let again = site.ensure("base tool").unwrap();
    assert!(first.made && !again.made);
    assert_eq!((&first.path, first.digest), (&again.path, again.digest));
    let other = site.ensure("base").unwrap();
    assert!(other.made && other.path != first.path);
    assert_eq!(inode(&first, "usr/bin/sh"), inode(&other, "usr/bin/sh"));
    assert_eq!(
        first.root.stat(&rel("usr/bin/sh")).unwrap().unwrap().nlink,
        3
    );
}

#[test]
fn equal_files_are_one_inode_only_with_equal_attributes() {
    let site = Site::new(&["a 1\nf = x 644\ng = x 755\nh = x 644"]);
    let tree = site.ensure("a").unwrap();
    assert_ne!(inode(&tree, "f"), inode(&tree, "g"));
    let other = Site::new(&["a 1\nf = x 644", "b 1\ni = x 644"]);
    let (a, b) = (other.ensure("a").unwrap(), other.ensure("b").unwrap());
    assert_eq!(inode(&a, "f"), inode(&b, "i"));
}

#[test]
fn an_interrupted_tree_is_never_used() {
    let site = Site::new(&[BASE]);
    let tree = site.ensure("base").unwrap();
    let name = tree
        .path
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let trees = Root::open(&site.folder.path().join("trees")).unwrap();
    // As if the run had died before the last rename: half a tree under the other name.
    let new: RelPath = format!("new-{name}").parse().unwrap();
    trees.rename(&rel(&name), &trees, &new).unwrap();
    trees.remove_tree(&new.push("root/usr").unwrap()).unwrap();
    let tree = site.ensure("base").unwrap();
    assert!(tree.made);
    assert!(tree.root.exists(&rel("usr/bin/sh")).unwrap());
    assert_eq!(
        site.folder("trees"),
        [name.as_str(), "locks", "pool", "stock"]
    );
}

#[test]
fn what_fails_leaves_nothing() {
    let site = Site::new(&[
        "a 1\nf = x",
        "b 1\nf = y",
        "c 1\nx/y = 1",
        "d 1\nx -> ../..",
    ]);
    let shown = |result: Result<TreeHandle, Error>| result.unwrap_err().to_string();
    insta::assert_snapshot!(shown(site.ensure("a b")), @"lay 'f' of b-1: a-1 has it too, with other content; one of them must declare that it replaces the other");
    insta::assert_snapshot!(shown(site.ensure("c d")), @"lay 'x': the link 'x' of d-1 leads out of the tree");
    let mut foreign = site.locked("a");
    foreign.packages[0].identity = Sha1::new([7; 20]);
    let refused = site.trees().ensure(&foreign, &site.store, me());
    assert!(
        matches!(refused, Err(Error::NotTheSame { .. })),
        "{refused:?}"
    );
    let mut missing = site.locked("a");
    missing.packages[0].sha256 = Sha256::new([7; 32]);
    let refused = site.trees().ensure(&missing, &site.store, me());
    assert!(matches!(refused, Err(Error::Store { .. })), "{refused:?}");
    assert_eq!(site.folder("trees"), ["locks", "pool", "stock"]);
}

#[test]
fn a_note_that_lies_is_not_believed() {
    let site = Site::new(&[BASE, TOOL]);
    let first = site.ensure("base tool").unwrap();
    let trees = Root::open(&site.folder.path().join("trees")).unwrap();
    // Half a note.
    for note in site.folder("trees/stock") {
        let path: RelPath = format!("stock/{note}").parse().unwrap();
        let bytes = trees.read_vec(&path, Limit::mib(1)).unwrap();
        trees
            .write(&path, &bytes[..bytes.len() / 2], 0o644)
            .unwrap();
    }
    let second = site.ensure("tool base").unwrap();
    assert_eq!(
        inode(&first, "usr/bin/tool"),
        inode(&second, "usr/bin/tool")
    );
    // Whole notes, and nothing in the pool.
    for shard in site.folder("trees/pool") {
        let shard: RelPath = format!("pool/{shard}").parse().unwrap();
        for file in trees.dir(&shard).unwrap().list().unwrap() {
            trees.remove_file(&shard.push(file.name).unwrap()).unwrap();
        }
    }
    let third = site.ensure("tool").unwrap();
    assert_eq!(
        third
            .root
            .read_text(&rel("bin/tool"), Limit::kib(1))
            .unwrap(),
        "tool"
    );
}

#[test]
fn a_package_whose_note_is_there_is_not_opened_again() {
    let site = Site::new(&[BASE, TOOL]);
    site.ensure("base tool").unwrap();
    let empty = tempfile::tempdir().unwrap();
    let nothing = Store::open(&Root::create(empty.path()).unwrap()).unwrap();
    let tree = site
        .trees()
        .ensure(&site.locked("tool base"), &nothing, me())
        .unwrap();
    assert!(tree.made && tree.root.exists(&rel("usr/bin/tool-too")).unwrap());
}

#[test]
fn a_shared_file_that_changed_is_found() {
    let site = Site::new(&[BASE, TOOL]);
    let tree = site.ensure("base tool").unwrap();
    assert!(site.trees().verify().unwrap().is_empty());
    #[expect(clippy::disallowed_methods, reason = "does what nothing of ours does")]
    std::fs::write(tree.path.join("usr/bin/tool"), "evil").unwrap();
    assert_eq!(site.trees().verify().unwrap().len(), 1);
}

#[test]
fn two_at_once_make_one_tree() {
    let site = Site::new(&[BASE, TOOL]);
    let made: Vec<bool> = std::thread::scope(|scope| {
        let names = ["base tool", "base", "base tool", "base"];
        let runs = names.map(|names| {
            let site = &site;
            scope.spawn(move || site.ensure(names).unwrap().made)
        });
        runs.map(|run| run.join().unwrap()).to_vec()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 2);
}

#[test]
fn another_owner_gets_another_tree() {
    let site = Site::new(&[BASE]);
    let Owner { uid, .. } = me();
    if uid != 0 {
        // Only root can give files away; that nobody else can is the system's own rule.
        assert!(
            site.trees()
                .ensure(&site.locked("base"), &site.store, Owner::from(uid + 1))
                .is_err()
        );
        return;
    }
    let (mine, theirs) = (
        site.ensure("base").unwrap(),
        site.trees()
            .ensure(&site.locked("base"), &site.store, Owner::from(4321))
            .unwrap(),
    );
    assert_ne!(inode(&mine, "usr/bin/sh"), inode(&theirs, "usr/bin/sh"));
    let stat = theirs.root.stat(&rel("usr/bin/sh")).unwrap().unwrap();
    assert_eq!((stat.uid, stat.gid), (4321, 4321));
}

#[test]
fn past_the_most_links_a_new_inode_begins() {
    // tmpfs and ext4 have other limits; the one of the folder's file system is tried.
    let site = Site::new(&["a 1\nf = x", "b 1\ng = x", "c 1\nh = x"]);
    let first = site.ensure("a").unwrap();
    let file = first.path.join("f");
    let links = site.folder.path().join("links");
    let root = Root::create(&links).unwrap();
    let mut count = 0_u32;
    let limit = loop {
        let name = rel(&count.to_string());
        match first.root.hard_link(&rel("f"), &root, &name) {
            Ok(()) if count < 70_000 => count += 1,
            Ok(()) => break false,
            Err(error) => {
                assert_eq!(error.io_kind(), Some(std::io::ErrorKind::TooManyLinks));
                break true;
            }
        }
    };
    let (second, third) = (site.ensure("b").unwrap(), site.ensure("c").unwrap());
    if limit {
        assert_ne!(inode(&first, "f"), inode(&second, "g"), "{count} links");
        #[expect(
            clippy::disallowed_methods,
            reason = "asks the system, not our own reading"
        )]
        let stat = std::fs::metadata(&file).unwrap();
        // The pool's name went to the new inode; the tree's and the test's stay.
        assert_eq!(stat.nlink(), u64::from(count) + 1);
    }
    assert_eq!(inode(&second, "g"), inode(&third, "h"));
}
