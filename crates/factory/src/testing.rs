//! The tests of a recipe: each locked, all laid out together, run side by side, and recorded with
//! the packages each of them used.
//!
//! What tests print and tell comes out as if they had run one after the other; see
//! [`turns`](crate::turns).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use boltworks_model::{Ambient, Event, PackageName, Sha256, Sink, chain};
use boltworks_package::check::{Check, Checked, check, job, what};
use boltworks_package::local::LocalFiles;
use boltworks_package::rescue::Attendant;
use boltworks_package::{Failed, SourceInput};
use boltworks_plan::{Unchosen, World};
use boltworks_recipe::resolved::{Image, Recipe, Test};
use boltworks_rootfs::Locked;
use boltworks_solver::Options;
use boltworks_store::{Batch, Store};
use boltworks_version::apk::Dependency;

use crate::Error;
use crate::attempt::caught;
use crate::recipes::{Workshop, locked};
use crate::turns::Turns;

/// The tests of a recipe that are to be run.
pub(crate) struct Tests<'a> {
    /// Where.
    pub(crate) workshop: &'a Workshop<'a>,
    /// The packages there are.
    pub(crate) world: &'a World,
    /// The recipe.
    pub(crate) recipe: &'a Recipe,
    /// The files beside it.
    pub(crate) local_files: Option<&'a LocalFiles>,
    /// Who gets a shell where one fails: then they run one by one.
    pub(crate) attendant: Option<Attendant<'a>>,
    /// Tests of which it is known already that their packages cannot be chosen, and why.
    pub(crate) unsolvable: &'a BTreeMap<String, String>,
    /// What builds the recipe's packages, where nobody has done that just now.
    pub(crate) made_by: Option<&'a str>,
}

/// A test that was run, or was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// The package under test.
    pub package: String,
    /// What the steps printed, in the store.
    pub log: Sha256,
    /// The packages of its guest, in install order.
    pub used: Locked,
    /// Where it failed, if it did.
    pub failed: Option<Failed>,
    /// Why it could not be set up or started, in lines, if so.
    pub unready: Option<String>,
    /// Whether a person went on in a shell where a step had failed.
    pub by_hand: bool,
}

impl Tested {
    /// Whether it did not fail, and was run at all.
    pub fn has_passed(&self) -> bool {
        self.failed.is_none() && self.unready.is_none()
    }

    /// How it failed, if it did.
    pub fn fault(&self) -> Option<String> {
        let failed = self.failed.as_ref().map(Failed::to_string);
        failed.or_else(|| self.unready.clone())
    }
}

/// A package's test.
pub(crate) type Named<'r> = (&'r str, &'r Test);

/// The tests of a recipe, its own first; those without steps left out.
pub(crate) fn tests_of(recipe: &Recipe) -> Vec<Named<'_>> {
    let own = std::iter::once((recipe.package.name.as_str(), recipe.test.as_ref()));
    let split = recipe.subpackages.iter();
    let split = split.map(|package| (package.name.as_str(), package.test.as_ref()));
    own.chain(split)
        .filter_map(|(package, test)| Some((package, test?)))
        .filter(|(_, test)| !test.pipeline.is_empty())
        .collect()
}

impl Tests<'_> {
    /// Runs these tests, all of them, whatever fails, also where one of several cannot be set up or
    /// started; what became of each, in their order.
    pub(crate) fn run(
        &self,
        tests: &[Named<'_>],
        ambient: &Ambient<'_>,
    ) -> Result<Vec<Tested>, Error> {
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = BTreeMap::new();
        let set_up = tests.iter().map(|(package, test)| {
            let set_up = self.set_up(package, test, &mut known, ambient);
            self.borne((package, test), tests.len(), set_up, ambient)
        });
        let set_up = set_up.collect::<Result<Vec<_>, Error>>()?;
        let locked = set_up.iter().flatten().map(|(locked, _)| locked.clone());
        let locked: Vec<Locked> = locked.collect();
        let trees = self
            .workshop
            .lay_out_all(&locked, &own_names(self.recipe))?;
        let ready = tests.iter().zip(&set_up);
        let ready = ready.filter_map(|(test, set_up)| Some((test, set_up.as_ref().ok()?)));
        let ready: Vec<Ready<'_>> = ready
            .zip(&trees)
            .map(|(((package, test), (_, sources)), trees)| Ready {
                package,
                test,
                trees,
                sources,
            })
            .collect();
        let scratch = self.workshop.scratch()?;
        let mut outcomes = Vec::new();
        self.side_by_side(&ready, &scratch, ambient, |test, checked| {
            outcomes.push(self.borne(test, tests.len(), checked, ambient)?);
            Ok(())
        })?;
        let mut outcomes = outcomes.into_iter();
        let store = &self.workshop.means.home.store;
        let mut batch = store.batch();
        let mut done = Vec::new();
        for ((package, _), set_up) in tests.iter().zip(set_up) {
            let (used, outcome) = match set_up {
                Ok((used, _)) => (used, outcomes.next()),
                Err(why) => (Locked::default(), Some(Err(why))),
            };
            done.push(match outcome {
                Some(Ok(checked)) => tested(package, used, checked, &mut batch)?,
                Some(Err(why)) => unready(package, used, why, store)?,
                None => continue,
            });
        }
        batch.commit()?;
        Ok(done)
    }

    /// What a test waits for: its packages, chosen once for those that ask for the same, and sources.
    fn set_up(
        &self,
        package: &str,
        test: &Test,
        known: &mut BTreeMap<Vec<String>, Locked>,
        ambient: &Ambient<'_>,
    ) -> Result<(Locked, Vec<SourceInput>), Error> {
        let request: Vec<String> = test.packages.iter().map(Dependency::to_string).collect();
        let locked = match known.get(&request) {
            Some(locked) => locked.clone(),
            None => self.lock(package, test)?,
        };
        known.insert(request, locked.clone());
        let sources = self.workshop.fetch(self.recipe, &test.sources, ambient)?;
        Ok((locked, sources))
    }

    /// Chooses the packages of a test.
    fn lock(&self, package: &str, test: &Test) -> Result<Locked, Error> {
        let unsolvable = |why: String| Error::Unsolvable {
            subject: format!("the {}", what(package)),
            why: self.unbuilt(test, &why).unwrap_or(why),
        };
        if let Some(why) = self.unsolvable.get(package) {
            return Err(unsolvable(why.clone()));
        }
        let home = self.workshop.means.home;
        let options = Options::new(home.architecture());
        let picks = home.choose(self.world, &test.packages, &options);
        let picks = picks.map_err(|unchosen| match unchosen {
            Unchosen::Unsolvable(why) => unsolvable(why),
            Unchosen::Unknown(what) => Error::Inconsistent { what },
        })?;
        locked(&picks, self.world)
    }

    /// Why packages cannot be chosen, where that is because a package of the recipe itself is not there
    /// in the version that is asked for.
    fn unbuilt(&self, test: &Test, why: &str) -> Option<String> {
        let made_by = self.made_by?;
        let own = own_names(self.recipe);
        let mut own = test.packages.iter().filter(|one| own.contains(&one.name));
        own.find_map(|wanted| {
            let name = &wanted.name;
            let is_said = |line: &str| line == format!("no repository has {name}");
            let others = format!("repositories have {name} ");
            let have = why.lines().find_map(|line| line.strip_prefix(&others));
            let instead = match have {
                None if why.lines().any(is_said) => String::new(),
                Some(have) if wanted.constraint.is_some() => format!(", there is {have}"),
                _ => return None,
            };
            let package = wanted.to_string().replacen('=', "-", 1);
            Some(format!(
                "package {package} is not there{instead}\nhelp: build it first: {made_by} (where that fails at a test: with `-i` there is a shell, and \
                 `melange build` runs no test)"
            ))
        })
    }

    /// What becomes of one of several tests; why it could not be run, where the others are.
    fn borne<T>(
        &self,
        (_, test): Named<'_>,
        of: usize,
        result: Result<T, Error>,
        ambient: &Ambient<'_>,
    ) -> Result<Result<T, String>, Error> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(error) if ends(&error, of, ambient) => Err(error),
            Err(error) => Ok(Err(self.said(test, &error))),
        }
    }

    /// An error of a test, with the line of the package that is the reason, and what helps.
    fn said(&self, test: &Test, error: &Error) -> String {
        let home = self.workshop.means.home;
        let options = Options::new(home.architecture());
        let mut said = chain(error);
        let help = match error {
            Error::Unsolvable { why, .. } => {
                let mut reasons = test.packages.iter().filter(|one| {
                    let alone = std::slice::from_ref(*one);
                    why.contains(one.name.as_str())
                        && home.choose(self.world, alone, &options).is_err()
                });
                let place = reasons.find_map(|one| test.environment.written.of(&one.to_string()));
                if let Some(place) = place {
                    said = format!("{place}: {said}");
                }
                None
            }
            Error::Package(error) => error.help(),
            Error::Recipe(error) => error.help(),
            _ => None,
        };
        if let Some(help) = help.filter(|help| !said.contains(help)) {
            said = format!("{said}\nhelp: {help}");
        }
        said
    }

    /// Runs tests side by side, and takes what became of them in their order.
    fn side_by_side<'s>(
        &'s self,
        tests: &[Ready<'_>],
        scratch: &'s Path,
        ambient: &Ambient<'_>,
        mut take: impl FnMut(Named<'_>, Result<Checked<'s>, Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let jobs = self.workshop.means.home.host.jobs;
        let alone = self.attendant.is_some();
        let workers = if alone {
            1
        } else {
            jobs.clamp(1, tests.len().max(1))
        };
        let turns = Turns::new(ambient.sink, ambient.clock);
        let queue = Mutex::new(0..tests.len());
        let work = |sender: &mpsc::Sender<_>| {
            while let Some(done) = self.next(tests, &queue, &turns, (scratch, ambient)) {
                // The receiver is gone only when this run has failed already.
                let _sent = sender.send(done);
            }
        };
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for _ in 0..workers {
                let (sender, work) = (sender.clone(), &work);
                scope.spawn(move || work(&sender));
            }
            drop(sender);
            let mut results = BTreeMap::new();
            let mut next = 0;
            for (at, result) in receiver {
                results.insert(at, result);
                while let (Some(result), Some(test)) = (results.remove(&next), tests.get(next)) {
                    next += 1;
                    take((test.package, test.test), result)?;
                }
            }
            Ok(())
        })
    }

    /// Runs the next test of a queue, if there is one.
    fn next<'s>(
        &'s self,
        tests: &[Ready<'_>],
        queue: &Mutex<Range<usize>>,
        turns: &Turns<'_>,
        (scratch, ambient): (&'s Path, &Ambient<'_>),
    ) -> Option<(usize, Result<Checked<'s>, Error>)> {
        // First the place: whoever has begun is never waited for by another.
        let _place = self.workshop.means.places.take();
        let at = lock(queue).next()?;
        let test = tests.get(at)?;
        let result = caught(|| self.check(test, scratch, &turns.of(at), ambient));
        if let Err(error) = &result
            && ends(error, tests.len(), ambient)
        {
            let mut queue = lock(queue);
            queue.start = queue.end;
        }
        turns.end(at);
        Some((at, result))
    }

    fn check<'s>(
        &'s self,
        ready: &Ready<'_>,
        scratch: &'s Path,
        sink: &dyn Sink,
        ambient: &Ambient<'_>,
    ) -> Result<Checked<'s>, Error> {
        let ambient = Ambient { sink, ..*ambient };
        let job = job(ready.package);
        let order = Check {
            package: ready.package,
            test: ready.test,
            variables: &self.recipe.environment.environment,
            local_files: self.local_files,
            sources: ready.sources,
            trees: ready.trees,
            limits: self.workshop.limits(),
            attendant: self.attendant,
        };
        sink.event(Event::Started {
            job: &job,
            total: None,
        });
        let result = check(&order, &self.workshop.shop(scratch), &ambient);
        let note = match &result {
            Ok(Checked { stopped: None, .. }) => "passed".to_owned(),
            Ok(Checked {
                stopped: Some(stopped),
                ..
            }) => format!("step '{}': {}", stopped.step, stopped.how),
            Err(error) => chain(error),
        };
        sink.event(Event::Finished {
            job: &job,
            ok: matches!(result, Ok(Checked { stopped: None, .. })),
            note: &note,
            took: None,
        });
        result.map_err(|error| placed(error, &ready.test.environment))
    }
}

/// Whether an error of a test ends all of them.
fn ends(error: &Error, of: usize, ambient: &Ambient<'_>) -> bool {
    let is_ours = matches!(error, Error::Fault { .. });
    of < 2 || is_ours || ambient.cancel.is_pressed()
}

/// What is wrong with accounts or the text of a licence, shown where the recipe names it.
pub(crate) fn placed(error: boltworks_package::Error, environment: &Image) -> Error {
    let accounts = &environment.accounts;
    let place = match &error {
        boltworks_package::Error::NoAccount { name, .. } => environment.written.of(name),
        boltworks_package::Error::NoLicence { written, .. }
        | boltworks_package::Error::Setcap { written, .. } => written.0.as_deref().cloned(),
        boltworks_package::Error::Paths { .. } => {
            let said = chain(&error);
            let is_named = |text: &String| said.contains(text.as_str());
            let mut paths = environment.paths.iter();
            let path = paths.find(|path| is_named(&path.path) || path.source.iter().any(is_named));
            path.and_then(|path| environment.written.of(&path.path))
        }
        boltworks_package::Error::Accounts { .. } => {
            let said = chain(&error);
            let users = accounts.users.iter().map(|user| &user.username);
            let groups = accounts.groups.iter().map(|group| &group.groupname);
            let mut names = users.chain(groups);
            let name = names.find(|name| said.contains(&format!("'{name}'")));
            name.and_then(|name| environment.written.of(name))
        }
        _ => None,
    };
    let Some(place) = place else {
        return error.into();
    };
    let help = error.help().unwrap_or_default();
    let error = boltworks_yaml::Error::new(place, chain(&error)).helped(help);
    boltworks_recipe::Error::from(error).into()
}

/// A test that waits for nothing any more.
struct Ready<'a> {
    package: &'a str,
    test: &'a Test,
    trees: &'a [PathBuf],
    sources: &'a [SourceInput],
}

fn lock<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names of a recipe's packages.
fn own_names(recipe: &Recipe) -> BTreeSet<PackageName> {
    let split = recipe.subpackages.iter();
    let split = split.map(|package| package.name.clone());
    std::iter::once(recipe.package.name.clone())
        .chain(split)
        .collect()
}

/// What became of a test, whose log is added to a batch.
fn tested<'s>(
    package: &str,
    used: Locked,
    checked: Checked<'s>,
    batch: &mut Batch<'s>,
) -> Result<Tested, Error> {
    let Checked {
        log,
        tail,
        stopped,
        by_hand,
        workspace,
    } = checked;
    let log = batch.add(log)?;
    let failed = stopped.map(|stopped| Failed {
        what: what(package),
        stopped,
        tail,
        log,
        workspace,
        has_shell: true,
    });
    Ok(Tested {
        package: package.to_owned(),
        log,
        used,
        failed,
        unready: None,
        by_hand,
    })
}

/// A test that could not be set up or started; why is its log.
fn unready(package: &str, used: Locked, why: String, store: &Store) -> Result<Tested, Error> {
    Ok(Tested {
        package: package.to_owned(),
        log: store.put_bytes(why.as_bytes())?.digest,
        used,
        failed: None,
        unready: Some(why),
        by_hand: false,
    })
}
