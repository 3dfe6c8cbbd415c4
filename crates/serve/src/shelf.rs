//! Open records for many threads.
//!
//! A view of the records is for one thread at a time, and opening one costs more than a look-up:
//! so those that are not in use lie here. They share the memory of what was hashed. When the
//! state was removed and made anew, all of them are put away.

use std::sync::{Mutex, MutexGuard, PoisonError};

use boltworks_release::{Error, ReleasedStore};

type Open = Box<dyn Fn() -> Result<ReleasedStore, Error> + Send + Sync>;

/// Where views lie when they are not in use.
pub(crate) struct Shelf {
    open: Open,
    views: Mutex<Vec<ReleasedStore>>,
    /// The one that further ones are made from.
    first: Mutex<Option<ReleasedStore>>,
}

impl Shelf {
    pub(crate) fn new(open: Open) -> Self {
        Self {
            open,
            views: Mutex::default(),
            first: Mutex::default(),
        }
    }

    /// Asks something of what was released.
    pub(crate) fn with<T>(
        &self,
        question: impl FnOnce(&ReleasedStore) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let view = self.take()?;
        let answer = question(&view);
        // After an error the view may be what is broken.
        if answer.is_ok() {
            lock(&self.views).push(view);
        }
        answer
    }

    fn take(&self) -> Result<ReleasedStore, Error> {
        let view = lock(&self.views).pop();
        if let Some(view) = view.filter(ReleasedStore::is_current) {
            return Ok(view);
        }
        let mut first = lock(&self.first);
        if let Some(first) = first.as_ref().filter(|first| first.is_current()) {
            return first.reopen();
        }
        lock(&self.views).clear();
        let opened = (self.open)()?;
        let view = opened.reopen()?;
        *first = Some(opened);
        Ok(view)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
