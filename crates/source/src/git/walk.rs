//! Which objects belong to a checkout, in an order that follows from them alone: commits from the
//! newest on, each with what it has that none before it had.

use std::collections::{HashMap, HashSet, VecDeque};

use boltworks_model::{Ambient, Depth, ObjectId};

use super::object::{Commit, Kind, entries, tagged};
use super::objects::{Header, Objects, bad};
use super::pack::{Base, Pack};
use crate::Error;

/// No commit, tag or folder is larger.
const MAX_TEXT: u64 = 256 * 1024 * 1024;
/// Files larger than this are not held in memory, and not compared with others.
const BIG: u64 = 16 * 1024 * 1024;
/// No path is longer: a file could not have it.
const MAX_PATH: usize = 4096;
/// The longest chain of tags that name tags.
const MAX_TAGS: usize = 8;
/// The button is looked at once in so many objects.
const LOOK: u64 = 256;

/// The commits of a checkout.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// All of them, the one that is checked out first.
    pub(super) commits: Vec<ObjectId>,
    /// Those of which a parent is left out, sorted.
    pub(super) shallow: Vec<ObjectId>,
    /// One that belongs to it and is not in the repository.
    pub(super) missing: Option<ObjectId>,
}

/// Selects commits: each root, and as many before it as its depth says.
pub(super) fn select(
    objects: &mut Objects<'_>,
    roots: &[(ObjectId, Depth)],
    ambient: &Ambient<'_>,
) -> Result<Selection, Error> {
    let mut selection = Selection::default();
    let mut known: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for (root, depth) in roots {
        let mut open = VecDeque::from([(*root, 0_u32)]);
        let mut seen = HashSet::from([*root]);
        while let Some((id, before)) = open.pop_front() {
            ambient.cancel.check()?;
            let parents = if let Some(parents) = known.get(&id) {
                parents.clone()
            } else {
                let Some(parents) = parents(objects, id)? else {
                    selection.missing.get_or_insert(id);
                    continue;
                };
                known.insert(id, parents.clone());
                selection.commits.push(id);
                parents
            };
            let before = before + 1;
            if matches!(depth, Depth::Last(count) if before >= count.get()) {
                continue;
            }
            open.extend(
                parents
                    .into_iter()
                    .filter(|parent| seen.insert(*parent))
                    .map(|parent| (parent, before)),
            );
        }
    }
    let is_cut = |id: &&ObjectId| {
        let parents = known.get(*id);
        parents.is_some_and(|parents| parents.iter().any(|parent| !known.contains_key(parent)))
    };
    selection.shallow = selection.commits.iter().filter(is_cut).copied().collect();
    selection.shallow.sort_unstable();
    Ok(selection)
}

/// The parents of a commit, or `None` if it is not there.
pub(super) fn parents(
    objects: &mut Objects<'_>,
    id: ObjectId,
) -> Result<Option<Vec<ObjectId>>, Error> {
    let Some(header) = objects.ask(id)? else {
        return Ok(None);
    };
    let bytes = objects.read(&header, MAX_TEXT)?;
    let commit = Commit::read(&bytes).filter(|_| header.kind == Kind::Commit);
    let commit = commit.ok_or_else(|| bad(&header, "it is no commit"))?;
    Ok(Some(commit.parents))
}

/// The tags that lead from an object to a commit, and that commit; `None` if one is not there.
pub(super) fn peel(
    objects: &mut Objects<'_>,
    object: ObjectId,
) -> Result<Option<(Vec<ObjectId>, ObjectId)>, Error> {
    let (mut tags, mut id) = (Vec::new(), object);
    loop {
        let Some(header) = objects.ask(id)? else {
            return Ok(None);
        };
        let bytes = objects.read(&header, MAX_TEXT)?;
        match header.kind {
            Kind::Commit => return Ok(Some((tags, id))),
            Kind::Tag if tags.len() < MAX_TAGS => {
                tags.push(id);
                id = tagged(&bytes).ok_or_else(|| bad(&header, "it names nothing"))?;
            }
            _ => return Err(bad(&header, "it names no commit")),
        }
    }
}

/// Writes everything that tags and commits consist of into a pack.
pub(super) fn write(
    objects: &mut Objects<'_>,
    (tags, selection): (&[ObjectId], &Selection),
    pack: &mut Pack,
    ambient: &Ambient<'_>,
) -> Result<(), Error> {
    let mut writing = Writing {
        objects,
        pack,
        ambient,
        seen: HashSet::new(),
        last: (selection.commits.len() > 1).then(HashMap::new),
        count: 0,
    };
    for tag in tags {
        writing.whole(*tag)?;
    }
    for commit in &selection.commits {
        let (header, bytes) = writing.whole(*commit)?;
        let read = Commit::read(&bytes).ok_or_else(|| bad(&header, "it is no commit"))?;
        writing.tree(read.tree)?;
    }
    Ok(())
}

struct Writing<'a, 'o> {
    objects: &'a mut Objects<'o>,
    pack: &'a mut Pack,
    ambient: &'a Ambient<'a>,
    seen: HashSet<ObjectId>,
    /// What was last at each path: a newer version of what comes. Not where there is one version.
    last: Option<HashMap<Vec<u8>, ObjectId>>,
    count: u64,
}

impl Writing<'_, '_> {
    /// Writes a commit or tag.
    fn whole(&mut self, id: ObjectId) -> Result<(Header, Vec<u8>), Error> {
        let header = self.ask(id)?;
        let bytes = self.objects.read(&header, MAX_TEXT)?;
        if self.seen.insert(id) {
            self.add(&header, &bytes, None)?;
        }
        Ok((header, bytes))
    }

    /// Writes a commit's folder with all in it.
    fn tree(&mut self, root: ObjectId) -> Result<(), Error> {
        let mut open = vec![(root, Vec::new())];
        while let Some((id, path)) = open.pop() {
            if !self.seen.insert(id) {
                continue;
            }
            let header = self.ask(id)?;
            let bytes = self.objects.read(&header, MAX_TEXT)?;
            self.versioned(&header, &bytes, &path)?;
            let entries = entries(&bytes, &id).filter(|_| header.kind == Kind::Tree);
            let entries = entries.ok_or_else(|| {
                bad(
                    &header,
                    "it is no folder, or has names that no file may have",
                )
            })?;
            let at = open.len();
            for entry in entries {
                let mut below = path.clone();
                below.push(b'/');
                below.extend_from_slice(entry.name);
                if below.len() > MAX_PATH {
                    return Err(bad(&header, "a path in it is too long"));
                }
                match entry.kind() {
                    Some(Kind::Tree) => open.push((entry.id, below)),
                    Some(_) => self.file(entry.id, &below)?,
                    None => {}
                }
            }
            open.get_mut(at..).unwrap_or_default().reverse();
        }
        Ok(())
    }

    fn file(&mut self, id: ObjectId, path: &[u8]) -> Result<(), Error> {
        if !self.seen.insert(id) {
            return Ok(());
        }
        let header = self.ask(id)?;
        if header.kind != Kind::Blob {
            return Err(bad(&header, "it is no file"));
        }
        if header.size > BIG {
            let pack = &mut *self.pack;
            return self.objects.stream(&header, |reader| {
                pack.add_from((id, Kind::Blob), header.size, reader)
            });
        }
        let bytes = self.objects.read(&header, BIG)?;
        self.versioned(&header, &bytes, path)
    }

    /// Writes an object, as a change of what was last at its path where that is shorter.
    fn versioned(&mut self, header: &Header, bytes: &[u8], path: &[u8]) -> Result<(), Error> {
        let Some(last) = &mut self.last else {
            return self.add(header, bytes, None);
        };
        let mut key = path.to_vec();
        key.push(header.kind.number());
        let before = last.insert(key, header.id);
        let base = before.filter(|before| header.size <= BIG && self.pack.is_base(before));
        let Some(base) = base else {
            return self.add(header, bytes, None);
        };
        let there = self.ask(base)?;
        let base_bytes = self.objects.read(&there, MAX_TEXT)?;
        let base = Base {
            id: base,
            bytes: &base_bytes,
        };
        self.add(header, bytes, Some(&base))
    }

    fn add(&mut self, header: &Header, bytes: &[u8], base: Option<&Base<'_>>) -> Result<(), Error> {
        let added = self.pack.add((header.id, header.kind), bytes, base);
        added.map_err(super::writing)
    }

    fn ask(&mut self, id: ObjectId) -> Result<Header, Error> {
        self.count += 1;
        if self.count.is_multiple_of(LOOK) {
            self.ambient.cancel.check()?;
        }
        self.objects.ask(id)?.ok_or_else(|| Error::BadObject {
            kind: "object".to_owned(),
            id,
            reason: "it is not in what the server sent",
        })
    }
}
