//! The plan: each recipe and image with its state, in the order in which they can be made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boltworks_model::{ActionId, Architecture, Sha1, Sha256, Timestamp};
use boltworks_solver::{Options, Solution, Universe, solve};
use boltworks_version::apk::Dependency;
use rayon::prelude::*;

use crate::catalog::{Catalog, Layout};
use crate::definition::Definition;
use crate::inputs::{ActionInputs, ActionKind, Pick, Subject, Upon};

/// The packages that can be chosen from, and the file behind each.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The packages.
    pub universe: Universe,
    /// The file behind each index entry.
    pub files: BTreeMap<Sha1, Sha256>,
}

/// The inputs of the last good action for something.
pub type Last<'a> = dyn Fn(&Subject) -> Option<ActionInputs> + Sync + 'a;

/// Whether an action was carried out well; if so, its packages are added to the world.
pub type Made<'a> = dyn Fn(&ActionId, &mut World) -> bool + Sync + 'a;

/// Chooses packages of a world for what is asked for.
pub type Choose<'a> =
    dyn Fn(&World, &[Dependency], &Options) -> Result<Vec<Pick>, Unchosen> + Sync + 'a;

/// Why no packages are chosen, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchosen {
    /// Nothing in the world satisfies everything.
    Unsolvable(String),
    /// Something was chosen whose file nobody knows.
    Unknown(String),
}

/// What the factory's records say, laid out for planning.
pub struct Known<'a> {
    /// The repository that no image may take from.
    pub stage0: &'a str,
    /// Looks an action up.
    pub made: &'a Made<'a>,
    /// Chooses packages: [`choose`], or whoever remembers what that chose.
    pub choose: &'a Choose<'a>,
    /// Looks the last good action up; asked only about what is stale.
    pub last: &'a Last<'a>,
    /// What failed in this run, and why: it is not tried again.
    pub failed: &'a BTreeMap<Subject, String>,
    /// Versions of the byte writers of packages and of images.
    pub writers: &'a BTreeMap<ActionKind, Vec<String>>,
    /// The architecture.
    pub architecture: Architecture,
    /// The time in every output.
    pub epoch: Timestamp,
    /// The public signing key.
    pub key: Sha256,
    /// The factory's name.
    pub vendor: &'a str,
    /// SHA-256, which this crate does not compute itself.
    pub sha256: fn(&[u8]) -> Sha256,
}

/// Where a recipe or image stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was made from exactly these inputs.
    Fresh(ActionId),
    /// It must be made, for these reasons.
    Stale(ActionId, Vec<String>),
    /// It waits for these; whether it is stale shows when they are made.
    Pending(Vec<Subject>),
    /// It cannot be made now.
    Blocked(String),
}

/// One recipe or image of the plan.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub subject: Subject,
    /// Where it stands.
    pub state: State,
    /// The inputs of its action, where they are known.
    pub inputs: Option<ActionInputs>,
}

/// Everything, in an order in which it can be made.
#[derive(Debug, Default)]
pub struct Plan {
    /// Recipes first, then images.
    pub items: Vec<Item>,
    /// Stage 0's packages and those of every recipe that is fresh.
    pub world: World,
}

impl Plan {
    /// What can be made now.
    pub fn ready(&self) -> impl Iterator<Item = &Item> {
        self.items
            .iter()
            .filter(|item| matches!(item.state, State::Stale(..)))
    }

    /// Whether nothing is left to be made.
    pub fn is_done(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item.state, State::Fresh(_)))
    }
}

/// Plans, in a world that holds stage 0. Cost: one choice of packages for each recipe and image that
/// waits for nothing; those of images on all cores.
pub fn evaluate(catalog: &Catalog, known: &Known<'_>, world: World) -> Plan {
    let Layout {
        needs,
        order,
        faults,
        ..
    } = catalog.layout();
    let unread = |kind| catalog.unread_of(kind).cloned();
    let recipes = order.into_iter().map(Subject::recipe);
    let images = catalog.images_in_order().into_iter().map(Subject::image);
    let mut evaluation = Evaluation {
        catalog,
        known,
        needs: &needs,
        faults: &faults,
        states: BTreeMap::new(),
        stood_upon: catalog
            .images
            .values()
            .filter_map(|item| item.upon.as_deref())
            .collect(),
        grounds: BTreeMap::new(),
        environments: BTreeSet::new(),
        plan: Plan {
            items: Vec::new(),
            world,
        },
    };
    for subject in unread(ActionKind::Recipe).chain(recipes) {
        let asked = evaluation.ask(&subject);
        let mut world = std::mem::take(&mut evaluation.plan.world);
        let judged = evaluation.judge(asked, &mut world);
        evaluation.plan.world = world;
        evaluation.note(subject, judged);
    }
    let images: Vec<Subject> = images.chain(unread(ActionKind::Image)).collect();
    // What can be chosen is known now, and images add nothing to it.
    let is_grounded = |subject: &Subject| {
        let item = catalog.images.get(&subject.name);
        item.is_none_or(|item| item.upon.is_none())
    };
    let judge = |evaluation: &Evaluation<'_>, subject| {
        evaluation.judge(evaluation.ask(subject), &mut World::default())
    };
    let judged = images.par_iter().map(|subject| {
        let judged = is_grounded(subject).then(|| judge(&evaluation, subject));
        (subject, judged)
    });
    let judged: Vec<_> = judged.collect();
    for (subject, judged) in judged {
        let judged = judged.unwrap_or_else(|| judge(&evaluation, subject));
        evaluation.note(subject.clone(), judged);
    }
    evaluation.plan
}

/// The inputs of the action that would make something, or where it stands without any.
type Asked = Result<ActionInputs, State>;

/// Where something stands, and the inputs of its action, where they are known.
type Judged = (State, Option<ActionInputs>);

struct Evaluation<'a> {
    catalog: &'a Catalog,
    known: &'a Known<'a>,
    needs: &'a BTreeMap<Subject, BTreeSet<String>>,
    faults: &'a BTreeMap<String, String>,
    states: BTreeMap<Subject, State>,
    /// The images that others stand upon.
    stood_upon: BTreeSet<&'a str>,
    /// Those of them that are made.
    grounds: BTreeMap<String, (ActionId, Arc<[Pick]>)>,
    /// What recipes are built in: most of them in one of few.
    environments: BTreeSet<Arc<[Pick]>>,
    plan: Plan,
}

impl<'a> Evaluation<'a> {
    /// Where something stands; what it gave is added to the world.
    fn judge(&self, asked: Asked, world: &mut World) -> Judged {
        match asked {
            Ok(inputs) => (self.state(&inputs, world), Some(inputs)),
            Err(state) => (state, None),
        }
    }

    /// Takes note of where something stands.
    fn note(&mut self, subject: Subject, (state, mut inputs): Judged) {
        if let Some(inputs) = inputs.as_mut()
            && subject.kind == ActionKind::Recipe
        {
            self.share_environment(&mut inputs.packages);
        }
        if let (State::Fresh(action), Some(inputs)) = (&state, &inputs)
            && subject.kind == ActionKind::Image
            && self.stood_upon.contains(subject.name.as_str())
        {
            let picks = Arc::clone(&inputs.packages);
            self.grounds.insert(subject.name.clone(), (*action, picks));
        }
        self.states.insert(subject.clone(), state.clone());
        self.plan.items.push(Item {
            subject,
            state,
            inputs,
        });
    }

    /// Keeps one of equal environments.
    fn share_environment(&mut self, packages: &mut Arc<[Pick]>) {
        match self.environments.get(&**packages) {
            Some(known) => *packages = Arc::clone(known),
            None => {
                self.environments.insert(Arc::clone(packages));
            }
        }
    }

    /// What it would be made of, if it waits for nothing and can be made.
    fn ask(&self, subject: &Subject) -> Asked {
        let fault = match subject.kind {
            ActionKind::Recipe => self.faults.get(&subject.name),
            ActionKind::Image => None,
        };
        let unread = self.catalog.unread.get(subject);
        if let Some(why) = unread.or(fault).or(self.known.failed.get(subject)) {
            return Err(State::Blocked(why.clone()));
        }
        let upstream = self.needs.get(subject).into_iter().flatten();
        if let Some(state) = self.waiting(upstream.map(String::as_str)) {
            return Err(state);
        }
        let upon = self.upon(subject)?;
        let wanted = self.wanted(subject);
        let wanted = wanted.ok_or_else(|| State::Blocked("it is not in the catalog".to_owned()))?;
        let packages = self.choose(subject, wanted, upon);
        let packages = packages.map_err(|unchosen| match unchosen {
            Unchosen::Unsolvable(why) => self.unsolvable(why),
            Unchosen::Unknown(why) => State::Blocked(why),
        })?;
        self.inputs(subject, packages).map_err(State::Blocked)
    }

    /// The image that something stands upon; its state, where that is not made.
    fn upon(&self, subject: &Subject) -> Result<Option<&'a str>, State> {
        if subject.kind != ActionKind::Image {
            return Ok(None);
        }
        let item = self.catalog.images.get(&subject.name);
        let Some(name) = item.and_then(|item| item.upon.as_deref()) else {
            return Ok(None);
        };
        let other = Subject::image(name);
        match self.states.get(&other) {
            Some(State::Fresh(_)) => Ok(Some(name)),
            Some(State::Stale(..) | State::Pending(_)) => Err(State::Pending(vec![other])),
            Some(State::Blocked(_)) | None => Err(State::Blocked(format!(
                "it stands upon {other}, which cannot be made"
            ))),
        }
    }

    /// Chooses packages; those of the image that it stands upon stay as they are there.
    fn choose(
        &self,
        subject: &Subject,
        wanted: &[Dependency],
        upon: Option<&str>,
    ) -> Result<Vec<Pick>, Unchosen> {
        let options = self.options(subject);
        let ground = upon.and_then(|name| Some((name, self.grounds.get(name)?)));
        let Some((name, (_, picks))) = ground else {
            return (self.known.choose)(&self.plan.world, wanted, &options);
        };
        let pinned = picks
            .iter()
            .filter_map(|pick| format!("{}={}", pick.name, pick.version).parse().ok());
        let wanted: Vec<Dependency> = wanted.iter().cloned().chain(pinned).collect();
        (self.known.choose)(&self.plan.world, &wanted, &options).map_err(|unchosen| match unchosen {
            Unchosen::Unsolvable(why) => Unchosen::Unsolvable(format!(
                "{why}\n  it stands upon image {name}, whose packages stay in their versions: what \
                 asks for others belongs into the file of image {name}"
            )),
            other @ Unchosen::Unknown(_) => other,
        })
    }

    /// The state of something whose packages cannot be chosen: what is missing may be in a recipe
    /// that is yet to be made.
    fn unsolvable(&self, why: String) -> State {
        let unmade = self
            .states
            .iter()
            .filter(|(subject, _)| subject.kind == ActionKind::Recipe)
            .filter(|(_, state)| matches!(state, State::Stale(..) | State::Pending(_)))
            .map(|(subject, _)| subject.clone())
            .collect::<Vec<_>>();
        if unmade.is_empty() {
            State::Blocked(self.with_unread(why))
        } else {
            State::Pending(unmade)
        }
    }

    /// What is missing may be in a recipe that is not understood.
    fn with_unread(&self, why: String) -> String {
        let unread = self.catalog.unread_of(ActionKind::Recipe);
        let notes = unread
            .map(|subject| format!("  {subject} is not understood: what it offers is not known"));
        std::iter::once(why)
            .chain(notes)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The state of something that needs these recipes, unless all of them are fresh.
    fn waiting<'b>(&self, recipes: impl Iterator<Item = &'b str>) -> Option<State> {
        let mut on = BTreeSet::new();
        for name in recipes {
            let subject = Subject::recipe(name);
            match self.states.get(&subject) {
                Some(State::Blocked(_)) => {
                    return Some(State::Blocked(format!(
                        "it needs {subject}, which cannot be made"
                    )));
                }
                Some(State::Stale(..) | State::Pending(_)) => {
                    on.insert(subject);
                }
                Some(State::Fresh(_)) | None => {}
            }
        }
        (!on.is_empty()).then(|| State::Pending(on.into_iter().collect()))
    }

    fn wanted(&self, subject: &Subject) -> Option<&[Dependency]> {
        match subject.kind {
            ActionKind::Recipe => Some(
                &self
                    .catalog
                    .recipes
                    .get(&subject.name)?
                    .recipe
                    .build_packages,
            ),
            ActionKind::Image => Some(&self.catalog.images.get(&subject.name)?.image.packages),
        }
    }

    fn options(&self, subject: &Subject) -> Options {
        let options = Options::new(self.known.architecture);
        match subject.kind {
            ActionKind::Recipe => options,
            ActionKind::Image => options.without(self.known.stage0),
        }
    }

    fn inputs(&self, subject: &Subject, packages: Vec<Pick>) -> Result<ActionInputs, String> {
        let known = self.known;
        let missing = || format!("{subject} is not in the catalog");
        let made = match subject.kind {
            ActionKind::Recipe => {
                let item = self
                    .catalog
                    .recipes
                    .get(&subject.name)
                    .ok_or_else(missing)?;
                Definition::of_recipe(item, known.sha256)
            }
            ActionKind::Image => {
                let item = self.catalog.images.get(&subject.name).ok_or_else(missing)?;
                let upon = item.upon.as_ref().and_then(|name| {
                    let (action, _) = self.grounds.get(name)?;
                    Some(Upon {
                        name: name.clone(),
                        action: *action,
                    })
                });
                Definition::of_image(item, upon)
            }
        };
        Ok(ActionInputs {
            subject: subject.clone(),
            architecture: known.architecture,
            definition: (known.sha256)(&made.text),
            writers: made.writers(known.writers.get(&subject.kind)),
            tests: made.tests,
            packages: packages.into(),
            sources: made.sources,
            files: made.files,
            epoch: known.epoch,
            key: known.key,
            vendor: known.vendor.to_owned(),
            upon: made.upon,
        })
    }

    fn state(&self, inputs: &ActionInputs, world: &mut World) -> State {
        let action = ActionId((self.known.sha256)(&inputs.canonical_json()));
        if (self.known.made)(&action, world) {
            return State::Fresh(action);
        }
        let reasons = match (self.known.last)(&inputs.subject) {
            None => vec!["it was never made".to_owned()],
            Some(earlier) => match inputs.differences(&earlier) {
                reasons if reasons.is_empty() => {
                    vec!["its record was written by another version of this program".to_owned()]
                }
                reasons => reasons,
            },
        };
        State::Stale(action, reasons)
    }
}

/// Chooses packages with the solver.
pub fn choose(
    world: &World,
    wanted: &[Dependency],
    options: &Options,
) -> Result<Vec<Pick>, Unchosen> {
    let solution = solve(&world.universe, wanted, options);
    let solution = solution.map_err(|unsolvable| Unchosen::Unsolvable(unsolvable.to_string()))?;
    picks(&solution, &world.files).map_err(Unchosen::Unknown)
}

/// The chosen packages with the digests of their files.
pub fn picks(solution: &Solution, files: &BTreeMap<Sha1, Sha256>) -> Result<Vec<Pick>, String> {
    solution
        .packages
        .iter()
        .map(|chosen| {
            let entry = &chosen.entry;
            let sha256 = files.get(&entry.identity).copied().ok_or_else(|| {
                format!(
                    "the file of {}-{} ({}) is not known",
                    entry.name, entry.version, chosen.repository
                )
            })?;
            Ok(Pick {
                name: entry.name.to_string(),
                version: entry.version.to_string(),
                repository: chosen.repository.clone(),
                sha256,
            })
        })
        .collect()
}
