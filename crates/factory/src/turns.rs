//! Work side by side that is heard as if it were done one after the other, and the places it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boltworks_model::{Clock, Event, Sink};

/// So many bytes of what one says are kept until it is its turn.
const KEPT: usize = 1 << 20;

/// The order in which a listener hears of things that happen at the same time.
pub(crate) struct Turns<'a> {
    sink: &'a dyn Sink,
    clock: &'a dyn Clock,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// Who is heard as it speaks.
    turn: usize,
    /// Who has ended before its turn.
    ended: BTreeSet<usize>,
    kept: BTreeMap<usize, Kept>,
}

/// What one has said before its turn.
#[derive(Default)]
struct Kept {
    said: Vec<Said>,
    /// About how much that takes, in bytes.
    size: usize,
}

/// An event that is told later.
enum Said {
    Started(String, Option<u64>),
    Progress(String, u64),
    Step(String, String),
    Line(String, String),
    Finished(String, bool, String, Option<Duration>),
    Warning(String),
}

impl<'a> Turns<'a> {
    pub(crate) fn new(sink: &'a dyn Sink, clock: &'a dyn Clock) -> Self {
        Self {
            sink,
            clock,
            state: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// What the one at this place speaks to.
    pub(crate) fn of(&self, place: usize) -> Turn<'_> {
        Turn {
            turns: self,
            place,
            began: self.clock.elapsed(),
        }
    }

    /// The one at this place will say no more.
    pub(crate) fn end(&self, place: usize) {
        let mut state = self.state();
        state.ended.insert(place);
        loop {
            let turn = state.turn;
            if !state.ended.remove(&turn) {
                break;
            }
            state.turn += 1;
            let next = state.turn;
            for said in state.kept.remove(&next).unwrap_or_default().said {
                self.sink.event(said.event());
            }
        }
        self.moved.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who take turns.
pub(crate) struct Turn<'a> {
    turns: &'a Turns<'a>,
    place: usize,
    began: Duration,
}

impl Sink for Turn<'_> {
    fn event(&self, event: Event<'_>) {
        let mut state = self.turns.state();
        let is_full = |state: &State| {
            let kept = state.kept.get(&self.place);
            kept.is_some_and(|kept| kept.size > KEPT)
        };
        while state.turn != self.place && is_full(&state) {
            let moved = self.turns.moved.wait(state);
            state = moved.unwrap_or_else(PoisonError::into_inner);
        }
        if state.turn == self.place {
            self.turns.sink.event(event);
            return;
        }
        let mut said = Said::from(event);
        if let Said::Finished(_, _, _, took @ None) = &mut said {
            *took = Some(self.turns.clock.elapsed().saturating_sub(self.began));
        }
        let kept = state.kept.entry(self.place).or_default();
        kept.size += said.size();
        kept.said.push(said);
    }
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Started { job, total } => Self::Started(job.to_owned(), total),
            Event::Progress { job, done } => Self::Progress(job.to_owned(), done),
            Event::Step { job, step } => Self::Step(job.to_owned(), step.to_owned()),
            Event::Line { job, line } => Self::Line(job.to_owned(), line.to_owned()),
            Event::Finished {
                job,
                ok,
                note,
                took,
            } => Self::Finished(job.to_owned(), ok, note.to_owned(), took),
            Event::Warning { text } => Self::Warning(text.to_owned()),
        }
    }
}

impl Said {
    fn event(&self) -> Event<'_> {
        match self {
            Self::Started(job, total) => Event::Started { job, total: *total },
            Self::Progress(job, done) => Event::Progress { job, done: *done },
            Self::Step(job, step) => Event::Step { job, step },
            Self::Line(job, line) => Event::Line { job, line },
            Self::Finished(job, ok, note, took) => Event::Finished {
                job,
                ok: *ok,
                note,
                took: *took,
            },
            Self::Warning(text) => Event::Warning { text },
        }
    }

    /// About how much it takes.
    fn size(&self) -> usize {
        let words = match self {
            Self::Started(job, _) | Self::Progress(job, _) => job.len(),
            Self::Step(job, text) | Self::Line(job, text) | Self::Finished(job, _, text, _) => {
                job.len() + text.len()
            }
            Self::Warning(text) => text.len(),
        };
        words + size_of::<Self>()
    }
}

/// Places for so many at once.
pub struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count.max(1)),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place; it is free again when this is dropped.
    pub(crate) fn take(&self) -> Place<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Place(self)
    }
}

/// A place that is taken.
pub(crate) struct Place<'a>(&'a Places);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Heard(Mutex<Vec<String>>);

    impl Sink for Heard {
        fn event(&self, event: Event<'_>) {
            let text = match event {
                Event::Line { job, line } => format!("{job} {line}"),
                Event::Finished { job, took, .. } => {
                    format!("{job} ends, told late: {}", took.is_some())
                }
                other => format!("{other:?}"),
            };
            self.0.lock().unwrap().push(text);
        }
    }

    struct Still;

    impl Clock for Still {
        fn now(&self) -> boltworks_model::Timestamp {
            boltworks_model::Timestamp(0)
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) {}
    }

    fn line<'a>(job: &'a str, line: &'a str) -> Event<'a> {
        Event::Line { job, line }
    }

    fn end(job: &str) -> Event<'_> {
        Event::Finished {
            job,
            ok: true,
            note: "",
            took: None,
        }
    }

    #[test]
    fn what_happens_at_once_is_heard_in_order() {
        let heard = Heard(Mutex::default());
        let turns = Turns::new(&heard, &Still);
        let [a, b, c] = [0, 1, 2].map(|place| turns.of(place));
        c.event(line("c", "1"));
        b.event(line("b", "1"));
        a.event(line("a", "1"));
        c.event(end("c"));
        turns.end(2);
        b.event(line("b", "2"));
        a.event(end("a"));
        turns.end(0);
        b.event(end("b"));
        turns.end(1);
        let heard = heard.0.into_inner().unwrap();
        let expected = [
            "a 1",
            "a ends, told late: false",
            "b 1",
            "b 2",
            "b ends, told late: false",
            "c 1",
            "c ends, told late: true",
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn who_has_too_much_to_say_waits() {
        let heard = Heard(Mutex::default());
        let turns = Turns::new(&heard, &Still);
        let long = "x".repeat(KEPT / 4);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let second = turns.of(1);
                for _ in 0..40 {
                    second.event(line("b", &long));
                }
                turns.end(1);
            });
            while turns
                .state()
                .kept
                .get(&1)
                .is_none_or(|kept| kept.said.len() < 4)
            {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(20));
            assert!(turns.state().kept[&1].said.len() <= 4);
            turns.end(0);
        });
        assert_eq!(heard.0.into_inner().unwrap().len(), 40);
    }
}
