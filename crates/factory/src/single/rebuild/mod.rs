//! A package made again from the recipe inside it, and compared.
//!
//! 1. [`inside`]: the package, with the recipe it holds.
//! 2. `surroundings`: the packages it is built among: those of then, where the records know them and
//!    the store has them; else the newest there are.
//! 3. Here: its steps, run anew whatever was made before, and what came of them.
//!
//! Nothing is recorded: what is made again is nobody's result. Linters are not asked: what they said,
//! they said when the package was made.

pub mod inside;
mod surroundings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::diff::{Change, FileChange, How};
use boltworks_apk::{Difference, OpenOptions, PackageFile, diff};
use boltworks_fsx::Root;
use boltworks_model::{Ambient, Event, Sha256, Timestamp};
use boltworks_package::local::LocalFile;
use boltworks_package::{Built, BuiltPackage, Order, RecipeFile, Shop, build};
use boltworks_recipe::embedded::Form;

pub use self::inside::Inside;
pub use self::surroundings::Choice;

use self::surroundings::{Surroundings, Then};
use super::build::Signing;
use super::deliver::write;
use super::linting::levels;
use super::{Bench, Reading};
use crate::attempt::announced_alone;
use crate::catalog::RecipeSource;
use crate::equipment::Equipment;
use crate::files::verify_writable;
use crate::keys::Keys;
use crate::planning::Stage0;
use crate::recipes::{Basis, Workshop};
use crate::repository::Given;
use crate::{Error, Home};

/// How a package is made again.
#[derive(Debug, Clone)]
pub struct RebuildOrder {
    /// Packages that are there already.
    pub given: Given,
    /// The files beside the recipe; those of the factory's own recipe, where it is absent.
    pub sources: Option<PathBuf>,
    /// Who signs.
    pub signing: Signing,
    /// Where packages go, into `ARCH/` beneath it; nowhere, where it is absent.
    pub out: Option<PathBuf>,
}

/// The packages of a recipe, made again.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// How the packages were chosen among which it was built.
    pub choice: Choice,
    /// What was another then, in words, as far as that is known: packages, files beside the recipe.
    pub changes: Vec<String>,
    /// What the steps printed, in the store.
    pub log: Sha256,
    /// Whether somebody signed.
    is_signed: bool,
    /// The packages, and where they were written.
    packages: Vec<(BuiltPackage, Option<PathBuf>)>,
}

/// A package beside the one that was made again.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// How they differ, but for what is listed apart.
    pub difference: Difference,
    /// What differs because another program made the first one, and says nothing of its content.
    pub of_the_maker: Difference,
    /// Who signed the first one.
    pub signed: Vec<String>,
    /// Who signed the second one.
    pub signed_again: Vec<String>,
    /// Where the second one is.
    pub path: Option<PathBuf>,
}

impl Comparison {
    /// Whether both hold the same.
    pub fn is_equal(&self) -> bool {
        self.difference.is_empty() || self.difference.is_only_in_form()
    }
}

/// Makes the packages of the recipe inside a package again.
pub fn rebuild(
    home: &Home,
    inside: &Inside,
    order: &RebuildOrder,
    ambient: &Ambient<'_>,
) -> Result<Rebuilt, Error> {
    inside.check_architecture(home)?;
    if let Some(out) = &order.out {
        verify_writable(out)?;
    }
    let bench = Bench::open(home, &order.given)?;
    let signing = match &order.signing {
        Signing::Key(file) => Some(Keys::from_file(file)?),
        Signing::Factory | Signing::Nobody => None,
    };
    let _lock = home.lock(ambient)?;
    let then = Then::of(home, inside)?;
    let mut surroundings = Surroundings::find(&bench, inside, then.as_ref(), ambient)?;
    let source = source(&bench, inside, then.as_ref(), order)?;
    let files = then
        .iter()
        .flat_map(|then| changed_files(then, source.files()));
    surroundings.changes.extend(files);
    for change in &surroundings.changes {
        ambient.sink.event(Event::Warning {
            text: &format!("not as it was then: {change}"),
        });
    }
    let job = Job {
        bench: &bench,
        inside,
        surroundings: &surroundings,
        source: &source,
        vendor: match &then {
            Some(then) => then.inputs.vendor.clone(),
            None => inside.vendor(&home.state_folder("scratch")?)?,
        },
        keys: signing.as_ref().unwrap_or(&bench.keys),
    };
    let name = format!("again {}", inside.recipe().package.name);
    let built = announced_alone(&name, ambient, |_| "made", || job.run(ambient))?;
    let mut packages = Vec::new();
    for package in built.packages {
        let path = order.out.as_deref();
        let path = path.map(|out| job.write(&package, out, &order.signing));
        packages.push((package, path.transpose()?));
    }
    Ok(Rebuilt {
        choice: surroundings.choice,
        changes: surroundings.changes,
        log: built.log,
        is_signed: order.signing != Signing::Nobody,
        packages,
    })
}

/// Compares a package with the one of its name that was made again.
pub fn compare(home: &Home, inside: &Inside, rebuilt: &Rebuilt) -> Result<Comparison, Error> {
    let name = inside.package.control().name.as_str();
    let mut all = rebuilt.packages.iter();
    let again = all.find(|(package, _)| package.artifact.coordinate.name == name);
    let (again, path) = again.ok_or_else(|| Error::Inconsistent {
        what: format!("the recipe inside {name} makes no package of that name"),
    })?;
    let blob = home.store.open_blob(&again.artifact.digest)?;
    let again = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())?;
    let mut difference = diff(&inside.package, &again)?;
    let of_the_maker = match inside.form() {
        Form::Canonical => Difference::default(),
        Form::Compiled => set_apart(&mut difference, inside),
    };
    let keys = |package: &PackageFile| {
        let signatures = package.signatures().iter();
        signatures.map(|one| one.key.clone()).collect()
    };
    Ok(Comparison {
        difference,
        of_the_maker,
        signed: keys(&inside.package),
        signed_again: if rebuilt.is_signed {
            keys(&again)
        } else {
            Vec::new()
        },
        path: path.clone(),
    })
}

/// Takes out of a difference what only tells melange and this program apart: the recipe inside, the
/// SBOM, who is named as the maintainer, and that folders count in the size.
fn set_apart(difference: &mut Difference, inside: &Inside) -> Difference {
    let control = inside.package.control();
    let version = control.version.to_string();
    let sbom = boltworks_sbom::package_path(control.name.as_str(), &version);
    let is_field = |change: &Change| match change.what {
        "maintainer" => change.right.is_empty(),
        "size" => true,
        _ => false,
    };
    let is_file = |change: &FileChange| {
        change.path == inside::RECIPE
            || change.path == sbom && matches!(change.how, How::Changed(_))
    };
    Difference {
        fields: difference
            .fields
            .extract_if(.., |one| is_field(one))
            .collect(),
        control_files: extracted(&mut difference.control_files, is_file),
        files: extracted(&mut difference.files, is_file),
        ..Difference::default()
    }
}

fn extracted(list: &mut Vec<FileChange>, wanted: impl Fn(&FileChange) -> bool) -> Vec<FileChange> {
    list.extract_if(.., |one| wanted(one)).collect()
}

/// One run of the steps.
struct Job<'a> {
    bench: &'a Bench<'a>,
    inside: &'a Inside,
    surroundings: &'a Surroundings,
    source: &'a RecipeSource,
    vendor: String,
    keys: &'a Keys,
}

impl Job<'_> {
    fn run(&self, ambient: &Ambient<'_>) -> Result<Built, Error> {
        let bench = self.bench;
        let recipe = self.inside.recipe();
        let equipment = Equipment::open(bench.home)?;
        let stage0 = Stage0::default();
        let means = equipment.means(bench.home, &bench.loaded, self.keys, &stage0);
        let workshop = Workshop {
            means: &means,
            basis: Basis::Actions(&[]),
            attendant: None,
        };
        let sources = workshop.fetch(recipe, &recipe.sources, ambient)?;
        let tree = workshop.lay_out(&self.surroundings.locked)?;
        let scratch = workshop.scratch()?;
        let local = self.source.take_files(&scratch)?;
        let shop = Shop {
            vendor: &self.vendor,
            ..workshop.shop(&scratch)
        };
        let silent = levels(Some(&[]), Some(&[]))?;
        let order = Order {
            job: recipe.package.name.as_str(),
            recipe,
            recipe_file: RecipeFile {
                path: &self.source.path,
                text: self.source.text.as_bytes(),
            },
            local_files: local.as_ref(),
            sources: &sources,
            environment: &self.surroundings.locked,
            tree: &tree,
            epoch: Timestamp(self.inside.package.control().build_date.unwrap_or(0)),
            limits: workshop.limits(),
            attendant: None,
            binds_libraries: self.inside.is_bound(),
            lint_levels: &silent,
        };
        Ok(build(&order, &shop, ambient)?)
    }

    fn write(&self, package: &BuiltPackage, out: &Path, by: &Signing) -> Result<PathBuf, Error> {
        let home = self.bench.home;
        let path = out.join(home.architecture().apk());
        let folder = Root::create(&path)?;
        let name = package.entry.file_name();
        let blob = home.store.open_blob(&package.artifact.digest)?.reader();
        write(blob, (&folder, &name), &package.artifact, by)?;
        Ok(path.join(name))
    }
}

/// The recipe inside a package, with the files beside it as they are now.
fn source(
    bench: &Bench<'_>,
    inside: &Inside,
    then: Option<&Then>,
    order: &RebuildOrder,
) -> Result<RecipeSource, Error> {
    let own = bench
        .loaded
        .recipes
        .get(inside.recipe().package.name.as_str());
    let folder = match &order.sources {
        Some(folder) => Some(Reading::default().shown(crate::files::folder(folder)?)?),
        // Where there were none then, there are none now.
        None => then
            .filter(|then| !then.inputs.files.is_empty())
            .and_then(|_| own?.folder.clone()),
    };
    Ok(RecipeSource {
        path: inside::RECIPE.to_owned(),
        text: inside.text().to_owned(),
        folder,
    })
}

/// Files beside the recipe that are not as they were.
fn changed_files(then: &Then, now: &[LocalFile]) -> Vec<String> {
    let mut changes = Vec::new();
    for pin in &then.inputs.files {
        let path = pin
            .name
            .split_once('/')
            .map_or(&*pin.name, |(_, path)| path);
        match now.iter().find(|file| file.path.to_string() == path) {
            None => changes.push(format!("- file {path}")),
            Some(file) if file.sha256.prefixed() != pin.digest => {
                changes.push(format!("~ file {path}: other bytes"));
            }
            Some(_) => {}
        }
    }
    changes
}
