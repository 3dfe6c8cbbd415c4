//! What is read off the files of a package.

use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};
use boltworks_package::analysis::{Analysis, Subject, analyse};
use boltworks_package::lint::{self, Report, lint};
use boltworks_package::survey::{Family, survey};

use crate::taken;

/// No pkg-config file is longer.
const PKG_CONFIG_LIMIT: usize = 1 << 20;

fn put(tree: &mut Tree, path: &str, node: Node) {
    let path = RelPath::try_from(path).expect("a sound path");
    tree.insert(path, node).expect("a place for each");
}

fn found(tree: &Tree, siblings: &[&Tree]) -> Option<(Analysis, Report)> {
    let (name, version) = ("subject".parse(), "1.0-r0".parse());
    let (name, version) = (name.expect("a name"), version.expect("a version"));
    let family = Family::new(&[&[tree], siblings].concat()).ok()?;
    let survey = survey(tree, &family).ok()?;
    let report = lint(&lint::Subject::default(), &survey);
    Some((analyse(&Subject::new(&name, &version), &survey), report))
}

fn look(tree: &Tree, siblings: &[&Tree]) -> Option<Analysis> {
    let one = found(tree, siblings);
    let other = found(tree, siblings);
    assert_eq!(one, other, "looked at twice, it differs");
    let (one, _) = one?;
    if !one.depends.is_empty() {
        taken();
    }
    for offer in one.provides.values() {
        assert!(
            !offer.name.as_str().contains(char::is_whitespace),
            "{} is no name",
            offer.name
        );
    }
    Some(one)
}

/// An ELF file as a library, a program and something that links lead to.
pub fn elf(data: &[u8]) {
    let mut tree = Tree::new();
    let meta = || Meta::new(0o755, 0);
    put(&mut tree, "usr/bin/program", Node::file(meta(), data));
    put(
        &mut tree,
        "usr/lib/libsubject.so.1",
        Node::file(meta(), data),
    );
    put(
        &mut tree,
        "usr/libexec/subject/plugin.so",
        Node::file(meta(), data),
    );
    let mut links = Tree::new();
    put(
        &mut links,
        "usr/lib/libsubject.so",
        Node::symlink(meta(), "libsubject.so.1"),
    );
    let whole = look(&tree, &[]);
    let linked = look(&links, &[&tree]);
    assert!(
        whole.is_some() && linked.is_some(),
        "a file in memory could not be read"
    );
}

/// A script, a pkg-config file, and links whose target is the first line.
pub fn package_files(data: &[u8]) {
    let first = data.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut tree = Tree::new();
    let meta = || Meta::new(0o755, 0);
    put(&mut tree, "usr/bin/script", Node::file(meta(), data));
    put(
        &mut tree,
        "usr/lib/pkgconfig/subject.pc",
        Node::file(meta(), data),
    );
    put(
        &mut tree,
        "usr/share/pkgconfig/other.pc",
        Node::file(meta(), data),
    );
    put(&mut tree, "boot/kernel", Node::file(meta(), data));
    put(
        &mut tree,
        "lib/modules/1.0/module.ko",
        Node::file(meta(), data),
    );
    put(
        &mut tree,
        "etc/ld.so.conf.d/subject.conf",
        Node::file(meta(), data),
    );
    put(&mut tree, "usr/bin/link", Node::symlink(meta(), first));
    put(
        &mut tree,
        "usr/lib/liblink.so",
        Node::symlink(meta(), first),
    );
    if let Ok(target) = RelPath::new(first) {
        let kind = Kind::Hardlink(target);
        put(&mut tree, "usr/sbin/hardlink", Node { meta: meta(), kind });
    }
    let is_too_long = data.len() > PKG_CONFIG_LIMIT;
    assert!(
        look(&tree, &[&tree]).is_some() || is_too_long,
        "a file in memory could not be read"
    );
}
