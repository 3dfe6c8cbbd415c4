//! A recipe's tests, each run in a clean guest.

use std::path::Path;

use boltworks_model::{Ambient, Sha256};
use boltworks_recipe::resolved::Test;
use boltworks_sandbox::Limits;

use crate::Error;
use crate::build::base_environment;
use crate::log::Log;
use crate::order::{Shop, SourceInput};
use crate::steps::{Runner, Stopped, Used};
use crate::workspace::{Contents, LocalFiles, Workspace};

/// One test: of a recipe's package or of one of its subpackages.
pub struct Check<'a> {
    /// The package under test; its name stands in messages.
    pub package: &'a str,
    /// The steps.
    pub test: &'a Test,
    /// The files beside the recipe.
    pub local_files: Option<LocalFiles<'a>>,
    /// What the steps fetch.
    pub sources: &'a [SourceInput],
    /// The guest: the test's environment with the package in it, laid out.
    pub tree: &'a Path,
    /// What a step may use.
    pub limits: Limits,
}

/// Runs a test. Its log in the store is the evidence.
pub fn check(order: &Check<'_>, shop: &Shop<'_>, ambient: &Ambient<'_>) -> Result<Sha256, Error> {
    let contents = Contents {
        local_files: order.local_files,
        sources: order.sources,
        packages: &[],
    };
    let workspace = Workspace::lay(shop, &format!("test-{}", order.package), contents)?;
    let job = format!("test {}", order.package);
    let mut log = Log::new(shop.store, ambient.sink, &job)?;
    let mut environment = base_environment();
    environment.extend(order.test.environment.environment.clone());
    let guest = workspace.guest(order.tree);
    let mut runner = Runner {
        what: format!("test of {}", order.package),
        listed: "test.environment.contents.packages",
        sandbox: shop.sandbox,
        guest: &guest,
        environment,
        limits: order.limits.clone(),
        used: Used::default(),
    };
    let stopped = runner.run(&order.test.pipeline, &mut log, ambient)?;
    let (log, tail) = log.finish()?;
    workspace.remove()?;
    match stopped {
        None => Ok(log),
        Some(Stopped { step, how }) => Err(Error::Step {
            what: runner.what,
            step,
            how,
            tail,
            log,
        }),
    }
}
