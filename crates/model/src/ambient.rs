//! What is ambient elsewhere is an argument here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Timestamp;

/// A source of time.
pub trait Clock: Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, never going back: for measuring how long something took.
    fn elapsed(&self) -> Duration;

    /// Waits, before a retry.
    fn sleep(&self, duration: Duration);
}

/// A source of randomness.
pub trait Entropy: Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// What happens during long work, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A job began. `total` is in bytes or steps, where known.
    Started {
        /// A stable name, unique among running jobs: `build zlib`, `fetch pcre2-10.46.tar.bz2`.
        job: &'a str,
        /// How much there is to do.
        total: Option<u64>,
    },
    /// A job went on.
    Progress {
        /// The job's name.
        job: &'a str,
        /// How much is done, in the unit of `total`.
        done: u64,
    },
    /// A job reached a named step.
    Step {
        /// The job's name.
        job: &'a str,
        /// The step's name.
        step: &'a str,
    },
    /// A line that a job's program printed.
    Line {
        /// The job's name.
        job: &'a str,
        /// The line, without its end.
        line: &'a str,
    },
    /// A job ended.
    Finished {
        /// The job's name.
        job: &'a str,
        /// Whether it did what it should.
        ok: bool,
        /// A word on how it ended: `built`, `unchanged`, `failed: …`.
        note: &'a str,
        /// How long it took, where a listener that measures itself would not know: it is told
        /// later than it happened.
        took: Option<Duration>,
    },
    /// Something a person should know, that stops nothing.
    Warning {
        /// One sentence.
        text: &'a str,
    },
}

/// A listener to [`Event`]s; called from several threads.
pub trait Sink: Sync {
    /// Takes one event.
    fn event(&self, event: Event<'_>);
}

/// A listener that hears nothing.
impl Sink for () {
    fn event(&self, _event: Event<'_>) {}
}

/// Work was stopped because somebody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Cancelled;

/// A button that stops long work; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks all work that holds this button to stop soon.
    pub fn press(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The flag behind the button, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether it was pressed.
    pub fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// An error if it was pressed.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_pressed() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }
}

/// Clock, entropy, listener and cancel button, handed down the line.
#[derive(Clone, Copy)]
pub struct Ambient<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// Who listens.
    pub sink: &'a dyn Sink,
    /// The stop button.
    pub cancel: &'a Cancel,
}

#[cfg(test)]
mod tests {
    use super::{Cancel, Cancelled};

    #[test]
    fn a_pressed_button_is_seen_by_its_clones() {
        let button = Cancel::default();
        let clone = button.clone();
        assert_eq!(clone.check(), Ok(()));
        button.press();
        assert_eq!(clone.check(), Err(Cancelled));
    }
}
