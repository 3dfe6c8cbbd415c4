//! All of it, in parallel, to the end.
//!
//! The plan is made anew after every finished item, because what an item's packages turn out to be
//! decides whether those that need it are stale. Items that wait for nothing run side by side, at
//! most [`Host::jobs`](crate::Host) at once; a failed one takes with it only what needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use boltworks_model::{Ambient, Cancelled, Event, Sha256, Timestamp};
use boltworks_plan::{ActionInputs, ActionKind, Item, Plan, State, Subject};
use boltworks_records::FailureRecord;
use boltworks_rootfs::Environments;
use boltworks_sandbox::Local;
use boltworks_source::Fetcher;

use crate::catalog::Loaded;
use crate::home::Keys;
use crate::planning::{Planner, Stage0, fresh_recipes};
use crate::recipes::Workshop;
use crate::{Error, Home};

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
        /// The last lines its steps printed.
        tail: Vec<String>,
        /// The whole log in the store.
        log: Option<Sha256>,
    },
    /// It was not tried, because of something else.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// How everything stands at the end.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Recipes in build order, then images.
    pub rows: Vec<Row>,
    /// How steps were confined, and what held their limits; nothing where no step ran.
    pub confinement: Option<String>,
}

impl Report {
    /// The report of a plan with nothing stale.
    pub(crate) fn of_fresh(plan: &Plan) -> Self {
        let row = |item: &Item| Row {
            subject: item.subject.clone(),
            outcome: RowOutcome::Fresh,
        };
        Self {
            rows: plan.items.iter().map(row).collect(),
            confinement: None,
        }
    }

    /// Whether everything there is, is made.
    pub fn is_complete(&self) -> bool {
        self.rows
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

/// What a run needs beside the factory.
pub struct Means<'a> {
    /// The factory.
    pub home: &'a Home,
    /// What it can make.
    pub loaded: &'a Loaded,
    /// Its keys.
    pub keys: &'a Keys,
    /// Stage 0.
    pub stage0: &'a Stage0,
    /// Gets sources.
    pub fetcher: &'a Fetcher<'a>,
    /// Where steps run.
    pub sandbox: &'a Local,
    /// Lays environments out.
    pub environments: &'a Environments,
}

/// A finished job.
struct Finished {
    subject: Subject,
    reasons: Vec<String>,
    seconds: i64,
    result: Result<bool, Error>,
}

/// Makes everything that is stale.
pub fn up(means: &Means<'_>, ambient: &Ambient<'_>) -> Result<Report, Error> {
    let planner = Planner {
        home: means.home,
        loaded: means.loaded,
        keys: means.keys,
        stage0: means.stage0,
    };
    let mut run = Run {
        means,
        ambient,
        failed: BTreeMap::new(),
        done: BTreeMap::new(),
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<Finished>();
        let mut running: BTreeSet<Subject> = BTreeSet::new();
        loop {
            let plan = planner.plan(&run.failed)?;
            let fresh = fresh_recipes(&plan);
            let free = means.home.host.jobs.saturating_sub(running.len());
            let next: Vec<_> = plan
                .ready()
                .filter(|item| !running.contains(&item.subject))
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
                return Ok(run.report(&plan));
            }
            let Ok(finished) = receiver.recv() else {
                return Ok(run.report(&plan));
            };
            running.remove(&finished.subject);
            run.take(finished)?;
        }
    })
}

/// One item on its way.
struct Job {
    subject: Subject,
    action: boltworks_model::ActionId,
    inputs: ActionInputs,
    reasons: Vec<String>,
    fresh: Vec<boltworks_model::ActionId>,
}

impl Job {
    fn of(item: &Item, fresh: Vec<boltworks_model::ActionId>) -> Option<Self> {
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
        let job = self.subject.to_string();
        let started = ambient.clock.now();
        ambient.sink.event(Event::Started {
            job: &job,
            total: None,
        });
        let result = self.make(means, ambient);
        let seconds = ambient.clock.now().0.saturating_sub(started.0);
        let note = match &result {
            Ok(true) => "made".to_owned(),
            Ok(false) => "made, bytes unchanged".to_owned(),
            Err(_) if ambient.cancel.is_pressed() => "stopped".to_owned(),
            Err(error) => format!("failed: {}", chain(error)),
        };
        ambient.sink.event(Event::Finished {
            job: &job,
            ok: result.is_ok(),
            note: &note,
        });
        Finished {
            subject: self.subject,
            reasons: self.reasons,
            seconds,
            result,
        }
    }

    /// Makes it; whether its bytes differ from what the last good action gave.
    fn make(&self, means: &Means<'_>, ambient: &Ambient<'_>) -> Result<bool, Error> {
        ambient.cancel.check()?;
        let workshop = Workshop {
            home: means.home,
            loaded: means.loaded,
            keys: means.keys,
            stage0: means.stage0,
            fresh: &self.fresh,
            fetcher: means.fetcher,
            sandbox: means.sandbox,
            environments: means.environments,
        };
        let before = means
            .home
            .records()
            .latest_good_for(&self.subject.to_string())?;
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
        let (tail, log) = match &error {
            Error::Package(boltworks_package::Error::Step { tail, log, .. }) => {
                (tail.clone(), Some(*log))
            }
            _ => (Vec::new(), None),
        };
        let mut reason = chain(&error);
        let recorded = self.means.home.records().record_failure(&FailureRecord {
            subject: subject.to_string(),
            action: None,
            reason: reason.clone(),
            log,
            at: self.now(),
        });
        self.failed.insert(subject.clone(), reason.clone());
        // On a full disk both may fail: the first cause is the one to know.
        if let Err(error) = recorded {
            let more = chain(&error);
            reason = format!("{reason}\nthis failure could not be recorded: {more}");
        }
        self.done
            .insert(subject, RowOutcome::Failed { reason, tail, log });
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.ambient.clock.now()
    }

    fn report(mut self, plan: &Plan) -> Report {
        let rows = plan
            .items
            .iter()
            .map(|item| {
                let outcome =
                    self.done
                        .remove(&item.subject)
                        .unwrap_or_else(|| match &item.state {
                            State::Blocked(reason) => RowOutcome::Skipped {
                                reason: reason.clone(),
                            },
                            State::Pending(on) => {
                                let names: Vec<String> =
                                    on.iter().map(ToString::to_string).collect();
                                RowOutcome::Skipped {
                                    reason: format!("it waits for {}", names.join(", ")),
                                }
                            }
                            State::Fresh(_) | State::Stale(..) => RowOutcome::Fresh,
                        });
                Row {
                    subject: item.subject.clone(),
                    outcome,
                }
            })
            .collect();
        Report {
            rows,
            confinement: Some(self.means.sandbox.describe()),
        }
    }
}

/// An error with everything beneath it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let line = source.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        below = source.source();
    }
    text
}
