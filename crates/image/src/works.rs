//! Where layers are made: those that are known are found, the others written and remembered.

use std::sync::Arc;

use boltworks_fsx::RelPath;
use boltworks_store::{Batch, Store};

use crate::build::ImageRequest;
use crate::compatible;
use crate::known::{Key, Source};
use crate::layer::StoredLayer;
use crate::layers::Part;
use crate::memory::{Found, Memory};
use crate::pieces::Note;
use crate::tree::Composed;
use crate::{Error, layer};

/// Where layers are made.
pub(crate) struct Works<'a> {
    pub(crate) store: &'a Store,
    pub(crate) memory: &'a Memory,
    pub(crate) batch: Batch<'a>,
    /// Those that were not known, to be remembered when they are durable.
    fresh: Vec<Fresh>,
}

/// A layer that was not known.
struct Fresh {
    /// What it is made of, where that is looked for.
    key: Option<Key>,
    note: Note,
    stored: StoredLayer,
}

impl Fresh {
    fn found(&self) -> Found {
        (self.stored.layer.clone(), self.stored.unpacked)
    }

    fn remember(self, (store, batch): (&Store, &mut Batch<'_>)) -> Result<(), Error> {
        let StoredLayer {
            layer,
            unpacked,
            pieces,
        } = self.stored;
        self.note.write(layer.digest, &pieces, batch)?;
        self.key.map_or(Ok(()), |key| {
            key.remember((&layer, unpacked), (store, batch))
        })
    }
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

impl<'a> Works<'a> {
    pub(crate) fn new(store: &'a Store, memory: &'a Memory) -> Self {
        Self {
            store,
            memory,
            batch: store.batch(),
            fresh: Vec::new(),
        }
    }

    /// Makes all of it durable. What a person should know of it that stops nothing.
    pub(crate) fn commit(self) -> Result<Option<String>, Error> {
        let Self {
            store,
            mut batch,
            fresh,
            ..
        } = self;
        let mut note = None;
        for fresh in fresh {
            note = note.or(forgotten(fresh.remember((store, &mut batch))));
        }
        let (_, missing) = batch.commit_but_notes()?;
        let missing = missing.and_then(|error| forgotten(Err(error.into())));
        Ok(note.or(missing))
    }

    /// The layer that is known to be made of this, or a new one.
    pub(crate) fn layer(
        &mut self,
        request: &ImageRequest<'_>,
        composed: &Composed,
        part: &Part<'_>,
    ) -> Result<Found, Error> {
        let key = Key::of(&part.tree, request.compression, |path| {
            source(composed, request, path)
        })?;
        let mut fresh = self.fresh.iter();
        let fresh = fresh.find(|fresh| fresh.key == Some(key));
        let known = fresh.map(Fresh::found).or_else(|| self.memory.layer(&key));
        if let Some(found) = known {
            return Ok(found);
        }
        if let Some(found) = key.find(self.store) {
            self.memory.remember(key, &found);
            return Ok(found);
        }
        let first = part.packages.first();
        let first = first.and_then(|&at| request.locked.packages.get(at));
        let first = first.map_or("", |package| package.name.as_str());
        let of = format!("{} {} {first}", request.name, request.architecture);
        let (note, known) = Note::read(&of, request.compression, self.store)?;
        let stored = layer::write(&part.tree, Arc::new(known), self.store, &mut self.batch)?;
        Ok(self.keep(Fresh {
            key: Some(key),
            note,
            stored,
        }))
    }

    /// A layer as apko lays it.
    pub(crate) fn own_layer(
        &mut self,
        request: &ImageRequest<'_>,
        (own, layer): (&compatible::Laid, usize),
    ) -> Result<Found, Error> {
        let first = own.groups.get(layer).and_then(|group| group.first());
        let first = first.and_then(|&at| request.locked.packages.get(at));
        let first = first.map_or("", |package| package.name.as_str());
        let of = format!(
            "compatible {} {} {first}",
            request.name, request.architecture
        );
        let (note, known) = Note::read(&of, request.compression, self.store)?;
        let places = (self.store, &mut self.batch);
        let stored = own.write(layer, Arc::new(known), places)?;
        Ok(self.keep(Fresh {
            key: None,
            note,
            stored,
        }))
    }

    fn keep(&mut self, fresh: Fresh) -> Found {
        let found = fresh.found();
        self.fresh.push(fresh);
        found
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
