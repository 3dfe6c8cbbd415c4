//! What a build guest needs and no package brings: mount points, accounts, a home, and the
//! names that other systems' package scripts choose.

use boltworks_fsx::{Content, Kind, Limit, Meta, Node, RelPath, Tree};

use crate::{Error, listed};

/// Names what [`strip`] takes away and [`furnish`] adds; it goes up whenever that changes, so that old trees are not used.
pub(crate) const VERSION: u32 = 2;

/// Accounts, as `/etc/passwd` has them. The build runs as `build`.
const USERS: [&str; 3] = [
    "root:x:0:0:root:/root:/bin/sh",
    "build:x:1000:1000:build:/home/build:/bin/sh",
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
];
const GROUPS: [&str; 3] = ["root:x:0:", "build:x:1000:build", "nobody:x:65534:"];

const FILES: [(&str, &str); 3] = [
    (
        "etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    ),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\nprotocols: files\nservices: files\n",
    ),
    // There is no network to resolve names with.
    ("etc/resolv.conf", ""),
];

/// Directories with the modes they must have.
const DIRECTORIES: [(&str, u32); 9] = [
    ("dev", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var/tmp", 0o1777),
    ("run", 0o755),
    ("root", 0o700),
    ("home/build", 0o755),
    ("var/cache/melange", 0o755),
];

/// Commands that a package's script would make, each with those that may stand for it, best
/// first; a trailing `*` is a version.
const ALTERNATIVES: [(&str, &[&str]); 9] = [
    ("awk", &["gawk", "mawk", "original-awk"]),
    ("nawk", &["gawk", "mawk", "original-awk"]),
    ("cc", &["gcc", "clang"]),
    ("c++", &["g++", "clang++"]),
    ("c99", &["c99-gcc"]),
    ("yacc", &["bison.yacc", "byacc"]),
    ("aclocal", &["aclocal-*"]),
    ("automake", &["automake-*"]),
    ("which", &["which.debianutils", "which.gnu"]),
];

/// Takes away what a guest must not have: setuid, setgid on files, and extended attributes
/// (capabilities mean nothing to the one user of a guest, and some names are orders to the
/// overlay).
pub fn strip(tree: &mut Tree) {
    for (_, node) in tree.iter_mut() {
        node.meta.xattrs.clear();
        node.meta.mode &= if node.is_dir() { 0o3777 } else { 0o1777 };
    }
}

/// Adds what a guest needs and no package brings, to a tree that is assembled.
pub fn furnish(tree: &mut Tree) -> Result<(), Error> {
    for (path, mode) in DIRECTORIES {
        put(tree, path, Node::dir(Meta::new(mode, 0)))?;
    }
    for (path, text) in FILES {
        put(tree, path, file(text))?;
    }
    accounts(tree, "etc/passwd", &USERS)?;
    accounts(tree, "etc/group", &GROUPS)?;
    alternatives(tree)?;
    tree.ensure_dirs(&Meta::new(0o755, 0));
    Ok(())
}

/// Whether it matters to [`furnish`] what a package has at a path.
pub(crate) fn is_furnished(path: &RelPath) -> bool {
    let text = path.as_bytes();
    let is = |name: &str| name.as_bytes() == text;
    let is_command = |name: &str| {
        let Some(command) = text.strip_prefix(b"usr/bin/") else {
            return false;
        };
        match name.strip_suffix('*') {
            Some(stem) => command.starts_with(stem.as_bytes()),
            None => command == name.as_bytes(),
        }
    };
    DIRECTORIES.iter().any(|(name, _)| is(name))
        || FILES.iter().any(|(name, _)| is(name))
        || ["etc/passwd", "etc/group"].into_iter().any(is)
        || listed::is_listed(path)
        || ALTERNATIVES.iter().any(|(name, choices)| {
            is_command(name) || choices.iter().any(|choice| is_command(choice))
        })
}

fn file(text: &str) -> Node {
    Node::file(Meta::new(0o644, 0), text.as_bytes())
}

fn put(tree: &mut Tree, path: &str, node: Node) -> Result<(), Error> {
    let path = RelPath::try_from(path)?;
    if node.is_dir() && tree.get(&path).is_some_and(|there| !there.is_dir()) {
        tree.remove(&path);
    }
    tree.insert(path, node).map_err(|source| Error::File {
        action: "furnish a guest".to_owned(),
        source,
    })?;
    Ok(())
}

/// Adds the accounts that a package's own file does not name.
fn accounts(tree: &mut Tree, path: &str, entries: &[&str]) -> Result<(), Error> {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let path_of = RelPath::try_from(path)?;
    let mut text = match tree.file(&path_of) {
        Some(content) => text_of(&path_of, content)?,
        None => String::new(),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for entry in entries {
        if !text.lines().any(|line| name(line) == name(entry)) {
            text.push_str(entry);
            text.push('\n');
        }
    }
    put(tree, path, file(&text))
}

fn text_of(path: &RelPath, content: &Content) -> Result<String, Error> {
    let bytes = content
        .read_vec(Limit::mib(1))
        .map_err(|source| Error::Content {
            path: path.clone(),
            source,
        })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn alternatives(tree: &mut Tree) -> Result<(), Error> {
    for (name, choices) in ALTERNATIVES {
        let path = format!("usr/bin/{name}");
        if tree.contains(&RelPath::try_from(path.as_str())?) {
            continue;
        }
        for choice in choices {
            if let Some(found) = command(tree, choice)? {
                put(tree, &path, Node::symlink(Meta::new(0o777, 0), found))?;
                break;
            }
        }
    }
    Ok(())
}

/// The command of that name in `/usr/bin`; of several versions the last in order.
fn command(tree: &Tree, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let directory = RelPath::try_from("usr/bin")?;
    let Some(stem) = name.strip_suffix('*') else {
        let path = directory.push(name)?;
        return Ok(tree.contains(&path).then(|| name.into()));
    };
    let names = tree.beneath(&directory).filter(|(_, node)| {
        matches!(
            node.kind,
            Kind::File(_) | Kind::Hardlink(_) | Kind::Symlink(_)
        )
    });
    let versions = names
        .map(|(path, _)| path.file_name())
        .filter(|file| file.starts_with(stem.as_bytes()));
    let last = versions.max_by_key(|file| (file.len(), file.to_vec()));
    Ok(last.map(<[u8]>::to_vec))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(tree: &Tree, path: &str) -> String {
        let path = path.parse().unwrap();
        text_of(&path, tree.file(&path).unwrap()).unwrap()
    }

    fn with(nodes: Vec<(&str, Node)>) -> Tree {
        let mut tree = Tree::new();
        for (path, node) in nodes {
            tree.insert(path.parse().unwrap(), node).unwrap();
        }
        strip(&mut tree);
        furnish(&mut tree).unwrap();
        tree
    }

    #[test]
    fn an_empty_tree_becomes_a_guest() {
        let tree = with(vec![]);
        assert!(text(&tree, "etc/passwd").contains("\nbuild:x:1000:1000:"));
        assert_eq!(text(&tree, "etc/resolv.conf"), "");
        let mode = |path: &str| tree.get(&path.parse().unwrap()).unwrap().meta.mode;
        assert_eq!(
            (mode("tmp"), mode("home"), mode("home/build")),
            (0o1777, 0o755, 0o755)
        );
    }

    #[test]
    fn accounts_of_packages_stay() {
        let passwd = "root:x:0:0::/:/bin/false\nmail:x:8:8::/:/bin/false";
        let tree = with(vec![("etc/passwd", file(passwd))]);
        assert_eq!(
            text(&tree, "etc/passwd"),
            format!("{passwd}\n{}\n{}\n", USERS[1], USERS[2])
        );
    }

    #[test]
    fn nothing_runs_as_somebody_else() {
        let meta = |mode| Meta {
            xattrs: BTreeMap::from([(b"security.capability".to_vec(), vec![1])]),
            ..Meta::new(mode, 7)
        };
        let tree = with(vec![
            ("usr/bin/su", Node::file(meta(0o6755), *b"")),
            ("srv", Node::dir(meta(0o7775))),
        ]);
        let found = |path: &str| tree.get(&path.parse().unwrap()).unwrap().meta.clone();
        assert_eq!(found("usr/bin/su"), Meta::new(0o755, 7));
        assert_eq!(found("srv"), Meta::new(0o3775, 7));
    }

    #[test]
    fn commands_get_their_usual_names() {
        let bin = |name: &str| (format!("usr/bin/{name}"), file(""));
        let files = ["mawk", "gcc", "cc", "automake-1.9", "automake-1.17"].map(bin);
        let tree = with(
            files
                .iter()
                .map(|(path, node)| (path.as_str(), node.clone()))
                .collect(),
        );
        let link = |name: &str| match &tree.get(&format!("usr/bin/{name}").parse().unwrap())?.kind {
            Kind::Symlink(target) => Some(String::from_utf8_lossy(target).into_owned()),
            _ => None,
        };
        assert_eq!(link("awk").as_deref(), Some("mawk"));
        assert_eq!(link("automake").as_deref(), Some("automake-1.17"));
        assert_eq!((link("cc"), link("c++"), link("yacc")), (None, None, None));
    }
}
