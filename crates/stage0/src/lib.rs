//! Stage 0: Debian's binary packages as a repository that builds, and never ships.
//!
//! Reading order:
//!
//! 1. [`config`]: [`Config`], which packages, and which further names stand for several of them.
//! 2. [`names`]: Debian's versions, needs and names as apk's.
//! 3. [`merged`]: where a file of Debian's is once `/bin`, `/lib` and the like are links into
//!    `/usr`, and which files are left out.
//! 4. [`alternatives`]: the links that Debian's maintainer scripts would make.
//! 5. [`plan`](mod@plan): what is made of a resolved closure, before any file is read. Pure.
//! 6. [`convert`]: one `.deb` becomes one signed package.
//! 7. [`lock`]: [`Lock`], what was made of what: by it, a second run knows that nothing is to do.
//! 8. `refused`: which field of the configuration is meant when apt refuses.
//! 9. [`ensure`](mod@ensure): [`ensure()`], the whole of it.
//!
//! No maintainer script is run, and no library is provided under its `so:` name, so that nothing
//! that is meant to ship can be satisfied by stage 0.

pub mod alternatives;
pub mod config;
pub mod convert;
pub mod ensure;
pub mod error;
pub mod lock;
pub mod merged;
pub mod names;
pub mod plan;
mod refused;

pub use config::Config;
pub use ensure::{Means, Stage0, ensure, load};
pub use error::Error;
pub use lock::Lock;
