//! The packages of one image that is assembled: those of a lock, or chosen now.

use boltworks_model::{Ambient, Architecture};
use boltworks_oci::Reference;
use boltworks_plan::{World, picks};
use boltworks_recipe::resolve_image;
use boltworks_recipe::resolved::Image;
use boltworks_rootfs::Locked;
use boltworks_solver::{Options, Solution, solve};
use boltworks_version::apk::Dependency;

use super::below::Below;
use super::desk::Desk;
use super::keyring::with_keys;
use super::lock::pinned;
use super::{
    ImageOrder, Lock, ResolveOrder, Resolved, below, compatible, locked as from_lock, resolved,
};
use crate::planning::STAGE0;
use crate::recipes::locked;
use crate::repository::{Dock, Given, parted};
use crate::{Error, Home, listing};

/// An image whose packages are to be found.
pub(super) struct Making<'a> {
    pub(super) home: Option<&'a Home>,
    pub(super) order: &'a ImageOrder,
    pub(super) image: &'a Image,
    pub(super) architecture: Architecture,
    pub(super) below: Option<&'a Below<'a>>,
}

impl Making<'_> {
    /// The packages that a lock names; no index is asked for.
    pub(super) fn of_lock(
        &self,
        lock: &Lock,
        desk: &Desk,
        given: Given,
        (notes, ambient): (&mut Vec<String>, &Ambient<'_>),
    ) -> Result<(Vec<Locked>, Given), Error> {
        if !self.order.configuration.standing.images.is_empty() {
            return Err(Error::asked(
                "what stands upon an image of the factory is made of what the factory has",
                "leave out --lockfile",
            ));
        }
        lock.verify_made_from(&self.order.configuration)?;
        let fetching = self.home.filter(|_| self.order.as_apko);
        let given = match fetching {
            Some(home) => with_keys(home, given, ambient)?,
            None => given,
        };
        let keyring = given.keyring(desk.keys.as_ref())?;
        let memory = self.home.map(|home| home.state_folder("brought"));
        let memory = memory.transpose()?;
        let dock = Dock {
            store: &desk.store,
            scratch: &desk.scratch,
            keyring: (!given.ignore_signatures).then_some(&keyring),
            memory: memory.as_ref(),
        };
        let order = from_lock::Order {
            home: fetching,
            lock,
            architecture: self.architecture,
            below: self.below,
            further: &self.order.packages,
        };
        let packages = from_lock::taken(&order, &dock, (notes, ambient))?;
        Ok((vec![packages], given))
    }

    /// The packages that are chosen now.
    pub(super) fn of_choice(
        &self,
        desk: &mut Desk,
        mut given: Given,
        (notes, ambient): (&mut Vec<String>, &Ambient<'_>),
    ) -> Result<(Vec<Locked>, Given), Error> {
        let Self {
            home,
            order,
            architecture,
            ..
        } = *self;
        if let Some(base) = &self.image.base {
            return Err(below::needs_lock(base));
        }
        let mut wanted = self.image.packages.clone();
        if let Some(home) = home.filter(|_| order.as_apko) {
            let resolved = as_apko((home, desk), order, architecture, ambient)?;
            wanted = resolved.wanted()?;
            notes.extend(resolved.notes.iter().cloned());
            given = untagged(resolved.given.clone());
        }
        let mut all = wanted.clone();
        for image in &order.configuration.standing.images {
            all.extend(image.packages.iter().cloned());
        }
        let own = home.map(Home::known_keys).transpose()?.flatten();
        let keyring = given.keyring(own.as_ref())?;
        let indexes = home.map(|home| home.state_folder(listing::FOLDER));
        let repositories = given.open(architecture, &keyring, indexes.transpose()?)?;
        let bring = |desk: &Desk| {
            let dock = Dock {
                store: &desk.store,
                scratch: &desk.scratch,
                keyring: (!given.ignore_signatures).then_some(&keyring),
                memory: None,
            };
            desk.world(&dock, &repositories, &all, ambient)
        };
        let mut world = bring(desk)?;
        let mut solution = self.storeys(&world, &wanted);
        if let (Err(_), Some(home), Some(keys)) = (&solution, home, &desk.keys) {
            // It only makes the explanation better, so a failure of its own does not matter.
            desk.stage0 = home.known_stage0(keys).ok().flatten().unwrap_or_default();
            world = bring(desk)?;
            solution = self.storeys(&world, &wanted);
        }
        let mut solutions = solution?;
        if let Some(own) = solutions.pop() {
            let own = compatible::in_order(own, order, &world, (&wanted, architecture));
            solutions.push(own);
        }
        let locked = solutions.iter().map(|solution| {
            let picks = picks(solution, &world.files);
            locked(&picks.map_err(|what| Error::Inconsistent { what })?, &world)
        });
        Ok((locked.collect::<Result<_, Error>>()?, given))
    }

    /// The packages of each image that it stands upon, the lowest first, and its own: those of the one
    /// below stay in their versions.
    fn storeys(&self, world: &World, wanted: &[Dependency]) -> Result<Vec<Solution>, Error> {
        let images = self.order.configuration.standing.images.iter();
        let all = images.map(|image| image.packages.as_slice());
        let mut solutions: Vec<Solution> = Vec::new();
        for wanted in all.chain([wanted]) {
            let mut wanted = wanted.to_vec();
            if let Some(below) = solutions.last() {
                for one in &below.packages {
                    let (name, version) = (one.entry.name.as_str(), one.entry.version.to_string());
                    wanted.push(pinned(name, &version)?);
                }
            }
            solutions.push(chosen(world, &wanted, self.architecture, &self.order.name)?);
        }
        Ok(solutions)
    }
}

/// What apko would choose. All architectures are chosen for at once, for the first one.
fn as_apko<'d>(
    (home, desk): (&Home, &'d mut Desk),
    order: &ImageOrder,
    architecture: Architecture,
    ambient: &Ambient<'_>,
) -> Result<&'d Resolved, Error> {
    if desk.resolved.is_empty() {
        let image = resolve_image(&order.configuration.image)?;
        let further = compatible::further(&image).into_iter();
        let mut architectures = order.together.clone();
        if !architectures.contains(&architecture) {
            architectures = vec![architecture];
        }
        let resolve = ResolveOrder {
            configuration: order.configuration.clone(),
            architectures,
            repositories: order.given.repositories.clone(),
            build_repositories: Vec::new(),
            packages: further.chain(order.packages.iter().cloned()).collect(),
            keys: order.given.keys.clone(),
            ignore_signatures: order.given.ignore_signatures,
        };
        desk.resolved = resolved(home, &resolve, ambient)?;
    }
    let mut all = desk.resolved.iter();
    let own = all.find(|one| one.architecture == architecture);
    own.ok_or_else(|| Error::Inconsistent {
        what: format!("nothing was chosen for {architecture}"),
    })
}

/// The repositories without tags: what is chosen from them is chosen.
fn untagged(mut given: Given) -> Given {
    for path in &mut given.repositories {
        *path = parted(path).1;
    }
    given
}

fn chosen(
    world: &World,
    wanted: &[Dependency],
    architecture: Architecture,
    name: &Reference,
) -> Result<Solution, Error> {
    let options = Options::new(architecture).without(STAGE0);
    solve(&world.universe, wanted, &options).map_err(|unsolvable| Error::Unsolvable {
        subject: format!("image {name}"),
        why: unsolvable.to_string(),
    })
}
