//! Where layers are made: those that are known are found, the others written and remembered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::installed::DATABASE;
use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_model::Cancel;
use boltworks_store::{Batch, Store};
use rayon::prelude::*;

use crate::build::ImageRequest;
use crate::compatible;
use crate::known::{Found, Key, Source};
use crate::layer::StoredLayer;
use crate::layers::{Part, Wanted};
use crate::memory::{Group, Memory, Packages};
use crate::pieces::{Note, Pieces};
use crate::skeleton::MTIME;
use crate::tree::Composed;
use crate::{Error, erofs, layer};

/// Where layers are made.
pub(crate) struct Works<'a> {
    pub(crate) store: &'a Store,
    pub(crate) memory: &'a Memory,
    pub(crate) batch: Batch<'a>,
    /// Those in the batch, by what they are made of: nobody else may rely on them yet.
    fresh: BTreeMap<Key, Found>,
    /// What a person should know that stops nothing.
    note: Option<String>,
}

/// The package that a path is of, by its digest.
pub(crate) fn source<'a>(
    composed: &'a Composed,
    request: &ImageRequest<'_>,
    path: &RelPath,
) -> Option<Source<'a>> {
    let (package, own) = composed.brought_by(path)?;
    Some((request.locked.packages.get(package)?.sha256, own))
}

/// A layer that is to be, once it is known what it is made of where that matters.
enum Keyed<'a> {
    Known(Found),
    Part(Part<'a>, Key),
    Top(Tree),
}

/// What decides the layer of some packages, beside the folders above their files: nothing but them,
/// where the image has all of theirs as they have it.
fn group_of(
    request: &ImageRequest<'_>,
    composed: &Composed,
    packages: &[usize],
) -> Option<Packages> {
    let is_plain = composed.database_path.as_bytes() == DATABASE.as_bytes()
        && packages.iter().all(|&at| composed.standing.is_whole(at));
    let digest = |&at: &usize| Some(request.locked.packages.get(at)?.sha256);
    let digests: Option<Vec<_>> = packages.iter().map(digest).collect();
    Some((request.compression, digests.filter(|_| is_plain)?))
}

/// A folder as layers have it.
fn without_time(meta: &Meta) -> Meta {
    Meta {
        mtime: MTIME,
        ..meta.clone()
    }
}

impl<'a> Works<'a> {
    pub(crate) fn new(store: &'a Store, memory: &'a Memory) -> Self {
        Self {
            store,
            memory,
            batch: store.batch(),
            fresh: BTreeMap::new(),
            note: None,
        }
    }

    /// Makes all of it durable. What a person should know of it that stops nothing.
    pub(crate) fn commit(self) -> Result<Option<String>, Error> {
        let (_, missing) = self.batch.commit_but_notes()?;
        let missing = missing.and_then(|error| forgotten(Err(error.into())));
        Ok(self.note.or(missing))
    }

    /// The layer of some packages, if it was made before and would be the same.
    pub(crate) fn known(
        &self,
        request: &ImageRequest<'_>,
        composed: &Composed,
        packages: &[usize],
    ) -> Option<Found> {
        let group = self.memory.group(&group_of(request, composed, packages)?)?;
        let is_there = |(path, meta): &(RelPath, Meta)| {
            let there = composed.tree.get(path).filter(|node| node.is_dir());
            there.is_some_and(|node| without_time(&node.meta) == *meta)
        };
        if !group.folders.iter().all(is_there) {
            return None;
        }
        self.made(&group.key)
    }

    /// A layer that is in the batch or in the store.
    fn made(&self, key: &Key) -> Option<Found> {
        let fresh = self.fresh.get(key).cloned();
        fresh.or_else(|| self.memory.layer(key))
    }

    /// Looks for a layer in the store, unless it is known already.
    fn look_for(&self, key: Key) {
        if self.made(&key).is_none()
            && let Some(found) = key.find(self.store, self.memory.by_name)
        {
            self.memory.remember(key, &found);
        }
    }

    /// Layers that are known to be made of this, or new ones.
    pub(crate) fn layers(
        &mut self,
        request: &ImageRequest<'_>,
        composed: &Composed,
        wanted: Vec<Wanted<'_>>,
        cancel: &Cancel,
    ) -> Result<Vec<Found>, Error> {
        // Those in the store are hashed on all cores.
        let keyed = wanted.into_par_iter().map(|wanted| {
            let (part, is_group) = match wanted {
                Wanted::Known(found) => return Ok(Keyed::Known(found)),
                Wanted::Group(part) => (part, true),
                Wanted::Other(part) => (part, false),
                Wanted::Top(tree) => return Ok(Keyed::Top(tree)),
            };
            let key = Key::of(&part.tree, request.compression, |path| {
                source(composed, request, path)
            })?;
            self.look_for(key);
            if is_group {
                self.note_group(request, composed, (&part, key));
            }
            Ok::<_, Error>(Keyed::Part(part, key))
        });
        let keyed: Vec<_> = keyed.collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        for keyed in keyed {
            all.push(match keyed {
                Keyed::Known(found) => found,
                Keyed::Part(part, key) => self.part(request, &part, key)?,
                Keyed::Top(tree) => self.top(request, &tree)?,
            });
            cancel.check()?;
        }
        Ok(all)
    }

    /// Remembers what the layer of some packages is made of.
    fn note_group(
        &self,
        request: &ImageRequest<'_>,
        composed: &Composed,
        (part, key): (&Part<'_>, Key),
    ) {
        if let Some(packages) = group_of(request, composed, &part.packages) {
            let folders = part.tree.iter().filter(|(_, node)| node.is_dir());
            let folders = folders.map(|(path, node)| (path.clone(), node.meta.clone()));
            let folders = folders.collect();
            self.memory.remember_group(packages, Group { key, folders });
        }
    }

    /// A layer that nobody will look for.
    fn top(&mut self, request: &ImageRequest<'_>, tree: &Tree) -> Result<Found, Error> {
        let unknown = Arc::new(Pieces::none(request.compression));
        let stored = layer::write(tree, unknown, self.store, &mut self.batch)?;
        Ok((stored.layer, stored.unpacked))
    }

    /// The layer of this: one that is known, or a new one.
    fn part(
        &mut self,
        request: &ImageRequest<'_>,
        part: &Part<'_>,
        key: Key,
    ) -> Result<Found, Error> {
        if let Some(found) = self.made(&key) {
            return Ok(found);
        }
        let (note, known) = self.last(request, "", &part.packages)?;
        let stored = layer::write(&part.tree, known, self.store, &mut self.batch)?;
        let found = (stored.layer.clone(), stored.unpacked);
        let places = (self.store, &mut self.batch);
        let remembered = key.remember(&found, places);
        self.keep(note, &stored, remembered);
        self.fresh.insert(key, found.clone());
        Ok(found)
    }

    /// A layer as apko lays it.
    pub(crate) fn own_layer(
        &mut self,
        request: &ImageRequest<'_>,
        (own, layer): (&compatible::Laid, usize),
    ) -> Result<Found, Error> {
        let packages = own.groups.get(layer).map(Vec::as_slice);
        let packages = packages.unwrap_or_default();
        let (note, known) = self.last(request, "compatible ", packages)?;
        let places = (self.store, &mut self.batch);
        let stored = own.write(layer, known, places)?;
        self.keep(note, &stored, Ok(()));
        Ok((stored.layer, stored.unpacked))
    }

    /// All files as one layer of EROFS, as apko lays them or not: one that is known, or a new one.
    pub(crate) fn erofs_layer(
        &mut self,
        request: &ImageRequest<'_>,
        composed: &Composed,
        own: Option<&compatible::Laid>,
    ) -> Result<Found, Error> {
        let (root, tree, time) = if let Some(own) = own {
            let (root, tree) = own.inodes()?;
            (root, Cow::Owned(tree), own.time)
        } else {
            let root = Node::dir(Meta::new(0o755, MTIME));
            (root, Cow::Borrowed(&composed.tree), MTIME)
        };
        let files = (tree.as_ref(), &root);
        let key = Key::of_erofs(files, time, |path| source(composed, request, path))?;
        self.look_for(key);
        if let Some(found) = self.made(&key) {
            return Ok(found);
        }
        let stored = erofs::write(files, time, (self.store, &mut self.batch))?;
        let found = (stored.layer, stored.unpacked);
        let remembered = key.remember(&found, (self.store, &mut self.batch));
        self.note = self.note.take().or_else(|| forgotten(remembered));
        self.fresh.insert(key, found.clone());
        Ok(found)
    }

    /// What is known of the layer that was last in this one's place: of the image's that begins with
    /// the same package.
    fn last(
        &self,
        request: &ImageRequest<'_>,
        kind: &str,
        packages: &[usize],
    ) -> Result<(Note, Arc<Pieces>), Error> {
        let first = packages.first();
        let first = first.and_then(|&at| request.locked.packages.get(at));
        let first = first.map_or("", |package| package.name.as_str());
        let of = format!("{kind}{} {} {first}", request.name, request.architecture);
        let (note, known) = Note::read(&of, request.compression, self.store)?;
        Ok((note, Arc::new(known)))
    }

    /// Remembers a layer that is in the batch; what is told of it comes behind it there.
    fn keep(&mut self, note: Note, stored: &StoredLayer, remembered: Result<(), Error>) {
        let StoredLayer { layer, pieces, .. } = stored;
        let written = note.write(layer.digest, pieces, &mut self.batch);
        let forgotten = forgotten(written.and(remembered));
        self.note = self.note.take().or(forgotten);
    }
}

/// That a layer is not remembered makes the next one slower, and no image worse.
fn forgotten(written: Result<(), Error>) -> Option<String> {
    let error = written.err()?;
    let mut text = "the layer is not remembered, and the next one will take longer".to_owned();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    Some(text)
}
