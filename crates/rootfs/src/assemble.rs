//! Packages merged into one tree, in memory.
//!
//! Packages are laid in install order. What happens where two have the same name:
//!
//! | first | second | outcome |
//! |---|---|---|
//! | directory | directory | the first one's attributes stay, setgid and sticky too |
//! | link to a directory | directory | the link stays, the directory is where it leads |
//! | directory | link to a directory | as above: a link counts wherever in the order it comes |
//! | link to a directory | directory of the same name | its attributes are nobody's: it says nothing of where the link leads |
//! | file or link | the same content | the first stays |
//! | file or link | other content | decided by `replaces`; see [`Member`] |
//! | directory | anything else | an error |
//!
//! Paths beneath a linked directory are laid where the link leads, so that with `lib` a link
//! to `usr/lib`, `lib/libc.so` is `usr/lib/libc.so` in the tree.
//!
//! No package has a file where the tree means something by its name: in apk's own database, or
//! beginning with `.wh.`, which image layers (image-spec, "whiteouts") take for a removal.

use std::collections::BTreeMap;

use boltworks_apk::Control;
use boltworks_fsx::{Content, Kind, Node, RelPath, Tree};
use boltworks_model::Sha256;

use crate::Error;
use crate::links::{Faulty, Link, Links};
use crate::plain::plain;

/// How names begin that layers take for removals.
const WHITEOUT: &[u8] = b".wh.";
/// Where apk keeps what it knows.
const DATABASES: &[&[u8]] = &[b"lib/apk/db", b"usr/lib/apk/db"];

/// One package to be laid.
///
/// A file of one package replaces another package's file of the same name if its package
/// declares `replaces` with the other's name (and a version that fits), or if both have the
/// same origin and the other one does not declare it. If both declare it, the higher
/// `replaces_priority` wins, and the first among equals.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// What the package says of itself.
    pub control: &'a Control,
    /// Its files.
    pub tree: &'a Tree,
}

impl Member<'_> {
    pub(crate) fn label(&self) -> String {
        format!("{}-{}", self.control.name, self.control.version)
    }

    fn replaces(&self, other: &Self) -> bool {
        let theirs = other.control;
        self.control.replaces.iter().any(|dependency| {
            dependency.name == theirs.name && dependency.matches(Some(&theirs.version))
        })
    }

    fn has_origin_of(&self, other: &Self) -> bool {
        !self.control.origin.is_empty() && self.control.origin == other.control.origin
    }
}

/// Packages merged into one tree.
#[derive(Debug, Clone, Default)]
pub struct Assembly {
    /// The tree. Directories that no package names are left out.
    pub tree: Tree,
    /// The package each path came from, by its place in the install order; for a directory,
    /// the package that named it first.
    pub origin: BTreeMap<RelPath, usize>,
    /// What each package has of it.
    pub belongings: Vec<Belongings>,
}

/// What a package has of a merged tree: its files as far as nobody replaced them, and the directories
/// it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belongings {
    /// All that it has, where it has it itself.
    All,
    /// These paths of the tree, with what the package itself calls them.
    Some(BTreeMap<RelPath, RelPath>),
}

impl Belongings {
    /// The paths of the tree. `own` is the package's tree.
    pub fn paths<'p>(&'p self, own: &'p Tree) -> impl Iterator<Item = &'p RelPath> {
        let (all, some) = match self {
            Self::All => (Some(own.iter()), None),
            Self::Some(paths) => (None, Some(paths.keys())),
        };
        let all = all.into_iter().flatten().map(|(path, _)| path);
        all.chain(some.into_iter().flatten())
    }

    /// What the package itself calls a path of the tree that it has.
    pub fn own_name<'p>(&'p self, path: &'p RelPath) -> Option<&'p RelPath> {
        match self {
            Self::All => Some(path),
            Self::Some(paths) => paths.get(path),
        }
    }
}

/// Merges packages in install order.
pub fn assemble(members: &[Member<'_>]) -> Result<Assembly, Error> {
    plain(members).map_or_else(|| assemble_with_care(members), Ok)
}

/// The same, whatever they have.
pub(crate) fn assemble_with_care(members: &[Member<'_>]) -> Result<Assembly, Error> {
    let links = links(members)?;
    let mut site = Site {
        members,
        placed: BTreeMap::new(),
        passed: BTreeMap::new(),
        belongings: vec![BTreeMap::new(); members.len()],
    };
    for (member, package) in members.iter().enumerate() {
        for (path, node) in package.tree.iter() {
            let fault = |faulty| link_error(members, faulty, path);
            let source = Source {
                member,
                path: path.clone(),
            };
            let real = links.place(path).map_err(fault)?;
            if !node.is_dir() {
                site.lay(real, source, node)?;
                continue;
            }
            let end = links.directory(path).map_err(fault)?;
            if end == real {
                site.lay(end, source, node)?;
            } else {
                site.pass(&end, &source)?;
            }
        }
    }
    site.finish()
}

/// All links of all packages. Where packages disagree, the file rules decide later; to find
/// out what lies where, the last one allowed to replace counts.
fn links(members: &[Member<'_>]) -> Result<Links, Error> {
    let mut raw: BTreeMap<RelPath, Link> = BTreeMap::new();
    for (place, member) in members.iter().enumerate() {
        for (path, node) in member.tree.iter() {
            let Kind::Symlink(target) = &node.kind else {
                continue;
            };
            let owner = raw.get(path).and_then(|link| members.get(link.member));
            if owner.is_none_or(|owner| wins(member, owner)) {
                let target = target.clone();
                raw.insert(
                    path.clone(),
                    Link {
                        member: place,
                        target,
                    },
                );
            }
        }
    }
    Links::new(raw).map_err(|faulty| {
        let link = faulty.link.clone();
        link_error(members, faulty, &link)
    })
}

fn link_error(members: &[Member<'_>], faulty: Faulty, path: &RelPath) -> Error {
    let member = members.get(faulty.member);
    Error::Link {
        path: path.clone(),
        package: member.map_or_else(String::new, Member::label),
        link: faulty.link,
        fault: faulty.fault,
    }
}

/// Whether the later package's file takes the place of the earlier one's.
fn wins(later: &Member<'_>, earlier: &Member<'_>) -> bool {
    decide(earlier, later) == Some(true)
}

/// Whether the later package replaces the earlier one's file (`true`) or leaves it; `None`
/// if neither may.
fn decide(earlier: &Member<'_>, later: &Member<'_>) -> Option<bool> {
    let priority = |member: &Member<'_>| member.control.replaces_priority.unwrap_or(0);
    match (earlier.replaces(later), later.replaces(earlier)) {
        (true, true) => Some(priority(later) > priority(earlier)),
        (true, false) => Some(false),
        (false, true) => Some(true),
        (false, false) => later.has_origin_of(earlier).then_some(true),
    }
}

/// Whether no package may have such a node at this path.
pub(crate) fn is_reserved(path: &RelPath, node: &Node) -> bool {
    is_whiteout(path) || !node.is_dir() && is_in_database(path)
}

fn is_whiteout(path: &RelPath) -> bool {
    path.components().any(|name| name.starts_with(WHITEOUT))
}

fn is_in_database(path: &RelPath) -> bool {
    let below = |folder: &&[u8]| path.as_bytes().strip_prefix(*folder);
    let mut below = DATABASES.iter().filter_map(below);
    below.any(|below| below.starts_with(b"/"))
}

/// Where something in the tree comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    member: usize,
    /// Its name in the package.
    path: RelPath,
}

/// The tree while it is built: who is where.
struct Site<'a> {
    members: &'a [Member<'a>],
    placed: BTreeMap<RelPath, Source>,
    /// Directories that are only named through a link.
    passed: BTreeMap<RelPath, Source>,
    belongings: Vec<BTreeMap<RelPath, RelPath>>,
}

impl<'a> Site<'a> {
    fn node(&self, source: &Source) -> Option<&'a Node> {
        let member = self.members.get(source.member)?;
        member.tree.get(&source.path)
    }

    fn label(&self, source: &Source) -> String {
        self.members
            .get(source.member)
            .map_or_else(String::new, Member::label)
    }

    /// A directory of a package that is a link in the tree: it says what the link leads to, and
    /// nothing of how that is.
    fn pass(&mut self, path: &RelPath, source: &Source) -> Result<(), Error> {
        self.check_name(path, source)?;
        for above in path.ancestors().chain([path.clone()]) {
            self.check_kind(path, source, &above, true)?;
        }
        self.own(path, source);
        let first = self.passed.entry(path.clone());
        first.or_insert_with(|| source.clone());
        Ok(())
    }

    fn lay(&mut self, path: RelPath, source: Source, node: &Node) -> Result<(), Error> {
        if !node.is_dir() {
            self.check_place(&path, &source)?;
        }
        self.check_name(&path, &source)?;
        for above in path.ancestors() {
            self.check_kind(&path, &source, &above, true)?;
        }
        if node.is_dir() {
            self.check_kind(&path, &source, &path, true)?;
            self.own(&path, &source);
            self.placed.entry(path).or_insert(source);
            return Ok(());
        }
        self.check_kind(&path, &source, &path, false)?;
        self.check_nothing_beneath(&path, &source)?;
        self.check_hard_link(&source, node)?;
        let Some(earlier) = self.placed.get(&path).cloned() else {
            self.own(&path, &source);
            self.placed.insert(path, source);
            return Ok(());
        };
        let replaced = match self.decide(&earlier, &source) {
            Some(replaced) => replaced && !self.is_same(&earlier, &source)?,
            None if self.is_same(&earlier, &source)? => false,
            None => {
                return Err(Error::Conflict {
                    first: self.label(&earlier),
                    second: self.label(&source),
                    path,
                });
            }
        };
        if replaced {
            if let Some(belongings) = self.belongings.get_mut(earlier.member) {
                belongings.remove(&path);
            }
            self.own(&path, &source);
            self.placed.insert(path, source);
        }
        Ok(())
    }

    fn own(&mut self, path: &RelPath, source: &Source) {
        if let Some(belongings) = self.belongings.get_mut(source.member) {
            belongings.insert(path.clone(), source.path.clone());
        }
    }

    fn decide(&self, earlier: &Source, later: &Source) -> Option<bool> {
        if earlier.member == later.member {
            return None;
        }
        decide(
            self.members.get(earlier.member)?,
            self.members.get(later.member)?,
        )
    }

    fn check_name(&self, path: &RelPath, source: &Source) -> Result<(), Error> {
        if is_whiteout(path) {
            return Err(self.reserved(path, source, "image layers take it for a removal"));
        }
        Ok(())
    }

    fn check_place(&self, path: &RelPath, source: &Source) -> Result<(), Error> {
        if is_in_database(path) {
            return Err(self.reserved(path, source, "apk's own database lies there"));
        }
        Ok(())
    }

    fn reserved(&self, path: &RelPath, source: &Source, why: &'static str) -> Error {
        Error::Reserved {
            path: path.clone(),
            package: self.label(source),
            why,
        }
    }

    /// An error if `other` is laid already and is a directory though it must not be, or the
    /// other way round.
    fn check_kind(
        &self,
        path: &RelPath,
        source: &Source,
        other: &RelPath,
        must_be_directory: bool,
    ) -> Result<(), Error> {
        let Some(there) = self.placed.get(other) else {
            return Ok(());
        };
        let is_directory = self.node(there).is_some_and(Node::is_dir);
        if is_directory == must_be_directory {
            return Ok(());
        }
        Err(Error::NotADirectory {
            path: path.clone(),
            package: self.label(source),
            other: other.clone(),
            owner: self.label(there),
            what: if is_directory {
                "a directory"
            } else {
                "not a directory"
            },
        })
    }

    /// A directory that no package names is one because something lies in it.
    fn check_nothing_beneath(&self, path: &RelPath, source: &Source) -> Result<(), Error> {
        if let Some(there) = self.passed.get(path) {
            return Err(self.is_directory(path, source, there));
        }
        // No name begins with a smaller byte.
        let Ok(first) = path.push("\u{1}") else {
            return Ok(());
        };
        let beneath = self.placed.range(first..).next();
        match beneath.filter(|(other, _)| other.starts_with(path)) {
            None => Ok(()),
            Some((_, there)) => Err(self.is_directory(path, source, there)),
        }
    }

    fn is_directory(&self, path: &RelPath, source: &Source, there: &Source) -> Error {
        Error::NotADirectory {
            path: path.clone(),
            package: self.label(source),
            other: path.clone(),
            owner: self.label(there),
            what: "a directory",
        }
    }

    fn check_hard_link(&self, source: &Source, node: &Node) -> Result<(), Error> {
        let Kind::Hardlink(target) = &node.kind else {
            return Ok(());
        };
        if self.content(source).is_some() {
            return Ok(());
        }
        Err(Error::HardLink {
            path: source.path.clone(),
            package: self.label(source),
            target: target.clone(),
        })
    }

    fn content(&self, source: &Source) -> Option<&'a Content> {
        self.members.get(source.member)?.tree.file(&source.path)
    }

    fn is_same(&self, a: &Source, b: &Source) -> Result<bool, Error> {
        if let (Some(content_a), Some(content_b)) = (self.content(a), self.content(b)) {
            return Ok(content_a.len() == content_b.len()
                && digest(&a.path, content_a)? == digest(&b.path, content_b)?);
        }
        let (Some(a), Some(b)) = (self.node(a), self.node(b)) else {
            return Ok(false);
        };
        Ok(a.kind.is_same_without_bytes(&b.kind))
    }

    /// The file that a package's file and all its hard links name.
    fn inode(&self, source: &Source) -> Option<Source> {
        let tree = self.members.get(source.member)?.tree;
        let path = tree.link_target(&source.path)?.clone();
        Some(Source {
            member: source.member,
            path,
        })
    }

    /// Makes the tree. Of the names that share an inode the first in byte order is the file,
    /// wherever replaced names and links have led.
    fn finish(self) -> Result<Assembly, Error> {
        let mut tree = Tree::new();
        let mut files: BTreeMap<Source, RelPath> = BTreeMap::new();
        for (path, source) in &self.placed {
            let Some(node) = self.node(source) else {
                continue;
            };
            let mut node = node.clone();
            if let (Some(inode), Some(content)) = (self.inode(source), self.content(source)) {
                node.meta = self
                    .node(&inode)
                    .map_or(node.meta, |file| file.meta.clone());
                node.kind = if let Some(first) = files.get(&inode) {
                    Kind::Hardlink(first.clone())
                } else {
                    files.insert(inode, path.clone());
                    Kind::File(content.clone())
                };
            }
            tree.insert(path.clone(), node)
                .map_err(|source| Error::File {
                    action: format!("lay '{path}'"),
                    source,
                })?;
        }
        let origin = self
            .placed
            .into_iter()
            .map(|(path, source)| (path, source.member));
        let belongings = self.members.iter().zip(self.belongings);
        let belongings = belongings.map(|(member, paths)| {
            let is_all =
                paths.len() == member.tree.len() && paths.iter().all(|(path, own)| path == own);
            if is_all {
                Belongings::All
            } else {
                Belongings::Some(paths)
            }
        });
        Ok(Assembly {
            tree,
            origin: origin.collect(),
            belongings: belongings.collect(),
        })
    }
}

pub(crate) fn digest(path: &RelPath, content: &Content) -> Result<Sha256, Error> {
    content.sha256().map_err(|source| Error::Content {
        path: path.clone(),
        source,
    })
}
