//! All of it, in parallel, to the end.
//!
//! The plan is made anew after every finished item, because what an item's packages turn out to be
//! decides whether those that need it are stale. Items that wait for nothing run side by side, at
//! most [`Host::jobs`](crate::Host) at once; a failed one takes with it only what needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use boltworks_model::{ActionId, Ambient, Cancelled, chain};
use boltworks_package::Failed;
use boltworks_plan::{ActionInputs, ActionKind, Catalog, Item, Plan, State, Subject};

use crate::Error;
use crate::attempt::{self, announced, caught};
use crate::means::Means;
use crate::planning::{Planner, fresh_recipes};
use crate::recipes::Workshop;

/// What is said of something that was made with other bytes than before.
pub(crate) const MADE: &str = "made";
/// The same, with the bytes there were.
const MADE_EQUAL: &str = "made, bytes unchanged";

/// How one recipe or image stands at the end.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is.
    pub subject: Subject,
    /// How it ended.
    pub outcome: RowOutcome,
}

/// How a row ended.
#[derive(Debug, Clone)]
pub enum RowOutcome {
    /// Nothing was stale.
    Fresh,
    /// It was made, for these reasons, and took so many seconds.
    Made {
        /// Why it was stale.
        reasons: Vec<String>,
        /// Whether its bytes differ from before.
        changed: bool,
        /// Wall-clock seconds.
        seconds: i64,
    },
    /// It failed.
    Failed {
        /// One line.
        reason: String,
        /// The step that failed, where it was one.
        step: Option<Box<Failed>>,
    },
    /// It was not tried, because of something else.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl RowOutcome {
    fn unread(why: &str) -> Self {
        Self::Failed {
            reason: why.to_owned(),
            step: None,
        }
    }

    fn untried(state: &State) -> Self {
        let reason = match state {
            State::Fresh(_) => return Self::Fresh,
            State::Blocked(why) => why.clone(),
            State::Stale(..) => "it was not tried".to_owned(),
            State::Pending(on) => {
                let names: Vec<String> = on.iter().map(ToString::to_string).collect();
                format!("it waits for {}", names.join(", "))
            }
        };
        Self::Skipped { reason }
    }
}

/// How everything stands at the end.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Recipes in build order, then images.
    pub rows: Vec<Row>,
    /// How steps were confined, and what held their limits; nothing where no step ran.
    pub confinement: Option<String>,
    /// Why the run ended before everything was tried, where it did.
    pub fault: Option<String>,
}

impl Report {
    /// How things stand in a plan, where nothing was tried.
    pub(crate) fn of(plan: &Plan, catalog: &Catalog) -> Self {
        let row = |item: &Item| Row {
            subject: item.subject.clone(),
            outcome: match catalog.unread.get(&item.subject) {
                Some(why) => RowOutcome::unread(why),
                None => RowOutcome::untried(&item.state),
            },
        };
        Self {
            rows: plan.items.iter().map(row).collect(),
            ..Self::default()
        }
    }

    /// Whether everything there is, is made.
    pub fn is_complete(&self) -> bool {
        self.fault.is_none()
            && self
                .rows
                .iter()
                .all(|row| matches!(row.outcome, RowOutcome::Fresh | RowOutcome::Made { .. }))
    }

    /// Whether nothing had to be made.
    pub fn was_fresh(&self) -> bool {
        self.rows
            .iter()
            .all(|row| matches!(row.outcome, RowOutcome::Fresh))
    }
}

/// A finished job.
struct Finished {
    subject: Subject,
    action: ActionId,
    reasons: Vec<String>,
    seconds: i64,
    result: Result<bool, Error>,
}

/// Makes everything that is stale; how it all stands then, and the last plan. The error is one that
/// came before anything was made, or the stop button.
pub fn up(means: &Means<'_>, ambient: &Ambient<'_>) -> Result<(Report, Plan), Error> {
    let planner = Planner::from(means);
    let mut run = Run {
        means,
        ambient,
        failed: BTreeMap::new(),
        done: BTreeMap::new(),
    };
    let mut plan = planner.plan(&run.failed)?;
    let mut fault = None;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<Finished>();
        let mut running: BTreeSet<Subject> = BTreeSet::new();
        loop {
            let fresh = fresh_recipes(&plan);
            let free = means.home.host.jobs.saturating_sub(running.len());
            let next: Vec<_> = plan
                .ready()
                .filter(|item| !running.contains(&item.subject) && fault.is_none())
                .take(free)
                .collect();
            for item in next {
                let Some(job) = Job::of(item, fresh.clone()) else {
                    continue;
                };
                running.insert(item.subject.clone());
                let sender = sender.clone();
                scope.spawn(move || {
                    // The receiver is gone only when this run has already failed as a whole.
                    let _sent = sender.send(job.carry_out(means, ambient));
                });
            }
            if running.is_empty() {
                break;
            }
            let Ok(finished) = receiver.recv() else {
                break;
            };
            running.remove(&finished.subject);
            run.take(finished)?;
            // What was made is shown even where planning on is impossible.
            match planner.plan(&run.failed) {
                Ok(next) => plan = next,
                Err(error) => fault = Some(chain(&error)),
            }
        }
        Ok::<(), Error>(())
    })?;
    Ok((run.report(&plan, fault), plan))
}

/// One item on its way.
struct Job {
    subject: Subject,
    action: ActionId,
    inputs: ActionInputs,
    reasons: Vec<String>,
    fresh: Vec<ActionId>,
}

impl Job {
    fn of(item: &Item, fresh: Vec<ActionId>) -> Option<Self> {
        let State::Stale(action, reasons) = &item.state else {
            return None;
        };
        Some(Self {
            subject: item.subject.clone(),
            action: *action,
            inputs: item.inputs.clone()?,
            reasons: reasons.clone(),
            fresh,
        })
    }

    fn carry_out(self, means: &Means<'_>, ambient: &Ambient<'_>) -> Finished {
        let started = ambient.clock.now();
        let note = |changed: &bool| if *changed { MADE } else { MADE_EQUAL };
        let job = self.subject.to_string();
        let result = announced(&job, ambient, note, || caught(|| self.make(means, ambient)));
        Finished {
            subject: self.subject,
            action: self.action,
            reasons: self.reasons,
            seconds: ambient.clock.now().0.saturating_sub(started.0),
            result,
        }
    }

    /// Makes it; whether its bytes differ from what the last good action gave.
    fn make(&self, means: &Means<'_>, ambient: &Ambient<'_>) -> Result<bool, Error> {
        ambient.cancel.check()?;
        let workshop = Workshop {
            means,
            fresh: &self.fresh,
            attendant: None,
        };
        let subject = self.subject.to_string();
        let before = means.home.records().latest_good_for(&subject)?;
        let record = match self.subject.kind {
            ActionKind::Recipe => workshop.make_recipe(self.action, &self.inputs, ambient)?,
            ActionKind::Image => workshop.make_image(self.action, &self.inputs, ambient)?,
        };
        Ok(before.is_none_or(|before| before.artifacts != record.artifacts))
    }
}

struct Run<'a> {
    means: &'a Means<'a>,
    ambient: &'a Ambient<'a>,
    failed: BTreeMap<Subject, String>,
    done: BTreeMap<Subject, RowOutcome>,
}

impl Run<'_> {
    /// Takes note of a finished job. A failure is recorded; only a stop on request ends the run.
    fn take(&mut self, finished: Finished) -> Result<(), Error> {
        let Finished {
            subject,
            action,
            reasons,
            seconds,
            result,
        } = finished;
        let error = match result {
            Ok(changed) => {
                self.done.insert(
                    subject,
                    RowOutcome::Made {
                        reasons,
                        changed,
                        seconds,
                    },
                );
                return Ok(());
            }
            Err(error) => error,
        };
        if self.ambient.cancel.is_pressed() {
            return Err(Cancelled.into());
        }
        let name = subject.to_string();
        let now = self.ambient.clock.now();
        let failure = attempt::failure(name, action, &error, now);
        let step = attempt::step(&error).cloned();
        let recorded = self.means.home.records().record_failure(&failure);
        self.failed.insert(subject.clone(), failure.reason);
        let mut reason = error.told();
        // On a full disk both may fail: the first cause is the one to know.
        if let Err(error) = recorded {
            let more = chain(&error);
            reason = format!("{reason}\nthis failure could not be recorded: {more}");
        }
        let step = step.map(Box::new);
        let outcome = RowOutcome::Failed { reason, step };
        self.done.insert(subject, outcome);
        Ok(())
    }

    fn report(mut self, plan: &Plan, fault: Option<String>) -> Report {
        let mut report = Report::of(plan, &self.means.loaded.catalog);
        for row in &mut report.rows {
            if let Some(outcome) = self.done.remove(&row.subject) {
                row.outcome = outcome;
            }
        }
        Report {
            confinement: Some(self.means.sandbox.describe()),
            fault,
            ..report
        }
    }
}
