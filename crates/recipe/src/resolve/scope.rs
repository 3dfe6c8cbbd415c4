//! What a text may name where it stands, and errors that point at it.

use std::collections::BTreeMap;
use std::rc::Rc;

use boltworks_yaml::{Place, closest};

use super::variables::{Variables, Wrong};
use crate::condition::{self, ConditionError};
use crate::parsed::{Origin, Text};
use crate::substitute::{self, Budget, FillError, MAX_FILLED};
use crate::{Error, Problem};

/// Variables, the inputs of the pipeline the text stands in, and the file it stands in.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) variables: &'a Variables,
    pub(super) inputs: BTreeMap<String, String>,
    pub(super) origin: Origin,
    pub(super) budget: &'a Budget,
}

/// Why a variable has no value.
pub(super) enum Missing {
    /// Nothing has this name.
    Unknown(String),
    /// It has a definition, and that is wrong.
    Wrong(Rc<Wrong>),
}

impl Scope<'_> {
    fn look_up(&self, name: &str) -> Result<String, Missing> {
        if let Some(input) = name.strip_prefix("inputs.") {
            let value = self.inputs.get(input);
            return value
                .cloned()
                .ok_or_else(|| Missing::Unknown(name.to_owned()));
        }
        match self.variables.get(name) {
            Some(Ok(value)) => Ok(value.clone()),
            Some(Err(wrong)) => Err(Missing::Wrong(Rc::clone(wrong))),
            None => Err(Missing::Unknown(name.to_owned())),
        }
    }

    /// Fills in a text; every variable must be known.
    pub(super) fn fill(&self, text: &Text) -> Result<String, Error> {
        substitute::fill(text, self.budget, |name| self.look_up(name)).map_err(
            |error| match error {
                FillError::Variable { token, error } => {
                    self.missing(self.origin.place_of(text, token), error)
                }
                FillError::Malformed(token) => {
                    let cut = token.chars().take(80).collect();
                    Error::at(
                        self.origin.place_of(text, token),
                        Problem::BadVariable { text: cut },
                    )
                }
                FillError::TooMuch => self.too_much(text),
            },
        )
    }

    /// Fills in what is known and keeps the rest.
    pub(super) fn fill_known(&self, text: &Text) -> Result<String, Error> {
        substitute::fill_known::<()>(text, self.budget, |name| self.look_up(name).ok())
            .map_err(|_| self.too_much(text))
    }

    /// Decides a condition; none always holds.
    pub(super) fn holds(&self, condition: Option<&Text>) -> Result<bool, Error> {
        let Some(text) = condition.filter(|text| !text.trim().is_empty()) else {
            return Ok(true);
        };
        condition::holds(text, &mut |name| self.look_up(name)).map_err(|error| match error {
            ConditionError::Variable { token, error } => {
                self.missing(self.origin.place_of(text, &token), error)
            }
            ConditionError::Syntax { at, expected } => Error::at(
                self.origin.place(text),
                Problem::BadCondition { at, expected },
            ),
        })
    }

    /// A problem at a text.
    pub(super) fn problem(&self, text: &Text, problem: Problem) -> Error {
        Error::at(self.origin.place(text), problem)
    }

    fn too_much(&self, text: &Text) -> Error {
        let what = "the recipe's text grows too long when its variables are filled in, in bytes";
        self.problem(
            text,
            Problem::TooMuch {
                what,
                limit: MAX_FILLED,
            },
        )
    }

    fn missing(&self, place: Place, error: Missing) -> Error {
        match error {
            Missing::Wrong(wrong) => Error::at(wrong.place.clone(), wrong.problem.clone()),
            Missing::Unknown(name) => {
                let inputs: Vec<_> = self
                    .inputs
                    .keys()
                    .map(|input| format!("inputs.{input}"))
                    .collect();
                let known = self
                    .variables
                    .names()
                    .chain(inputs.iter().map(String::as_str));
                let suggestion = closest(&name, known).map(str::to_owned);
                Error::at(place, Problem::UnknownVariable { name, suggestion })
            }
        }
    }
}
