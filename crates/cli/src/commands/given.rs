//! What several commands take from the command line, as the factory wants it.

use std::path::PathBuf;

use boltworks_factory::repository::Given;
use boltworks_factory::single::{Reading, SourceFolder, variables};
use boltworks_factory::{Error, Home};
use boltworks_fsx::Root;
use boltworks_model::{Architecture, visible_path};

use crate::arguments::{self, Arguments, Libc, Packages};
use crate::commands::session;
use crate::failure::Failure;
use crate::output::Output;

/// Packages that are there already.
pub(crate) fn packages(packages: &Packages) -> Given {
    Given {
        repositories: packages.repository_append.clone(),
        keys: packages.keyring_append.clone(),
        ignore_signatures: packages.ignore_signatures,
        ..Given::default()
    }
}

/// Folders of pipelines. One that is not there is told, and no more: a recipe that needs it says so.
pub(crate) fn pipelines(folders: &[PathBuf], output: &Output) -> Vec<PathBuf> {
    let is_there = |folder: &&PathBuf| {
        let is_gone = Root::open(folder).is_err_and(|error| error.is_not_found());
        if is_gone {
            output.note(&format!(
                "! --pipeline-dir {} is not there: it goes on without it",
                visible_path(folder)
            ));
        }
        !is_gone
    };
    folders.iter().filter(is_there).cloned().collect()
}

/// How a recipe is understood.
pub(crate) fn reading(reading: &arguments::Reading, output: &Output) -> Result<Reading, Failure> {
    let sources = match &reading.source_dir {
        _ if reading.empty_workspace => SourceFolder::Nowhere,
        Some(folder) => SourceFolder::Folder(folder.clone()),
        None => SourceFolder::Beside,
    };
    Ok(Reading {
        pipelines: pipelines(&reading.pipelines.pipeline_dir, output),
        libc: libc(reading.libc),
        options: reading.build_option.iter().cloned().collect(),
        sources,
        packages: reading.package_append.clone(),
        variables: match &reading.env_file {
            Some(file) => variables(file)?,
            None => Reading::default().variables,
        },
        ..Reading::default()
    })
}

/// The C library that triplets name.
pub(crate) const fn libc(libc: Libc) -> boltworks_recipe::Libc {
    match libc {
        Libc::Gnu => boltworks_recipe::Libc::Glibc,
        Libc::Musl => boltworks_recipe::Libc::Musl,
    }
}

/// The factory, with the limits of the command line.
pub(crate) fn home(arguments: &Arguments, reading: &arguments::Reading) -> Result<Home, Failure> {
    let mut home = session::open_home(arguments, None)?;
    let limits = &mut home.config.limits;
    limits.wall = reading.timeout.or(limits.wall);
    limits.memory = reading.memory.or(limits.memory);
    if let Some(wanted) = one(&reading.arch)?
        && wanted != home.architecture()
    {
        return Err(Failure::Usage {
            what: format!(
                "the factory builds for {}, not for {wanted}",
                home.architecture()
            ),
            help: format!("leave --arch out, or say --arch {}", home.architecture()),
        });
    }
    Ok(home)
}

/// The factory, if there is one.
pub(crate) fn home_if_any(arguments: &Arguments) -> Result<Option<Home>, Failure> {
    match session::open_home(arguments, None) {
        Ok(home) => Ok(Some(home)),
        Err(Failure::Factory(error)) if matches!(*error, Error::NoFactory { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The one architecture that is asked for.
pub(crate) fn one(archs: &[Architecture]) -> Result<Option<Architecture>, Failure> {
    match archs {
        [] => Ok(None),
        [arch] => Ok(Some(*arch)),
        _ => Err(Failure::Usage {
            what: "several architectures are asked for at once".to_owned(),
            help: "give --arch once: one architecture at a time is built for".to_owned(),
        }),
    }
}
