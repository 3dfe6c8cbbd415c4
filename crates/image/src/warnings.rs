//! What a person should look at before such a file is run: it is as it was asked for, and more
//! than a program usually needs.
//!
//! Setuid and setgid programs, files that everybody may write, directories in which everybody may
//! replace anybody's files, devices and named pipes. Each is told with the package it comes from,
//! or with the image file if that made it so. So is every file of a package that the image has
//! replaced, but for those of accounts.

use std::collections::BTreeSet;

use boltworks_fsx::{Kind, Node, RelPath, Tree};

use crate::brought::Brought;

/// Packages bring these for the image's own accounts to go into.
const ACCOUNTS: &[&[u8]] = &[b"etc/group", b"etc/passwd", b"etc/shadow"];

/// Whether a path of the image is none of the image below, as it is there.
pub type IsNew<'a> = dyn Fn(&RelPath, &Node) -> bool + 'a;

/// One line for each path of the finished image, in byte order; `replaced` are the packages'
/// paths at which it has something else, and nothing is told of what is not `is_new`. The text depends on nothing but the image.
pub fn warnings(
    brought: &Brought<'_>,
    tree: &Tree,
    (replaced, is_new): (&BTreeSet<RelPath>, &IsNew<'_>),
) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, node) in tree.iter().filter(|(path, node)| is_new(path, node)) {
        let what = remarkable(node);
        let is_replaced = replaced.contains(path);
        if what.is_none() && !is_replaced {
            continue;
        }
        let package = brought.package(path);
        let before = brought.node(path);
        if let Some(package) = package.as_ref().filter(|_| is_replaced)
            && before.is_some_and(|node| !node.is_dir())
            && !ACCOUNTS.contains(&path.as_bytes())
        {
            lines.push(format!(
                "'/{path}' from {package} is replaced by the image's own, and no longer the package's"
            ));
        }
        if let Some(what) = what {
            let package = package.filter(|_| before.and_then(remarkable) == Some(what));
            let from = package.as_deref().unwrap_or("the image file");
            lines.push(format!("'/{path}' from {from} {what}"));
        }
    }
    lines
}

/// What is to be said of a path, if anything is. Names of the same file say the same.
fn remarkable(node: &Node) -> Option<&'static str> {
    let mode = node.meta.mode;
    let for_all = mode & 0o002 != 0;
    match &node.kind {
        Kind::CharDevice { .. } | Kind::BlockDevice { .. } => Some("is a device"),
        Kind::Fifo => Some("is a named pipe"),
        Kind::Dir if for_all && mode & 0o1000 == 0 => {
            Some("is a directory in which everybody may replace files: it has no sticky bit")
        }
        Kind::Dir | Kind::Symlink(_) => None,
        Kind::File(_) | Kind::Hardlink(_) => match (mode & 0o6000, for_all) {
            (0, false) => None,
            (0, true) => Some("can be written by everybody"),
            (0o4000, false) => Some("runs as its owner: it is setuid"),
            (0o4000, true) => {
                Some("runs as its owner, and can be written by everybody: it is setuid")
            }
            (0o2000, false) => Some("runs as its group: it is setgid"),
            (0o2000, true) => {
                Some("runs as its group, and can be written by everybody: it is setgid")
            }
            (_, false) => Some("runs as its owner and group: it is setuid and setgid"),
            (_, true) => Some(
                "runs as its owner and group, and can be written by everybody: it is setuid and \
                 setgid",
            ),
        },
    }
}
