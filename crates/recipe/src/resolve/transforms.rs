//! One of the `var-transforms`: a text, a pattern, and what its matches become.

use std::rc::Rc;

use super::variables::Wrong;
use crate::Problem;
use crate::parsed::VarTransform;
use crate::pattern::{Exhausted, Fuel, MAX_TEXT, Pattern, Replacement};
use crate::substitute;

/// The longest result, in bytes.
const MAX_RESULT: usize = 64 << 10;

/// What it costs to read a pattern, for each state of its automaton, and for having one at all.
const READING: (u64, u64) = (200, 100_000);

/// What becomes of `from`, the transformation's text with its variables filled in.
pub(super) fn apply(
    transform: &VarTransform,
    from: &str,
    fuel: &Fuel,
) -> Result<String, Rc<Wrong>> {
    if !substitute::is_name(&transform.to) {
        let rule = [
            "has other characters than letters, digits and . _ -",
            "write a name that has not, without `${{vars.` and `}}`: `to: mangled-version`",
        ];
        let problem = Problem::value("the name of a variable", &transform.to, rule);
        return Err(Wrong::new(&transform.to, None, Some(problem)));
    }
    let pattern = Pattern::parse(&transform.pattern).map_err(|error| {
        let (at, rule) = (error.at, error.rule);
        let problem = Problem::BadPattern { at, rule };
        Wrong::new(&transform.pattern, None, Some(problem))
    })?;
    let replacement = Replacement::parse(&transform.replace).map_err(|_| {
        let rule = [
            "has a letter beyond ASCII right after a group: write ${1} or ${name}",
            "put the group's number or name in braces",
        ];
        let problem = Problem::value("the replacement", &transform.replace, rule);
        Wrong::new(&transform.replace, None, Some(problem))
    })?;
    let (each, once) = READING;
    let read = pattern.cost().saturating_mul(each).saturating_add(once);
    let replaced = if fuel.take(read) {
        pattern.replace_all(from, &replacement, fuel, MAX_RESULT)
    } else {
        Err(Exhausted::TooMuchWork)
    };
    replaced.map_err(|exhausted| {
        let (what, limit) = match exhausted {
            Exhausted::TextTooLong => ("the text to transform is too long, in bytes", MAX_TEXT),
            Exhausted::ResultTooLong => ("the transformed text is too long, in bytes", MAX_RESULT),
            Exhausted::TooMuchWork => (
                "the var-transforms do too much work, in steps",
                usize::try_from(Fuel::FULL).unwrap_or(usize::MAX),
            ),
        };
        Wrong::new(
            &transform.from,
            None,
            Some(Problem::TooMuch { what, limit }),
        )
    })
}
