//! Variables that nobody uses, and uses of variables that there are not.

use std::collections::BTreeSet;

use super::{MOST, Spot, Subject};
use crate::condition::is_known_for_subpackages;
use crate::parsed::{Recipe, Text};
use crate::substitute::{Piece, pieces};

/// A variable, data or an input of a transformation that nothing names.
pub(super) fn unused(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let mut named = BTreeSet::new();
    names_in(recipe.origin.text(), &mut named);
    // A pipeline's file sees the variables of the recipe that uses it.
    let tests = subject
        .resolved
        .into_iter()
        .flat_map(crate::resolved::Recipe::tests);
    let used = tests.flat_map(|test| &test.pipelines_used);
    let own = subject.resolved.into_iter();
    let used = used.chain(own.flat_map(|resolved| &resolved.pipelines_used));
    for pipeline in used {
        names_in(&pipeline.text, &mut named);
    }
    let is_unused = |name: &str| !named.contains(&format!("vars.{name}"));
    let vars = recipe.vars.iter().filter(|(name, _)| is_unused(name));
    let vars =
        vars.map(|(name, text)| subject.spot(text, format!("nothing uses the variable '{name}'")));
    let made = recipe.var_transforms.iter().map(|made| &made.to);
    let made = made.filter(|name| is_unused(name)).map(|name| {
        let what = format!("nothing uses the variable '{}' that is made here", &**name);
        subject.spot(name, what)
    });
    let ranged = recipe.subpackages.iter();
    let ranged: BTreeSet<&str> = ranged
        .filter_map(|package| package.range.as_deref())
        .collect();
    let data = recipe.data.iter().map(|set| &set.name);
    let data = data.filter(|name| !ranged.contains(name.as_str()));
    let data = data.map(|name| {
        let what = format!("no subpackage is ranged over the data '{}'", &**name);
        subject.spot(name, what)
    });
    vars.chain(made).chain(data).take(MOST).collect()
}

/// The names between `${{` and `}}`.
fn names_in(text: &str, named: &mut BTreeSet<String>) {
    for piece in pieces(text) {
        if let Piece::Variable { name, .. } = piece {
            named.insert(name.to_owned());
        }
    }
}

/// Text for people names a variable that there is not. Everywhere else that is an error.
pub(super) fn left_over(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let package = &recipe.package;
    let mut texts: Vec<&Text> = Vec::new();
    texts.extend(&package.description);
    texts.extend(package.annotations.values());
    for package in &recipe.subpackages {
        texts.extend(&package.description);
        texts.extend(package.annotations.values());
    }
    for (_, step) in subject.steps() {
        texts.extend(step.name.iter().chain(&step.label));
    }
    let mut spots = Vec::new();
    for text in texts {
        for piece in pieces(text) {
            let token = match piece {
                Piece::Variable { token, name } if !is_variable(recipe, name) => token,
                Piece::Malformed(token) => token,
                _ => continue,
            };
            if spots.len() >= MOST {
                return spots;
            }
            let what = format!("'{token}' names no variable");
            spots.push(subject.spot_of(text, token, what));
        }
    }
    spots
}

/// The `if` of a subpackage names a variable that has no value there.
pub(super) fn known_late(subject: &Subject<'_>) -> Vec<Spot> {
    let conditions = subject.recipe.subpackages.iter();
    let conditions = conditions.filter_map(|package| package.condition.as_ref());
    let late = conditions.flat_map(|text| {
        pieces(text).filter_map(move |piece| match piece {
            Piece::Variable { token, name } if !is_known_for_subpackages(name) => {
                Some((text, token))
            }
            _ => None,
        })
    });
    late.take(MOST)
        .map(|(text, token)| {
            let what = format!("'{token}' is not known yet where subpackages are chosen");
            subject.spot_of(text, token, what)
        })
        .collect()
}

/// Whether something can have this name somewhere in the recipe.
fn is_variable(recipe: &Recipe, name: &str) -> bool {
    let Some((group, rest)) = name.split_once('.') else {
        return false;
    };
    match group {
        "vars" => {
            let mut made = recipe.var_transforms.iter();
            let mut options = recipe.options.values();
            recipe.vars.contains_key(rest)
                || made.any(|made| made.to.as_str() == rest)
                || options.any(|option| option.vars.contains_key(rest))
        }
        "package" => matches!(
            rest,
            "name" | "version" | "epoch" | "full-version" | "description" | "srcdir"
        ),
        "range" => matches!(rest, "key" | "value"),
        "subpkg" | "context" => rest == "name",
        "targets" | "build" | "host" | "cross" | "options" => true,
        _ => false,
    }
}
