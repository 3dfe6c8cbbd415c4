//! The image's files, parted into layers of what changes together.
//!
//! Packages of one origin share a layer, and so do those of which one replaces files of another.
//! The largest groups have a layer each, as many as the budget allows but one; all others share the
//! next. What no package brought, or what the image changed, is in a layer above them. That is
//! apko's strategy `origin`.
//!
//! A folder is in every layer that has something beneath it, as the whole image has it, but for its
//! time, which is [`MTIME`]: what is in a layer looks the same whatever lies beside it. Every layer
//! of packages has a list of its own in the place of apk's database, for those who look into one
//! layer alone; the whole list is in the topmost.
//!
//! All names of one file are in one layer: an unpacker need not find the other in a layer below.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use boltworks_apk::Control;
use boltworks_apk::installed::Paragraph;
use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};

use crate::Error;
use crate::known::Found;
use crate::skeleton::MTIME;
use crate::tree::Composed;

/// A layer that is to be.
#[derive(Debug)]
pub enum Wanted<'a> {
    /// Packages' files, in a layer that was made before.
    Known(Found),
    /// Packages' files.
    Group(Part<'a>),
    /// Files of the image, too.
    Other(Part<'a>),
    /// Only what this image has above its packages: small, and nothing that another one could share.
    Top(Tree),
}

/// What a layer is made of.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its packages, by their places in the install order.
    pub packages: Vec<usize>,
    /// Its files.
    pub tree: Cow<'a, Tree>,
}

/// The packages' groups, the largest first; each in install order. With a budget of none, one.
pub fn groups(packages: &[&Control], budget: u32) -> Vec<Vec<usize>> {
    let mut sets = Sets((0..packages.len()).collect());
    let mut origins = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        let first = *origins.entry(package.origin.as_str()).or_insert(at);
        sets.join(first, at);
        names.insert(&package.name, at);
    }
    for (at, package) in packages.iter().enumerate() {
        for replaced in &package.replaces {
            let other = names.get(&replaced.name);
            let other = other.and_then(|&other| Some((other, packages.get(other)?)));
            if let Some((other, control)) = other
                && replaced.matches(Some(&control.version))
            {
                sets.join(other, at);
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..packages.len() {
        groups.entry(sets.first(at)).or_default().push(at);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_by_cached_key(|group| {
        let own = group.iter().filter_map(|&at| packages.get(at));
        let size = own.clone().map(|one| one.installed_size);
        let size = size.fold(0, u64::saturating_add);
        (
            std::cmp::Reverse(size),
            own.map(|one| one.name.clone()).max(),
        )
    });
    let budget = usize::try_from(budget).unwrap_or(usize::MAX);
    if groups.len() > budget {
        let rest = groups.split_off(budget.saturating_sub(1));
        let mut rest = rest.concat();
        rest.sort_unstable();
        groups.push(rest);
    }
    groups
}

/// Sets of packages: for each an earlier one of its set, or itself.
struct Sets(Vec<usize>);

impl Sets {
    fn first(&self, mut at: usize) -> usize {
        while let Some(&before) = self.0.get(at).filter(|before| **before != at) {
            at = before;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        if let Some(last) = self.0.get_mut(one.max(other)) {
            *last = one.min(other);
        }
    }
}

/// The whole image as one part.
pub fn whole(tree: &Tree, packages: usize) -> Wanted<'_> {
    Wanted::Other(Part {
        packages: (0..packages).collect(),
        tree: Cow::Borrowed(tree),
    })
}

/// Parts the files of an image among groups of packages and the layer above, which is last. A file
/// is in the layer of the package from which it is as that brought it. `known` are groups whose layer
/// was made before: all that their packages have is theirs in this image, too.
pub fn part(
    composed: &Composed,
    groups: Vec<Vec<usize>>,
    known: impl Fn(&[usize]) -> Option<Found>,
) -> Result<Vec<Wanted<'static>>, Error> {
    let tree = &composed.tree;
    let top = groups.len();
    let mut places = vec![top; composed.database.len()];
    for (place, group) in groups.iter().enumerate() {
        for &package in group {
            if let Some(slot) = places.get_mut(package) {
                *slot = place;
            }
        }
    }
    let place = |owner: Option<usize>| owner.and_then(|package| places.get(package).copied());
    let apart = apart(tree, |path| {
        place(composed.brought_by(path).map(|(package, _)| package))
    });
    let known: Vec<_> = groups.iter().map(|group| known(group)).collect();
    let sheet = |is_needed: bool| is_needed.then(|| Sheet::of(tree));
    let needed = known.iter().map(Option::is_none).chain([true]);
    let mut sheets: Vec<Option<Sheet<'_>>> = needed.map(sheet).collect();
    for (path, node, owner) in composed.owned() {
        let file = match &node.kind {
            Kind::Hardlink(first) => first,
            _ => path,
        };
        let place = place(owner).filter(|_| !apart.contains(file));
        if let Some(Some(sheet)) = sheets.get_mut(place.unwrap_or(top)) {
            sheet.lay(path, node.clone());
        }
    }
    for (sheet, packages) in sheets.iter_mut().zip(&groups) {
        let own = packages.iter();
        let own = own.filter_map(|&package| composed.database.get(package));
        if let Some(sheet) = sheet {
            let list = Paragraph::text_of(own.map(AsRef::as_ref));
            let node = Node::file(Meta::new(0o644, MTIME), list);
            sheet.lay(&composed.database_path, node);
        }
    }
    let mut wanted = Vec::new();
    let mut sheets = sheets.into_iter();
    for ((packages, known), sheet) in groups.into_iter().zip(known).zip(sheets.by_ref()) {
        wanted.push(if let Some(known) = known {
            Wanted::Known(known)
        } else {
            let tree = Cow::Owned(Sheet::tree(sheet)?);
            Wanted::Group(Part { packages, tree })
        });
    }
    wanted.push(Wanted::Top(Sheet::tree(sheets.next().flatten())?));
    Ok(wanted)
}

/// Files whose names are not all in one place.
fn apart(tree: &Tree, place: impl Fn(&RelPath) -> Option<usize>) -> BTreeSet<&RelPath> {
    let links = tree.iter().filter_map(|(path, node)| match &node.kind {
        Kind::Hardlink(first) => Some((path, first)),
        _ => None,
    });
    links
        .filter(|(path, first)| place(path) != place(first))
        .map(|(_, first)| first)
        .collect()
}

/// The files of one part, and the folders above them.
struct Sheet<'t> {
    whole: &'t Tree,
    nodes: Vec<(RelPath, Node)>,
    folders: HashSet<RelPath>,
    /// The folder of the last that was laid: those above it are there.
    last: Option<RelPath>,
}

impl<'t> Sheet<'t> {
    fn of(whole: &'t Tree) -> Self {
        Self {
            whole,
            nodes: Vec::new(),
            folders: HashSet::new(),
            last: None,
        }
    }

    /// What was laid; nothing where there is no sheet.
    fn tree(sheet: Option<Self>) -> Result<Tree, Error> {
        Ok(Tree::of(
            sheet.map(|sheet| sheet.nodes).unwrap_or_default(),
        )?)
    }

    fn lay(&mut self, path: &RelPath, node: Node) {
        let folder = path.parent();
        if folder != self.last {
            for above in path.ancestors() {
                if !self.folders.contains(&above)
                    && let Some(folder) = self.whole.get(&above)
                {
                    self.put(&above, folder.clone());
                }
            }
            self.last = folder;
        }
        self.put(path, node);
    }

    fn put(&mut self, path: &RelPath, mut node: Node) {
        if node.is_dir() {
            node.meta.mtime = MTIME;
            if !self.folders.insert(path.clone()) {
                return;
            }
        }
        self.nodes.push((path.clone(), node));
    }
}
