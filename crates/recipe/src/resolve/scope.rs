//! What a text may name where it stands, and errors that point at it.

use std::collections::BTreeMap;
use std::rc::Rc;

use boltworks_yaml::{Place, closest};

use super::variables::{Variables, Wrong};
use crate::condition::{self, ConditionError};
use crate::parsed::{Origin, Text};
use crate::resolved::Written;
use crate::substitute::{self, Budget, FillError, MAX_FILLED};
use crate::{Error, Problem};

const TOO_MUCH: Problem = Problem::TooMuch {
    what: "the recipe's text grows too long when its variables are filled in, in bytes",
    limit: MAX_FILLED,
};

/// Variables, the inputs of the pipeline the text stands in, and the file it stands in.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) variables: &'a Variables,
    pub(super) inputs: BTreeMap<String, String>,
    pub(super) origin: Origin,
    pub(super) budget: &'a Budget,
    /// What the text is part of.
    pub(super) part: Part,
}

/// What a text is part of; the rules differ a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// How packages are made.
    Build,
    /// How packages are tested.
    Test,
    /// A pipeline's file.
    Pipeline,
}

/// Why a variable has no value.
pub(super) enum Missing {
    /// Nothing has this name.
    Unknown(String),
    /// It has a definition, and that is wrong.
    Wrong(Rc<Wrong>),
    /// There is no room for its value.
    TooMuch,
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
        let filled = substitute::fill(text, self.budget, |name| self.look_up(name));
        filled
            .map_err(|error| match error {
                FillError::Variable { token, error } => {
                    self.missing(self.origin.place_of(text, token), error)
                }
                FillError::Malformed(token) => {
                    let cut = boltworks_model::visible_start(token, 80);
                    Error::at(
                        self.origin.place_of(text, token),
                        Problem::BadVariable { text: cut },
                    )
                }
                FillError::TooMuch => self.too_much(text),
            })
            .and_then(|filled| self.whole(text, filled))
    }

    /// Fills in what is known and keeps the rest.
    pub(super) fn fill_known(&self, text: &Text) -> Result<String, Error> {
        let filled =
            substitute::fill_known::<()>(text, self.budget, |name| self.look_up(name).ok());
        let filled = filled.map_err(|_| self.too_much(text))?;
        self.whole(text, filled)
    }

    /// A text that a script, a variable or a line of a package can hold.
    fn whole(&self, text: &Text, filled: String) -> Result<String, Error> {
        if !filled.contains('\0') {
            return Ok(filled);
        }
        let rule = [
            "has a NUL (`\\0`), which no script, variable or package can hold",
            "in a script, write it as the program reads it: `printf '\\0'` in a plain or block text",
        ];
        Err(self.problem(text, Problem::value("the text", text, rule)))
    }

    /// Decides a step's condition; none always holds.
    pub(super) fn holds(&self, condition: Option<&Text>) -> Result<bool, Error> {
        self.decide(condition, &mut |name| self.look_up(name))
    }

    /// Decides whether a subpackage is made. As in melange, [what is known too
    /// late](condition::is_known_for_subpackages) must have a name there is, and is the empty text.
    pub(super) fn makes(&self, condition: Option<&Text>) -> Result<bool, Error> {
        self.decide(condition, &mut |name| {
            let value = self.look_up(name)?;
            let is_known = condition::is_known_for_subpackages(name);
            Ok(if is_known { value } else { String::new() })
        })
    }

    fn decide(
        &self,
        condition: Option<&Text>,
        look_up: &mut dyn FnMut(&str) -> Result<String, Missing>,
    ) -> Result<bool, Error> {
        let Some(text) = condition.filter(|text| !text.trim().is_empty()) else {
            return Ok(true);
        };
        self.take(text, text.len())?;
        let mut look_up = |name: &str| {
            let value = look_up(name)?;
            if self.budget.take(value.len()) {
                Ok(value)
            } else {
                Err(Missing::TooMuch)
            }
        };
        condition::holds(text, &mut look_up).map_err(|error| match error {
            ConditionError::Variable { token, error } => {
                self.missing(self.origin.place_of(text, &token), error)
            }
            ConditionError::Syntax { at, expected } => Error::at(
                self.origin.place_within(text, at),
                Problem::BadCondition { at, expected },
            ),
        })
    }

    /// Where a text is written, to be kept.
    pub(super) fn written(&self, text: &Text) -> Written {
        Written(Some(Box::new(self.origin.place(text))))
    }

    /// A problem at a text.
    pub(super) fn problem(&self, text: &Text, problem: Problem) -> Error {
        Error::at(self.origin.place(text), problem)
    }

    /// Takes room for something that is kept once more, like what steps inherit.
    pub(super) fn take(&self, text: &Text, bytes: usize) -> Result<(), Error> {
        if self.budget.take(bytes) {
            Ok(())
        } else {
            Err(self.too_much(text))
        }
    }

    fn too_much(&self, text: &Text) -> Error {
        self.problem(text, TOO_MUCH)
    }

    fn missing(&self, place: Place, error: Missing) -> Error {
        match error {
            Missing::Wrong(wrong) => self.variables.error(&wrong),
            Missing::TooMuch => Error::at(place, TOO_MUCH),
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
