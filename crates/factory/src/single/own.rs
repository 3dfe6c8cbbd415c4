//! Repositories and keys that an image file names itself.

use std::path::Path;

use boltworks_fsx::Root;
use boltworks_recipe::resolved::Image;

use crate::repository::{Given, is_address};

/// Which of the repositories that a file names are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Folders without tags.
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
        let tagged = repository.strip_prefix('@').map(|rest| {
            let parts = rest.split_once(' ').unwrap_or((rest, ""));
            parts.1.trim_start()
        });
        let is_address = is_address(Path::new(repository));
        let path = match (takes, tagged) {
            (Takes::Folders, Some(_)) => {
                notes.push(format!(
                    "'{repository}': packages pinned to a tag are not chosen yet"
                ));
                continue;
            }
            (Takes::Addresses | Takes::Everything, Some(_)) if is_address => {
                notes.push(format!(
                    "'{repository}': nothing is fetched from an address with a tag"
                ));
                continue;
            }
            (Takes::Folders, None) if is_address => {
                notes.push(format!("no packages are fetched from {repository}"));
                continue;
            }
            (Takes::Addresses, Some(path)) => path,
            _ => repository,
        };
        // apko goes on without what is not there.
        let is_missing = |error: boltworks_fsx::Error| error.is_not_found();
        if takes != Takes::Folders
            && !is_address
            && Root::open(Path::new(path)).is_err_and(is_missing)
        {
            notes.push(format!("the repository {path} is not there"));
            continue;
        }
        if !given.repositories.contains(&path.into()) {
            given.repositories.push(path.into());
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
