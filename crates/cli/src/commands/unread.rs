//! Recipes that are not understood, in commands on many: told, listed for machines, an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use boltworks_factory::Error;
use boltworks_factory::texts::reason;
use serde_json::{Value, json};

use crate::failure::USAGE;
use crate::output::{Output, shown};
use crate::terminal::hung;

/// The files that are not understood, and why.
pub(crate) struct Unread(Vec<(PathBuf, Error)>);

impl Unread {
    /// Parts what is understood from what is not.
    pub(crate) fn part<T>(
        results: impl IntoIterator<Item = (PathBuf, Result<T, Error>)>,
    ) -> (Vec<T>, Self) {
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        for (file, result) in results {
            match result {
                Ok(one) => read.push(one),
                Err(error) => unread.push((file, error)),
            }
        }
        (read, Self(unread))
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The exit code, if there is any.
    pub(crate) fn code(&self) -> Option<ExitCode> {
        (!self.0.is_empty()).then(|| ExitCode::from(USAGE))
    }

    /// A note for each.
    pub(crate) fn tell(&self, output: &Output) {
        for (file, error) in &self.0 {
            output.note(&hung(&format!("! {}", reason(file, error))));
        }
    }

    /// For machines.
    pub(crate) fn document(&self) -> Value {
        let one = |(file, error): &(PathBuf, Error)| json!({"file": shown(file), "why": reason(file, error)});
        self.0.iter().map(one).collect()
    }
}
