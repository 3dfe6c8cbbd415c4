//! What a person should look at before such a file is run: it is as it was asked for, and more
//! than a program usually needs.
//!
//! Setuid and setgid programs, files that everybody may write, directories in which everybody may
//! replace anybody's files, devices and named pipes. Each is told with the package it comes from,
//! or with the image file if that made it so.

use std::collections::BTreeMap;

use boltworks_fsx::{Kind, Node, RelPath, Tree};
use boltworks_rootfs::{Assembly, Member};

/// What every package brings of that, before the image file changes any.
#[derive(Debug)]
pub struct Brought<'a>(BTreeMap<RelPath, (&'static str, Member<'a>)>);

impl<'a> Brought<'a> {
    /// Looks through the packages' own files.
    pub fn of(assembly: &Assembly, members: &[Member<'a>]) -> Self {
        let notable = assembly.tree.iter().filter_map(|(path, node)| {
            let member = members.get(*assembly.origin.get(path)?)?;
            Some((path.clone(), (remarkable(node)?, *member)))
        });
        Self(notable.collect())
    }

    /// One line for each path of the finished image, in byte order. Its text depends on nothing
    /// but the image.
    pub fn warnings(&self, tree: &Tree) -> Vec<String> {
        let line = |(path, node): (&RelPath, &Node)| {
            let what = remarkable(node)?;
            let from = match self.0.get(path) {
                Some((brought, member)) if *brought == what => {
                    let control = member.control;
                    format!("{}-{}", control.name, control.version)
                }
                _ => "the image file".to_owned(),
            };
            Some(format!("'/{path}' from {from} {what}"))
        };
        tree.iter().filter_map(line).collect()
    }
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
            (0o4000, _) => Some("runs as its owner: it is setuid"),
            (0o2000, _) => Some("runs as its group: it is setgid"),
            _ => Some("runs as its owner and group: it is setuid and setgid"),
        },
    }
}
