//! A guest's accounts: a thin tree above those it has, named by what is in it.

use std::collections::VecDeque;
use std::path::PathBuf;

use boltworks_fsx::{FileKind, Limit, Meta, Node, RelPath, Root, Stat, Tree};
use boltworks_recipe::resolved::Accounts;

use super::lines::{GROUP, PASSWD, SHADOW, Table, home};
use crate::Error;
use crate::environments::{Environments, Owner, file_error};

/// More links than this on one path and it is a circle (`MAXSYMLINKS` of Linux).
const MAX_HOPS: u32 = 40;
/// No file that is read here is larger.
const LIMIT: Limit = Limit::mib(1);

impl Environments {
    /// The trees of a guest in which there are these accounts too: where any are asked for, a tree
    /// with their files and homes lies above those that are given, the topmost first.
    pub fn with_accounts(
        &self,
        trees: &[PathBuf],
        accounts: &Accounts,
        owner: impl Into<Owner>,
    ) -> Result<Vec<PathBuf>, Error> {
        if accounts.users.is_empty() && accounts.groups.is_empty() {
            return Ok(trees.to_vec());
        }
        let tree = Ground::open(trees)?.above(accounts)?;
        let layer = self.ensure_layer("accounts", &tree, owner.into())?;
        Ok([&[layer], trees].concat())
    }
}

/// A user's number and the group's, in a guest of these trees, the topmost first.
pub fn numbers(trees: &[PathBuf], user: &str) -> Result<Option<(u32, u32)>, Error> {
    let ground = Ground::open(trees)?;
    let (_, _, text) = ground.text(PASSWD, 0)?;
    Ok(Table::new(PASSWD, &text).numbers(user))
}

/// The trees of a guest, the topmost first, as it sees them: what one has hides what those below
/// have there, but for directories, which are one.
struct Ground {
    trees: Vec<Root>,
}

/// Where a path really is, and what is there.
type Found<'g> = (RelPath, Option<(&'g Root, Stat)>);

impl Ground {
    fn open(trees: &[PathBuf]) -> Result<Self, Error> {
        let trees = trees.iter().map(|path| Root::open(path));
        let trees = trees.collect::<Result<_, _>>();
        Ok(Self {
            trees: trees.map_err(|source| file_error("open a tree", source))?,
        })
    }

    /// What accounts change of the ground, and the directories above that as they are.
    fn above(&self, accounts: &Accounts) -> Result<Tree, Error> {
        let mut layer = Tree::new();
        if !accounts.groups.is_empty() {
            let (place, meta, text) = self.text(GROUP, 0o644)?;
            let mut groups = Table::new(GROUP, &text);
            groups.add_groups(accounts)?;
            self.put(&mut layer, place, file(meta, groups))?;
        }
        if !accounts.users.is_empty() {
            let (place, meta, text) = self.text(PASSWD, 0o644)?;
            let (shadow_place, shadow_meta, shadow_text) = self.text(SHADOW, 0o640)?;
            let mut users = Table::new(PASSWD, &text);
            let mut shadow = Table::new(SHADOW, &shadow_text);
            users.add_users(&mut shadow, accounts)?;
            self.put(&mut layer, place, file(meta, users))?;
            self.put(&mut layer, shadow_place, file(shadow_meta, shadow))?;
        }
        for user in &accounts.users {
            let Some(home) = home(user)? else {
                continue;
            };
            let (place, found) = self.find(&home)?;
            if found.is_none() && !layer.contains(&place) {
                self.put(&mut layer, place, Node::dir(Meta::new(0o700, 0)))?;
            }
        }
        layer.ensure_dirs(&Meta::new(0o755, 0));
        Ok(layer)
    }

    /// Puts something into a layer, and what is above it as it is in the ground.
    fn put(&self, layer: &mut Tree, place: RelPath, node: Node) -> Result<(), Error> {
        let failed = |source| file_error("make a tree of accounts", source);
        for above in place.ancestors() {
            if let Some((_, stat)) = self.look(&above)?
                && !layer.contains(&above)
            {
                let meta = Meta::new(stat.mode, stat.mtime);
                layer.insert(above, Node::dir(meta)).map_err(failed)?;
            }
        }
        layer.insert(place, node).map_err(failed)?;
        Ok(())
    }

    /// A file's real place, its attributes, and its text: nothing, with this mode, where it is not.
    fn text(&self, path: &str, mode: u32) -> Result<(RelPath, Meta, String), Error> {
        let (place, found) = self.find(&RelPath::try_from(path)?)?;
        let Some((tree, stat)) = found else {
            return Ok((place, Meta::new(mode, 0), String::new()));
        };
        if stat.kind != FileKind::File {
            return Err(unusable(&place, "it is there and no file"));
        }
        let text = tree
            .read_text(&place, LIMIT)
            .map_err(|source| file_error("read a guest's accounts", source))?;
        Ok((place, Meta::new(stat.mode, 0), text))
    }

    /// What a path names in the topmost tree that has it. No part of it may be a link.
    fn look(&self, path: &RelPath) -> Result<Option<(&Root, Stat)>, Error> {
        for tree in &self.trees {
            let stat = tree
                .stat(path)
                .map_err(|source| file_error("look at a tree", source))?;
            if let Some(stat) = stat {
                return Ok(Some((tree, stat)));
            }
        }
        Ok(None)
    }

    /// Where a path really is, links followed as a process inside would, and what is there.
    fn find(&self, path: &RelPath) -> Result<Found<'_>, Error> {
        let mut rest: VecDeque<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
        let mut done: Option<RelPath> = None;
        let mut hops = 0;
        while let Some(part) = rest.pop_front() {
            let here = match (part.as_slice(), &done) {
                (b"" | b".", _) => continue,
                (b"..", _) => {
                    // Above the root is the root.
                    done = done.as_ref().and_then(RelPath::parent);
                    continue;
                }
                (_, Some(above)) => above.push(part)?,
                (_, None) => RelPath::new(part)?,
            };
            match self.look(&here)? {
                Some((tree, stat)) if stat.kind == FileKind::Symlink => {
                    hops += 1;
                    if hops > MAX_HOPS {
                        return Err(unusable(path, "its links lead in a circle"));
                    }
                    let target = tree
                        .read_link(&here)
                        .map_err(|source| file_error("read a link", source))?;
                    if target.first() == Some(&b'/') {
                        done = None;
                    }
                    for part in target.split(|byte| *byte == b'/').rev() {
                        rest.push_front(part.to_vec());
                    }
                }
                Some((_, stat)) if stat.kind != FileKind::Dir && !rest.is_empty() => {
                    return Err(unusable(path, "a part of it is no directory"));
                }
                _ => done = Some(here),
            }
        }
        let place = done.ok_or_else(|| unusable(path, "it is the root itself"))?;
        let found = self.look(&place)?;
        Ok((place, found))
    }
}

fn file(meta: Meta, table: Table) -> Node {
    Node::file(meta, table.into_text().into_bytes())
}

fn unusable(path: &RelPath, why: &'static str) -> Error {
    Error::Unusable {
        path: path.clone(),
        why,
    }
}
