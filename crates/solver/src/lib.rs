//! Choice of packages: what is installed so that everything asked for is satisfied.
//!
//! Reading order:
//!
//! 1. [`universe`]: [`Universe`], the packages of the repositories, and [`Options`].
//! 2. [`solve()`](solve::solve): the question and its answer, a [`Solution`] in install order with a
//!    reason for each package; [`explain`] writes it down.
//! 3. [`Unsolvable`]: the answer when there is none, in words.
//! 4. [`apko`]: the choice that apko makes of the same packages, and where it differs.
//!
//! Inside: `table` puts the packages into one canonical order and knows who provides what,
//! `search` asks the SAT solver, `solution` throws out what it took in vain and orders the rest,
//! `triggered` adds what comes with others, `refute` finds out why there is no solution, and `words` says it.
//!
//! Everything here is a pure function of its arguments. Except for apko's choice, the order in
//! which repositories and packages arrive decides nothing, and that of wishes nowhere.

pub mod apko;
mod refute;
mod search;
mod solution;
pub mod solve;
mod table;
mod triggered;
pub mod universe;
mod words;

pub use apko::{LikeApko, solve_like_apko};
pub use solution::{Chosen, Solution, explain};
pub use solve::{Question, Unsolvable, solve};
pub use universe::{Options, Universe};
