//! A recipe's tests, each run in a clean guest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use boltworks_model::Ambient;
use boltworks_recipe::resolved::Test;
use boltworks_sandbox::Limits;
use boltworks_store::BlobDraft;

use crate::Error;
use crate::accounts::Ground;
use crate::build::{base_environment, with_path};
use crate::local::LocalFiles;
use crate::log::Log;
use crate::order::{Shop, SourceInput};
use crate::rescue::{Attendant, Kept};
use crate::steps::{Count, Runner, Stopped, Used};
use crate::workspace::{Contents, Workspace};

/// One test: of a recipe's package or of one of its subpackages.
pub struct Check<'a> {
    /// The package under test; its name stands in messages.
    pub package: &'a str,
    /// The steps.
    pub test: &'a Test,
    /// The variables of the recipe's own environment; the test's come before them.
    pub variables: &'a BTreeMap<String, String>,
    /// The files beside the recipe.
    pub local_files: Option<&'a LocalFiles>,
    /// What the steps fetch.
    pub sources: &'a [SourceInput],
    /// The guest: the test's environment with the package in it, laid out; the topmost tree first.
    pub trees: &'a [PathBuf],
    /// What a step may use.
    pub limits: Limits,
    /// Who gets a shell where a step fails.
    pub attendant: Option<Attendant<'a>>,
}

/// What became of a test.
#[derive(Debug)]
pub struct Checked<'s> {
    /// What its steps printed: not in the store before it is committed.
    pub log: BlobDraft<'s>,
    /// The last lines of it.
    pub tail: Vec<String>,
    /// Where it failed, if it did.
    pub stopped: Option<Stopped>,
    /// Whether a person went on in a shell where a step had failed.
    pub by_hand: bool,
    /// The workspace, which a failed test leaves.
    pub workspace: PathBuf,
}

/// What a test is called where jobs are shown.
pub fn job(package: &str) -> String {
    format!("test {package}")
}

/// What a test is called in messages.
pub fn what(package: &str) -> String {
    format!("test of {package}")
}

/// Runs a test.
pub fn check<'s>(
    order: &Check<'_>,
    shop: &Shop<'s>,
    ambient: &Ambient<'_>,
) -> Result<Checked<'s>, Error> {
    let contents = Contents {
        local_files: order.local_files,
        sources: order.sources,
        packages: &[],
        noted: None,
    };
    let what = what(order.package);
    let ground = Ground {
        what: &what,
        listed: "test.environment.accounts",
        trees: order.trees,
    };
    let (trees, ids) = ground.settle(&order.test.environment, shop)?;
    let workspace = Workspace::lay(shop, ("test", order.package), contents)?;
    let job = job(order.package);
    let mut log = Log::new(shop.store, ambient.sink, &job)?;
    let mut environment = base_environment();
    environment.extend(order.variables.clone());
    environment.extend(order.test.environment.environment.clone());
    let environment = with_path(environment);
    let guest = workspace.guest(&trees, ids);
    let mut runner = Runner {
        what,
        listed: "test.environment.contents.packages",
        sandbox: shop.sandbox,
        guest: &guest,
        environment,
        limits: order.limits.clone(),
        deadline: None,
        attendant: order.attendant,
        count: Count::of(&order.test.pipeline),
        by_hand: false,
        used: Used::default(),
    };
    let stopped = runner.run("", &order.test.pipeline, &mut log, ambient)?;
    let (log, tail) = log.finish()?;
    let path = workspace.path().to_owned();
    match &stopped {
        None => workspace.remove()?,
        Some(stopped) => workspace.keep(&Kept::new(&runner.what, stopped, &guest))?,
    }
    Ok(Checked {
        log,
        tail,
        stopped,
        by_hand: runner.by_hand,
        workspace: path,
    })
}
