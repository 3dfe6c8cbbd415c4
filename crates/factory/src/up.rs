//! All of it, in parallel, to the end.
//!
//! The plan is made anew as items are finished, because what an item's packages turn out to be
//! decides whether those that need it are stale: when nothing that is ready is left, and before that
//! as often as planning takes little of the time. An image that nothing waits for decides nothing. So
//! the last plan is made when nothing runs any more that could change it, and how often it was made
//! before decides nothing either. Items that wait for nothing run side by side, at most
//! [`Host::jobs`](crate::Host) at once, and twice as many where they are images; a failed one takes with it
//! only what needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use boltworks_model::{ActionId, Ambient, Cancelled, chain};
use boltworks_package::Failed;
use boltworks_plan::{ActionInputs, ActionKind, Catalog, Item, Plan, State, Subject};

use crate::Error;
use crate::attempt::{self, announced, caught};
use crate::means::Means;
use crate::planning::{Planner, Standing};
use crate::recipes::{Basis, Workshop};
use crate::testing::Tested;

/// No more images than that become durable together.
const TOGETHER: usize = 32;
/// As often each worker is to come back for more images.
const SHARES: usize = 4;
/// Between two plans at least that many times of what one takes, as long as anything is ready.
const PLANNING: u32 = 20;
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
        /// The step that failed, where it was one; of several the first.
        step: Option<Box<Failed>>,
        /// The tests that failed, where it were some of several.
        tests: Vec<Tested>,
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
            tests: Vec::new(),
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

/// Makes everything that is stale by a plan; how it all stands then, and the last plan. The error is
/// one that came before anything was made, or the stop button.
pub(crate) fn up(
    means: &Means<'_>,
    mut planned: Planned,
    ambient: &Ambient<'_>,
) -> Result<(Report, Plan), Error> {
    let planner = Planner::from(means);
    let mut run = Run {
        means,
        ambient,
        failed: BTreeMap::new(),
        done: BTreeMap::new(),
    };
    let mut fault = None;
    let jobs = means.home.host.jobs;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<Vec<Finished>>();
        let mut running: BTreeSet<Subject> = BTreeSet::new();
        let mut busy = 0;
        loop {
            while busy < planned.places(jobs)
                && fault.is_none()
                && let Some(job) = planned.next(&running, jobs)
            {
                running.extend(job.items().map(|item| item.subject.clone()));
                busy += 1;
                let sender = sender.clone();
                scope.spawn(move || {
                    // The receiver is gone only when this run has already failed as a whole.
                    let _sent = sender.send(job.carry_out(means, ambient));
                });
            }
            if busy == 0 {
                break;
            }
            let Ok(finished) = receiver.recv() else {
                break;
            };
            busy -= 1;
            for finished in finished {
                running.remove(&finished.subject);
                let subject = finished.subject.clone();
                let state = run.take(finished)?;
                planned.ended.insert(subject, state);
            }
            if planned.is_due(ambient) {
                // What was made is shown even where planning on is impossible.
                match Planned::now(&planner, &run.failed, ambient) {
                    Ok(next) => planned = next,
                    Err(error) => fault = Some(chain(&error)),
                }
            }
        }
        Ok::<(), Error>(())
    })?;
    let plan = planned.into_plan()?;
    Ok((run.report(&plan, fault), plan))
}

/// A plan, and how much of it was handed out.
pub(crate) struct Planned {
    standing: Arc<Standing>,
    /// The first item that was not looked at yet.
    next: usize,
    /// When it was finished, and how long it took.
    made: (Duration, Duration),
    /// Where items stand that ended since.
    ended: BTreeMap<Subject, State>,
}

impl Planned {
    pub(crate) fn now(
        planner: &Planner<'_>,
        failed: &BTreeMap<Subject, String>,
        ambient: &Ambient<'_>,
    ) -> Result<Self, Error> {
        let started = ambient.clock.elapsed();
        let plan = planner.plan(failed)?;
        let finished = ambient.clock.elapsed();
        Ok(Self {
            standing: Arc::new(Standing::from(plan)),
            next: 0,
            made: (finished, finished.saturating_sub(started)),
            ended: BTreeMap::new(),
        })
    }

    /// The plan as it stands when no job runs.
    pub(crate) fn into_plan(self) -> Result<Plan, Error> {
        let Self {
            standing,
            mut ended,
            ..
        } = self;
        let standing = Arc::try_unwrap(standing).map_err(|_| Error::Inconsistent {
            what: "a job that ended holds the plan".to_owned(),
        })?;
        let mut plan = standing.plan;
        for item in &mut plan.items {
            if let Some(state) = ended.remove(&item.subject) {
                if matches!(state, State::Blocked(_)) {
                    item.inputs = None;
                }
                item.state = state;
            }
        }
        Ok(plan)
    }

    /// Whether anything is left that can be made.
    pub(crate) fn has_work(&self) -> bool {
        self.ready().next().is_some()
    }

    /// What is ready, from here on.
    fn ready(&self) -> impl Iterator<Item = (usize, &Item)> {
        let items = self.standing.plan.items.iter().enumerate().skip(self.next);
        items.filter(|(_, item)| matches!(item.state, State::Stale(..)))
    }

    /// How many may run at once: twice as many where only images are left, which wait for the disk.
    fn places(&self, jobs: usize) -> usize {
        let mut ready = self.ready();
        let is_image = ready.all(|(_, item)| item.subject.kind == ActionKind::Image);
        jobs * if is_image { 2 } else { 1 }
    }

    /// The next that is ready and does not run: a recipe, or images, of which each of so many workers
    /// is to get some more than once.
    fn next(&mut self, running: &BTreeSet<Subject>, workers: usize) -> Option<Job> {
        let is_free = |(_, item): &(usize, &Item)| !running.contains(&item.subject);
        let (first, item) = self.ready().find(is_free)?;
        let places = match item.subject.kind {
            ActionKind::Recipe => vec![first],
            ActionKind::Image => {
                let free = self.ready().filter(is_free).map(|(place, _)| place);
                let mut free: Vec<usize> = free.collect();
                let share = free.len() / (workers.max(1) * SHARES);
                free.truncate(share.clamp(1, TOGETHER));
                free
            }
        };
        self.next = places.last().map_or(first, |last| last + 1);
        Some(Job {
            standing: Arc::clone(&self.standing),
            places,
        })
    }

    /// Whether it is to be made anew after something was finished.
    fn is_due(&self, ambient: &Ambient<'_>) -> bool {
        let (at, took) = self.made;
        let is_old = ambient.clock.elapsed().saturating_sub(at) >= took * PLANNING;
        (is_old || !self.has_work()) && !self.is_known()
    }

    /// Whether another plan would say of nothing else than what ended since where it stands.
    fn is_known(&self) -> bool {
        let waits = |item: &Item| matches!(item.state, State::Pending(_));
        let is_image = |subject: &Subject| subject.kind == ActionKind::Image;
        self.ended.keys().all(is_image) && !self.standing.plan.items.iter().any(waits)
    }
}

/// Items of a plan on their way: a recipe, or images that become durable together.
struct Job {
    standing: Arc<Standing>,
    places: Vec<usize>,
}

impl Job {
    fn items(&self) -> impl Iterator<Item = &Item> {
        let items = self.places.iter();
        items.filter_map(|place| self.standing.plan.items.get(*place))
    }

    fn carry_out(self, means: &Means<'_>, ambient: &Ambient<'_>) -> Vec<Finished> {
        let started = ambient.clock.now();
        let orders: Vec<_> = self.items().filter_map(ordered).collect();
        let workshop = Workshop {
            means,
            basis: Basis::Planned(&self.standing),
            attendant: None,
        };
        let results = match orders.as_slice() {
            [order] => vec![alone(&workshop, order, ambient)],
            orders => together(&workshop, orders, ambient),
        };
        let seconds = ambient.clock.now().0.saturating_sub(started.0);
        let finished = |(order, result): (&Ordered<'_>, _)| Finished {
            subject: order.inputs.subject.clone(),
            action: order.action,
            reasons: order.reasons.to_vec(),
            seconds,
            result,
        };
        orders.iter().zip(results).map(finished).collect()
    }
}

/// An item that is to be made.
struct Ordered<'a> {
    action: ActionId,
    inputs: &'a ActionInputs,
    reasons: &'a [String],
}

fn ordered(item: &Item) -> Option<Ordered<'_>> {
    let State::Stale(action, reasons) = &item.state else {
        return None;
    };
    Some(Ordered {
        action: *action,
        inputs: item.inputs.as_ref()?,
        reasons,
    })
}

/// Makes one; whether its bytes differ from what the last good action gave.
fn alone(
    workshop: &Workshop<'_>,
    order: &Ordered<'_>,
    ambient: &Ambient<'_>,
) -> Result<bool, Error> {
    let Ordered { action, inputs, .. } = *order;
    let subject = inputs.subject.to_string();
    let make = || {
        ambient.cancel.check()?;
        if inputs.subject.kind == ActionKind::Image {
            let mut made = workshop.make_images(&[(action, inputs)], ambient);
            return made.pop().unwrap_or(Ok(false));
        }
        let before = workshop.means.home.records().latest_good_for(&subject)?;
        let record = workshop.make_recipe(action, inputs, ambient)?;
        Ok(before.is_none_or(|before| before.artifacts != record.artifacts))
    };
    let note = |changed: &bool| if *changed { MADE } else { MADE_EQUAL };
    announced(&subject, ambient, note, || caught(make))
}

/// The same for images. What goes wrong with one is told of by its name.
fn together(
    workshop: &Workshop<'_>,
    orders: &[Ordered<'_>],
    ambient: &Ambient<'_>,
) -> Vec<Result<bool, Error>> {
    let name = |order: &Ordered<'_>| order.inputs.subject.to_string();
    let first = orders.first().map(name).unwrap_or_default();
    let job = format!("{first} and {} more", orders.len().saturating_sub(1));
    let make = || {
        let pairs: Vec<_> = orders
            .iter()
            .map(|order| (order.action, order.inputs))
            .collect();
        Ok(workshop.make_images(&pairs, ambient))
    };
    let made = announced(&job, ambient, |_| MADE, || caught(make));
    let made = made.unwrap_or_else(|error| {
        let why = chain(&error);
        let failed = orders.iter().map(|_| Err(Error::together(&why)));
        failed.collect()
    });
    for (order, result) in orders.iter().zip(&made) {
        if let Err(error) = result {
            let why = format!("failed: {}", chain(error));
            attempt::failed(&name(order), &why, ambient);
        }
    }
    made
}

struct Run<'a> {
    means: &'a Means<'a>,
    ambient: &'a Ambient<'a>,
    failed: BTreeMap<Subject, String>,
    done: BTreeMap<Subject, RowOutcome>,
}

impl Run<'_> {
    /// Takes note of a finished job; where it stands now. A failure is recorded; only a stop on
    /// request ends the run.
    fn take(&mut self, finished: Finished) -> Result<State, Error> {
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
                return Ok(State::Fresh(action));
            }
            Err(error) => error,
        };
        if self.ambient.cancel.is_pressed() {
            return Err(Cancelled.into());
        }
        let name = subject.to_string();
        let now = self.ambient.clock.now();
        let failure = attempt::failure(name, action, &error, now);
        let tests = attempt::tests(&error).to_vec();
        let step = attempt::step(&error).cloned();
        let recorded = self.means.home.records().record_failure(&failure);
        let state = State::Blocked(failure.reason.clone());
        self.failed.insert(subject.clone(), failure.reason);
        let mut reason = error.told();
        // On a full disk both may fail: the first cause is the one to know.
        if let Err(error) = recorded {
            let more = chain(&error);
            reason = format!("{reason}\nthis failure could not be recorded: {more}");
        }
        let step = step.map(Box::new);
        let outcome = RowOutcome::Failed {
            reason,
            step,
            tests,
        };
        self.done.insert(subject, outcome);
        Ok(state)
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
