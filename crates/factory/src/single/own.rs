//! Repositories and keys that an image file names itself.

use std::path::Path;

use boltworks_fsx::Root;
use boltworks_recipe::resolved::Image;

use crate::repository::{Given, is_address, parted};

/// Which of the repositories that a file names are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Folders.
    Folders,
    /// Addresses too, and folders whatever their tags, which are taken off.
    Addresses,
    /// The same with their tags.
    Everything,
}

/// What is given, and the folders and keys that the image's file names.
pub(super) fn with_files_own(
    given: &Given,
    image: &Image,
    takes: Takes,
    notes: &mut Vec<String>,
) -> Given {
    let mut given = given.clone();
    for repository in image.repositories.iter().chain(&image.build_repositories) {
        let (_, untagged) = parted(Path::new(repository));
        let is_address = is_address(&untagged);
        if takes == Takes::Folders && is_address {
            notes.push(format!("no packages are fetched from {repository}"));
            continue;
        }
        // apko goes on without what is not there.
        let is_missing = |error: boltworks_fsx::Error| error.is_not_found();
        if takes != Takes::Folders && !is_address && Root::open(&untagged).is_err_and(is_missing) {
            notes.push(format!(
                "the repository {} is not there",
                untagged.display()
            ));
            continue;
        }
        let named = match takes {
            Takes::Addresses => untagged,
            Takes::Folders | Takes::Everything => repository.into(),
        };
        if !given.repositories.contains(&named) {
            given.repositories.push(named);
        }
    }
    for key in &image.keyring {
        if takes == Takes::Folders && is_address(Path::new(key)) {
            notes.push(format!("the key {key} is not fetched"));
        } else {
            given.keys.push(key.into());
        }
    }
    given
}
