//! Many drafts made durable together, at the price of few syncs.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use rustix::fs::RenameFlags;

use super::draft::Place;
use super::{Draft, Durable, Root};
use crate::{Error, RelPath};

/// So many files are synced one by one; beyond that, syncing the file system once costs less,
/// and the files need not stay open.
const FEW: usize = 8;

/// Drafts that are committed together: all are synced, then all renamed, then each directory
/// synced once. A crash in between leaves some in place and none half-written.
#[derive(Debug, Default)]
pub struct Batch {
    staged: Vec<Place>,
    /// Those of them, by their place, that can be done without.
    spare: BTreeSet<usize>,
    open: Vec<File>,
    dirs: Vec<(u64, u64, Arc<Root>)>,
}

impl Batch {
    /// A batch of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a draft, whose content is complete. It does not keep its file open.
    pub fn add(&mut self, draft: Draft) -> Result<(), Error> {
        let (file, mut place) = draft.into_parts()?;
        let stat = place.dir.stat_self()?;
        let known = self
            .dirs
            .iter()
            .find(|(dev, inode, _)| (*dev, *inode) == (stat.dev, stat.inode));
        match known {
            Some((_, _, dir)) => place.dir = Arc::clone(dir),
            None => self
                .dirs
                .push((stat.dev, stat.inode, Arc::clone(&place.dir))),
        }
        if self.open.len() < FEW {
            self.open.push(file);
        }
        self.staged.push(place);
        Ok(())
    }

    /// Adds a whole file, as [`Root::write`] writes it.
    pub fn write(
        &mut self,
        root: &Root,
        path: &RelPath,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), Error> {
        self.add(root.draft_of(path, bytes, mode)?)
    }

    /// The same, of a file that can be done without: that it does not get its name is told, and
    /// keeps no other from getting its own.
    pub fn write_spare(
        &mut self,
        root: &Root,
        path: &RelPath,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), Error> {
        self.write(root, path, bytes, mode)?;
        self.spare.insert(self.staged.len() - 1);
        Ok(())
    }

    /// How many drafts it has.
    pub fn len(&self) -> usize {
        self.staged.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    /// Makes all of them durable under their names, replacing what had them.
    pub fn commit(self) -> Result<Durable, Error> {
        match self.commit_but_spare()? {
            (durable, None) => Ok(durable),
            (_, Some(error)) => Err(error),
        }
    }

    /// The same, and why one that can be done without did not get its name.
    pub fn commit_but_spare(mut self) -> Result<(Durable, Option<Error>), Error> {
        if self.open.len() == self.staged.len() {
            for (file, place) in self.open.iter().zip(&self.staged) {
                rustix::fs::fsync(file).map_err(|source| place.failed("sync", source))?;
            }
        } else {
            self.sync_filesystems()?;
        }
        let mut missing = None;
        for (at, place) in self.staged.iter_mut().enumerate() {
            match place.rename(RenameFlags::empty()) {
                Err(error) if self.spare.contains(&at) => missing = Some(error),
                renamed => renamed?,
            }
        }
        self.dirs.iter().try_for_each(|(_, _, dir)| dir.sync())?;
        Ok((Durable::promise(), missing))
    }

    fn sync_filesystems(&self) -> Result<(), Error> {
        let mut synced = BTreeSet::new();
        for (dev, _, dir) in &self.dirs {
            if synced.insert(*dev) {
                dir.sync_filesystem()?;
            }
        }
        Ok(())
    }
}
