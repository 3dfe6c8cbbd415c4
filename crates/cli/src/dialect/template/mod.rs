//! Go's templates, filled in.
//!
//! Reading order: [`Data`] (what a template can ask for), `lexer` and `tree` (the template as a tree),
//! `run` (the tree carried out), `functions`.

mod data;
mod functions;
mod lexer;
mod run;
mod tree;

pub(crate) use self::data::Data;

/// A template filled in; the error says in words why it cannot be.
pub(crate) fn fill(text: &str, data: &Data) -> Result<String, String> {
    run::run(&tree::parse(text)?, data)
}
