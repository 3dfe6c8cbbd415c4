//! The line: what is stale is built, judged and released, as often as needed.
//!
//! Reading order:
//!
//! 1. [`home`]: a factory on disk ([`Home`]): its file, its state folder, its keys, its lock.
//! 2. [`catalog`]: the recipes and images it can make, read and resolved; `derived`: images that
//!    stand upon others.
//! 3. [`planning`]: the plan, from catalog, records and stage 0; `choices` remembers what the
//!    solver answered.
//! 4. [`recipes`], [`images`] and [`attempt`]: one item of the plan carried out; [`testing`] and
//!    [`tested`]: the tests of a recipe, run side by side, and what is recorded of them; [`turns`]:
//!    who of those is heard.
//!    [`image_tests`]: the tests of an image.
//! 5. [`evidence`], [`origin`] and [`programs`]: what is said of an artifact before it is judged.
//! 6. [`releasing`]: what was made is judged, and channels are moved;
//!    `candidates`: images before that; [`released`]: the channels after it.
//! 7. [`up`]: everything stale made, in parallel, to the end.
//! 8. [`stage`], [`equipment`] and [`means`]: stage 0, and what work needs beside the factory
//!    itself.
//! 9. [`mod@line`]: all of it behind one type, [`Line`], that the door's commands call.
//! 10. [`explain`]: why an artifact was made, and from what.
//! 11. [`single`]: one recipe or one image, wherever its file is; [`repository`]: packages that a
//!     command line brings along; `listing`: their indexes, understood once.
//! 12. [`sources`]: the sources of recipes, fetched or hashed.
//! 13. [`packages`] and [`mod@keys`]: packages, indexes and keys as files, outside of any factory;
//!     [`files`]: what a person names on the command line.
//! 14. [`graph`]: who needs whom among the recipes of some folders.
//! 15. [`texts`]: the form of recipes, and what is wrong with them.
//! 16. [`registries`]: how registries are reached, and whom to log in as.

pub mod attempt;
mod candidates;
pub mod catalog;
mod choices;
mod derived;
pub mod equipment;
mod error;
pub mod evidence;
pub mod explain;
pub mod files;
pub mod graph;
pub mod home;
mod ignored;
pub mod image_tests;
pub mod images;
pub mod keys;
pub mod line;
mod listing;
pub mod means;
pub mod origin;
pub mod packages;
mod pipelines;
pub mod planning;
pub mod programs;
pub mod recipes;
pub mod registries;
pub mod released;
pub mod releasing;
pub mod repository;
pub mod single;
pub mod sources;
pub mod stage;
pub mod tested;
pub mod testing;
pub mod texts;
pub mod turns;
pub mod up;

pub use error::Error;
pub use home::{Home, Host};
pub use line::Line;
pub use up::{Report, Row};
