//! Accounts of guests: what lies above the trees they are given.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_fsx::{Kind, Meta, Node, Root, ScanOptions, Tree, WriteOptions};
use boltworks_recipe::resolved::{Accounts, Group, User};
use boltworks_rootfs::accounts::numbers;
use boltworks_rootfs::{Environments, Owner};

use crate::{node, text};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:1000:build:/home/build:/bin/sh\n";

/// A folder of trees, and trees of a guest as somebody else made them, the topmost first.
struct Yard {
    folder: tempfile::TempDir,
    environments: Environments,
    trees: Vec<PathBuf>,
}

impl Yard {
    fn new(trees: &[&[&str]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lay = |(at, lines): (usize, &&[&str])| {
            let path = folder.path().join(format!("tree{at}"));
            let root = Root::create(&path).unwrap();
            let mut tree: Tree = Tree::new();
            for (path, node) in lines.iter().map(|line| node(line)) {
                tree.insert(path, node).unwrap();
            }
            tree.ensure_dirs(&Meta::new(0o755, 7));
            if at + 1 == trees.len() {
                let passwd = Node::file(Meta::new(0o644, 5), PASSWD.as_bytes());
                tree.insert("etc/passwd".parse().unwrap(), passwd).unwrap();
            }
            tree.write_to(&root, WriteOptions::default()).unwrap();
            path
        };
        let trees = trees.iter().enumerate().map(lay).collect();
        let environments = Environments::open(&folder.path().join("trees"), 1).unwrap();
        Self {
            folder,
            environments,
            trees,
        }
    }

    fn with(&self, accounts: &Accounts) -> Result<Vec<PathBuf>, String> {
        let owner = self.folder.path();
        let owner = Root::open(owner).unwrap().stat_self().unwrap();
        let owner = Owner {
            uid: owner.uid,
            gid: owner.gid,
        };
        let trees = self
            .environments
            .with_accounts(&self.trees, accounts, owner);
        trees.map_err(|error| error.to_string())
    }
}

fn read(path: &Path) -> Tree {
    Tree::read_from(&Arc::new(Root::open(path).unwrap()), ScanOptions::default()).unwrap()
}

/// The tree's paths, modes and times, and its files' text.
fn dump(tree: &Tree) -> String {
    let line = |(path, node): (_, &Node)| {
        let Meta { mode, mtime, .. } = node.meta;
        let text = match &node.kind {
            Kind::File(content) => format!("\n{}", text(content)),
            _ => "\n".to_owned(),
        };
        format!("{path} {mode:o} {mtime}{text}")
    };
    tree.iter().map(line).collect()
}

fn user(username: &str, uid: u32, homedir: &str) -> User {
    User {
        username: username.into(),
        uid,
        gid: uid,
        shell: "/bin/sh".into(),
        homedir: homedir.into(),
    }
}

fn accounts(users: Vec<User>) -> Accounts {
    Accounts {
        users,
        ..Accounts::default()
    }
}

#[test]
fn without_accounts_nothing_lies_above() {
    let yard = Yard::new(&[&[]]);
    let none = Accounts {
        run_as: Some("root".into()),
        ..Accounts::default()
    };
    assert_eq!(yard.with(&none).unwrap(), yard.trees);
}

#[test]
fn accounts_lie_above_and_nothing_else_does() {
    let yard = Yard::new(&[
        &["srv/"],
        &[
            "etc/ 750",
            "etc/shadow = root:*:::::: 600",
            "home/ 711",
            "usr/bin/sh = x",
            "opt/there/",
        ],
    ]);
    let asked = Accounts {
        run_as: None,
        users: vec![
            user("web", 33, "/home/web"),
            user("there", 34, "/opt/there"),
            user("nobody", 35, "/dev/null"),
        ],
        groups: vec![Group {
            groupname: "www".into(),
            gid: 33,
            members: vec!["web".into()],
        }],
    };
    let trees = yard.with(&asked).unwrap();
    assert_eq!(trees[1..], yard.trees[..]);
    insta::assert_snapshot!(dump(&read(&trees[0])), @r"
    etc 750 0
    etc/group 644 0
    www:x:33:web
    etc/passwd 644 0
    root:x:0:0:root:/root:/bin/sh
    build:x:1000:1000:build:/home/build:/bin/sh
    web:x:33:33:Account created by boltworks:/home/web:/bin/sh
    there:x:34:34:Account created by boltworks:/opt/there:/bin/sh
    nobody:x:35:35:Account created by boltworks:/dev/null:/bin/sh
    etc/shadow 600 0
    root:*::::::
    web:!::0:99999:7:::
    there:!::0:99999:7:::
    nobody:!::0:99999:7:::
    home 711 0
    home/web 700 0
    ");
    assert_eq!(numbers(&trees, "web").unwrap(), Some((33, 33)));
    assert_eq!(numbers(&trees, "build").unwrap(), Some((1000, 1000)));
    assert_eq!(numbers(&trees, "absent").unwrap(), None);
    // The same once more, and over another ground that has the same files, is the same tree.
    assert_eq!(yard.with(&asked).unwrap(), trees);
    let count = || {
        read(&yard.folder.path().join("trees"))
            .iter()
            .filter(|(path, _)| path.file_name() == b"root")
            .count()
    };
    assert_eq!(count(), 1);
    // Others are another.
    assert_ne!(
        yard.with(&accounts(vec![user("web", 44, "/home/web")]))
            .unwrap()[0],
        trees[0]
    );
    assert_eq!(count(), 2);
}

#[test]
fn homes_are_where_links_lead() {
    let yard = Yard::new(&[
        &["var/homes/up -> ../../srv"],
        &[
            "home -> var/homes",
            "var/homes/",
            "srv/ 700",
            "self -> self",
            "file = x",
        ],
    ]);
    let place = |home: &str| {
        let trees = yard.with(&accounts(vec![user("web", 33, home)]))?;
        let tree = read(&trees[0]);
        let paths = tree.iter().map(|(path, _)| path.to_string());
        Ok(paths
            .filter(|path| !path.starts_with("etc"))
            .collect::<Vec<_>>()
            .join(" "))
    };
    let check = |home: &str| place(home).unwrap_or_else(|error: String| error);
    assert_eq!(check("/home/web"), "var var/homes var/homes/web");
    assert_eq!(check("/home/up/a/web"), "srv srv/a srv/a/web");
    assert_eq!(check("/srv"), "");
    assert_eq!(check("/"), "");
    assert_eq!(check("/self/x"), "'/self/x': its links lead in a circle");
    assert_eq!(check("/file/x"), "'/file/x': a part of it is no directory");
    assert_eq!(
        check("/../x"),
        "accounts: '/../x' cannot be the homedir of 'web': use '../x' as a relative path: a component is '..'"
    );
}

#[test]
fn a_name_has_one_number() {
    let yard = Yard::new(&[&[]]);
    let fault = |name: &str, uid| {
        yard.with(&accounts(vec![user(name, uid, "/x")]))
            .unwrap_err()
    };
    insta::assert_snapshot!(fault("build", 1001), @"accounts: 'build' is in /etc/passwd already, as 'build:x:1000:1000:build:/home/build:/bin/sh'");
    // Of two that are asked for the first counts, as in melange.
    let twice = accounts(vec![
        user("web", 33, "/a"),
        user("web", 34, "/b"),
        user("web", 33, "/a"),
    ]);
    let trees = yard.with(&twice).unwrap();
    assert_eq!(numbers(&trees, "web").unwrap(), Some((33, 33)));
    let lines = dump(&read(&trees[0]));
    assert_eq!(lines.matches("\nweb:x:3").count(), 2, "{lines}");
    insta::assert_snapshot!(fault("web", u32::MAX), @"accounts.users: no user or group has the number 4294967295: the largest is 4294967294");
    insta::assert_snapshot!(fault("a:b", 5), @"accounts: 'a:b' cannot be a username");
    assert!(
        yard.with(&accounts(vec![user("build", 1000, "/x")]))
            .is_ok()
    );
}
