//! From flags to what the factory wants: where it works, which packages there are, for which machines.

use std::path::{Path, PathBuf};

use boltworks_factory::repository::Given;
use boltworks_factory::single::{self, Configuration, Laying, ResolveOrder};
use boltworks_factory::{Error, Home};
use boltworks_model::{Architecture, Timestamp};

use crate::commands::{image, session};
use crate::dialect::flag::Words;
use crate::dialect::{architecture, usage};
use crate::failure::Failure;
use crate::host;

/// The factory's file that counts, if it is there.
const FACTORY: &str = "boltworks.yaml";

/// The factory of this folder; where there is none, one whose state lies in the user's cache folder.
pub(super) fn home(words: &Words<'_>) -> Result<Home, Failure> {
    let is_offline = words.is_on("offline");
    match Home::open(Path::new(FACTORY), host::host(None, is_offline)) {
        Err(Error::NoFactory { .. }) => session::makeshift(host::host(None, is_offline)),
        other => Ok(other?),
    }
}

/// The image file that is named first, with what it includes.
pub(super) fn configuration(words: &Words<'_>) -> Result<Configuration, Failure> {
    let file = words.operands().into_iter().next().unwrap_or_default();
    Ok(single::configuration(&file, &words.paths("include-paths"))?)
}

/// Packages that are there already.
pub(super) fn packages(words: &Words<'_>) -> Given {
    Given {
        repositories: repositories(words).concat(),
        keys: words.paths("keyring-append"),
        ignore_signatures: words.is_on("ignore-signatures"),
        ..Given::default()
    }
}

/// What decides how layers are laid, apko's way.
pub(super) fn laying(words: &Words<'_>) -> Result<Laying, Failure> {
    let [build_repositories, repositories] = repositories(words);
    Ok(Laying {
        repositories,
        build_repositories,
        keys: words.paths("keyring-append"),
        time: created(words)?,
        is_exact: image::source_date_epoch()?.is_some(),
    })
}

fn repositories(words: &Words<'_>) -> [Vec<PathBuf>; 2] {
    ["build-repository-append", "repository-append"].map(|flag| words.paths(flag))
}

/// What is to be chosen.
pub(super) fn resolve_order(words: &Words<'_>) -> Result<ResolveOrder, Failure> {
    let [build_repositories, repositories] = repositories(words);
    Ok(ResolveOrder {
        configuration: configuration(words)?,
        architectures: architectures(words)?,
        repositories,
        build_repositories,
        packages: Vec::new(),
        keys: words.paths("keyring-append"),
        ignore_signatures: words.is_on("ignore-signatures"),
    })
}

/// The architectures that are asked for, in the order in which apko takes them.
pub(super) fn architectures(words: &Words<'_>) -> Result<Vec<Architecture>, Failure> {
    let asked = words.texts("arch");
    if let [all] = asked.as_slice()
        && all == "all"
    {
        return Ok(single::every_architecture());
    }
    let mut found: Vec<_> = asked
        .iter()
        .map(|name| architecture(name))
        .collect::<Result<_, _>>()?;
    found.sort_by_key(|architecture| architecture.oci());
    found.dedup();
    Ok(found)
}

/// The time in an image: `SOURCE_DATE_EPOCH`, which wins there too, or the flag's.
pub(super) fn created(words: &Words<'_>) -> Result<Option<Timestamp>, Failure> {
    let given = words.text("build-date").map(|text| {
        let time: Option<Timestamp> = text.parse().ok();
        time.filter(|time| time.is_packable()).ok_or_else(|| {
            usage(
                format!("'{text}' is no time that an image can carry"),
                "write it like 2026-11-26T10:25:20Z",
            )
        })
    });
    let given = given.transpose()?;
    Ok(image::source_date_epoch()?.or(given))
}
