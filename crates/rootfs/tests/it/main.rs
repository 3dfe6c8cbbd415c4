//! Packages to trees from outside: the rules of assembly, trees on disk, speed.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod accounts;
mod assembling;
mod environments;
mod layers;
mod speed;

use boltworks_apk::Control;
use boltworks_fsx::{Content, Kind, Limit, Meta, Node, RelPath, Tree};
use boltworks_rootfs::{Assembly, Error, Member, assemble};

fn rel(path: &str) -> RelPath {
    path.parse().unwrap()
}

/// Reads `name version [origin o] [replaces …] [priority n]`.
fn control(line: &str) -> Control {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap_or_else(|| panic!("{line}"));
    let (name, version) = (next().parse().unwrap(), next().parse().unwrap());
    let mut control = Control::new(name, version, "x86_64");
    let mut field = "";
    for word in words {
        match (field, word) {
            (_, "origin" | "replaces" | "priority") => field = word,
            ("origin", word) => word.clone_into(&mut control.origin),
            ("replaces", word) => control.replaces.push(word.parse().unwrap()),
            ("priority", word) => control.replaces_priority = Some(word.parse().unwrap()),
            _ => panic!("{line}"),
        }
    }
    control
}

/// Reads `path/ [mode]`, `path = content [mode]`, `path -> target`, `path => hard link`,
/// `path device`.
fn node(line: &str) -> (RelPath, Node) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mode = |at: usize, usual| {
        let mode = words
            .get(at)
            .map_or(Ok(usual), |mode| u32::from_str_radix(mode, 8));
        Meta::new(mode.unwrap(), 0)
    };
    match words[..] {
        [path, "=", content, ..] => (rel(path), Node::file(mode(3, 0o644), content.as_bytes())),
        [path, "->", target] => (rel(path), Node::symlink(mode(9, 0o777), target)),
        [path, "=>", target] => {
            let kind = Kind::Hardlink(rel(target));
            (
                rel(path),
                Node {
                    meta: mode(9, 0o644),
                    kind,
                },
            )
        }
        [path, "device"] => {
            let kind = Kind::CharDevice { major: 1, minor: 3 };
            (
                rel(path),
                Node {
                    meta: mode(9, 0o600),
                    kind,
                },
            )
        }
        [path, ..] => (
            rel(path.strip_suffix('/').unwrap()),
            Node::dir(mode(1, 0o755)),
        ),
        [] => panic!("an empty line"),
    }
}

/// Reads a package: a line for [`control`], then one for each [`node`].
fn package(text: &str) -> (Control, Tree) {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let control = control(lines.next().unwrap());
    let mut tree = Tree::new();
    for (path, node) in lines.map(node) {
        tree.insert(path, node).unwrap();
    }
    (control, tree)
}

fn assembled(packages: &[&str]) -> Result<Assembly, Error> {
    let packages: Vec<_> = packages.iter().map(|text| package(text)).collect();
    let members = packages
        .iter()
        .map(|(control, tree)| Member { control, tree });
    assemble(&members.collect::<Vec<_>>())
}

fn text(content: &Content) -> String {
    String::from_utf8(content.read_vec(Limit::kib(1)).unwrap()).unwrap()
}

/// The tree in the words of [`node`], and which package each path is from.
fn shown(assembly: &Assembly) -> String {
    let line = |(path, Node { meta, kind }): (&RelPath, &Node)| {
        let what = match kind {
            Kind::Dir => format!("{path}/ {:o}", meta.mode),
            Kind::File(content) => format!("{path} = {} {:o}", text(content), meta.mode),
            Kind::Symlink(target) => format!("{path} -> {}", String::from_utf8_lossy(target)),
            Kind::Hardlink(target) => format!("{path} => {target}"),
            _ => format!("{path} device"),
        };
        format!("{what} #{}", assembly.origin[path])
    };
    assembly
        .tree
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}
