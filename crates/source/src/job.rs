//! A transfer as whoever watches sees it.

use boltworks_model::{Ambient, Event};

/// A transfer as whoever watches sees it.
pub(crate) struct Job<'a> {
    name: String,
    has_begun: bool,
    pub(crate) ambient: &'a Ambient<'a>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(place: &str, ambient: &'a Ambient<'a>) -> Self {
        let file = place.rsplit_once('/').map_or(place, |(_, file)| file);
        Self {
            name: format!("fetch {file}"),
            has_begun: false,
            ambient,
        }
    }

    pub(crate) fn begin(&mut self, total: Option<u64>) {
        if !self.has_begun {
            self.ambient.sink.event(Event::Started {
                job: &self.name,
                total,
            });
        }
        self.has_begun = true;
    }

    pub(crate) fn progress(&self, done: u64) {
        self.ambient.sink.event(Event::Progress {
            job: &self.name,
            done,
        });
    }

    pub(crate) fn step(&self, step: &str) {
        self.ambient.sink.event(Event::Step {
            job: &self.name,
            step,
        });
    }

    pub(crate) fn end(&self, ok: bool, note: &str) {
        if self.has_begun {
            self.ambient.sink.event(Event::Finished {
                job: &self.name,
                ok,
                note,
                took: None,
            });
        }
    }
}
