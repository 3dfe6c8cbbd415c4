//! What packages that are there need and offer, read off their files again.

use std::path::{Path, PathBuf};

use boltworks_apk::{Control, Difference, PackageFile, diff_controls};
use boltworks_crypto::Keyring;
use boltworks_fsx::Root;
use boltworks_recipe::resolved::Recipe;

use super::Inside;
use crate::files::Place;
use crate::{Error, packages};

/// A package that was looked at again.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// Its file.
    pub file: PathBuf,
    /// What it says of itself.
    pub said: Control,
    /// What it would say now.
    pub found: Control,
}

impl Scanned {
    /// What tells the two apart; whether comments count is for the caller to say.
    pub fn difference(&self, comments: bool) -> Difference {
        let mut difference = diff_controls(&self.said, &self.found);
        if !comments {
            // What a package carries for its own use is a comment.
            difference.lists.retain(|list| list.what != "vendored");
            difference.same_control = difference.fields.is_empty() && difference.lists.is_empty();
        }
        difference
    }
}

/// Looks at packages, with the recipe that each holds. The other packages of a build, which say what
/// links lead to, are looked for beside them; those that are not there are told of.
pub fn files(
    paths: &[PathBuf],
    scratch: &Path,
    mut missing: impl FnMut(&Path),
) -> Result<Vec<Scanned>, Error> {
    let scratch = Root::open(scratch)?;
    let mut found = Vec::new();
    for path in paths {
        let inside = Inside::open(path)?;
        let mut all = vec![&inside.package];
        let siblings = siblings(&inside, path, &mut missing)?;
        all.extend(siblings.iter().map(|sibling| &sibling.package));
        let controls = boltworks_package::scan(inside.recipe(), &all, None, &scratch);
        let controls = controls.map_err(|error| Error::from(error).of_file(path))?;
        found.extend(controls.into_iter().next().map(|found| Scanned {
            file: path.clone(),
            said: inside.package.control().clone(),
            found,
        }));
    }
    Ok(found)
}

/// The other packages of a build that lie beside one.
fn siblings(
    inside: &Inside,
    path: &Path,
    missing: &mut impl FnMut(&Path),
) -> Result<Vec<Inside>, Error> {
    let control = inside.package.control();
    let mut found = Vec::new();
    for name in inside.recipe().package_names() {
        if *name == control.name {
            continue;
        }
        let beside = path.with_file_name(format!("{name}-{}.apk", control.version));
        let is_there = Place::of(&beside)?.stat()?.is_some();
        let sibling = is_there.then(|| Inside::open(&beside)).transpose()?;
        match sibling.filter(|sibling| sibling.is_of_one_build(inside)) {
            Some(sibling) => found.push(sibling),
            None => missing(&beside),
        }
    }
    Ok(found)
}

/// The packages of a recipe that lie in a folder, as this recipe has them.
#[derive(Debug, Clone)]
pub struct Shelf<'a> {
    /// The folder: `packages/x86_64`.
    pub folder: &'a Path,
    /// The keys of which one must have signed; nobody is asked where it is absent.
    pub keyring: Option<&'a Keyring>,
    /// The namespace; the packages' own, where it is absent.
    pub vendor: Option<&'a str>,
}

/// Looks at all packages of a recipe; the recipe's own first.
pub fn of_recipe(
    recipe: &Recipe,
    shelf: &Shelf<'_>,
    scratch: &Path,
) -> Result<Vec<Scanned>, Error> {
    let scratch = Root::open(scratch)?;
    let version = &recipe.package.full_version;
    let open = |name: &boltworks_model::PackageName| {
        let file = shelf.folder.join(format!("{name}-{version}.apk"));
        let is_there = match Place::of(&file) {
            Err(Error::Asked { .. }) => false,
            place => place?.stat()?.is_some(),
        };
        if !is_there {
            return Err(Error::asked(
                format!("{} is not there", file.display()),
                "build the recipe with `build`, or name the repository that has its packages: -r FOLDER",
            ));
        }
        Ok((packages::open(&file, shelf.keyring)?, file))
    };
    let names = recipe.package_names();
    let opened = names
        .map(open)
        .collect::<Result<Vec<(PackageFile, PathBuf)>, Error>>()?;
    let all: Vec<&PackageFile> = opened.iter().map(|(package, _)| package).collect();
    let controls = boltworks_package::scan(recipe, &all, shelf.vendor, &scratch)?;
    let scanned = opened.iter().zip(controls).map(|((package, file), found)| {
        let said = package.control().clone();
        Scanned {
            file: file.clone(),
            said,
            found,
        }
    });
    Ok(scanned.collect())
}
