//! What is stale and why: a pure function of recipes, images and records.
//!
//! # What decides that something is made again
//!
//! Every recipe and image has an [`ActionInputs`]; its canonical JSON is hashed into the
//! [`ActionId`](boltworks_model::ActionId), and an action that was carried out is never carried
//! out again. What enters:
//!
//! | in the hash | why |
//! |---|---|
//! | the resolved recipe or image | comments, order of keys and file names are gone from it |
//! | digests of the packages in the locked environment | by *content*: a dependency that was rebuilt to equal bytes changes nothing (early cutoff) |
//! | digests of sources and of files beside the recipe | |
//! | the recipe's tests | they decide no byte, but must be run when they change |
//! | versions of the byte writers | not the program's version: a commit that changes no byte rebuilds nothing. Of a recipe with accounts, also that of the accounts of guests |
//! | architecture, epoch, signing key, the factory's name | they are in the bytes |
//!
//! What does not: the clock, paths, the user, the number of cores, the program's version.
//!
//! Reading order: [`catalog`] (what there is to make), [`outline`] (who needs whom), [`inputs`] (what
//! an action is), [`evaluate()`](evaluate::evaluate) (the plan).

pub mod catalog;
mod definition;
pub mod evaluate;
pub mod inputs;
pub mod outline;

pub use catalog::{Catalog, ImageItem, Layout, RecipeItem};
pub use evaluate::{
    Choose, Item, Known, Last, Made, Plan, State, Unchosen, World, choose, evaluate, picks,
};
pub use inputs::{ActionInputs, ActionKind, Pick, Pin, Subject, Upon};
