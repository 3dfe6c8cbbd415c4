//! Everything that people write in YAML: values, recipes, pipelines, images, the factory's file.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::{Architecture, PackageName};
use boltworks_recipe::lint::fix::fixed;
use boltworks_recipe::lint::{Known, Subject, lint};
use boltworks_recipe::pattern::{Fuel, Pattern, Replacement};
use boltworks_recipe::substitute::{Budget, Piece, fill_known, pieces};
use boltworks_recipe::{
    PipelineLibrary, ResolveOptions, condition as grammar, parse_image, parse_recipe, resolve,
    resolve_image,
};
use boltworks_yaml::Spanned;
use boltworks_yaml::layout::usual_form;
use serde_json::Value;

use crate::{taken, text};

/// The name that messages give the input.
const FILE: &str = "input.yaml";
/// A recipe that uses a pipeline of somebody else's.
const USER: &str = include_str!("user.yaml");

/// A mapping whose values know where they stand.
type Placed = BTreeMap<String, Spanned<String>>;

/// Any value: twice the same, and mappings that know where they stand.
pub fn yaml_value(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let lines = lines(text);
    let read = || boltworks_yaml::parse::<Value>(FILE, text);
    match (read(), read()) {
        (Ok(one), Ok(other)) => {
            taken();
            assert_eq!(one, other, "read twice, it differs");
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            assert!(
                one.line <= lines + 1,
                "the error is on line {} of {lines}",
                one.line
            );
        }
        _ => panic!("read twice, it is refused once"),
    }
    if let Ok(map) = boltworks_yaml::parse::<Placed>(FILE, text) {
        assert!(
            map.values().all(|value| value.line <= lines),
            "a value is past the end"
        );
    }
}

/// Lines as YAML counts them: a carriage return ends one too.
fn lines(text: &str) -> u32 {
    u32::try_from(text.split(['\n', '\r']).count()).unwrap_or(u32::MAX)
}

/// A recipe: read, and resolved twice to the same bytes.
pub fn recipe(data: &[u8]) {
    let Some(Ok(parsed)) = text(data).map(|text| parse_recipe(FILE, text)) else {
        return;
    };
    check_recipe(&parsed, &PipelineLibrary::builtin());
}

/// A pipeline that a recipe uses.
pub fn pipeline(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let parsed = parse_recipe("user.yaml", USER).expect("the recipe is sound");
    let library = PipelineLibrary::builtin().with_file("fuzz/one", FILE, text);
    check_recipe(&parsed, &library);
}

/// A text in its usual form, which stays as it is; of a recipe, all that rules find in it.
pub fn recipe_form(data: &[u8]) {
    const SPACED: [&str; 1] = ["pipeline"];
    let Some(text) = text(data) else {
        return;
    };
    if let Ok(formed) = usual_form(FILE, text, &SPACED) {
        taken();
        match usual_form(FILE, &formed, &SPACED) {
            Ok(again) => assert_eq!(again, formed, "the form of the form is another one"),
            Err(error) => panic!("the form has none itself: {error}"),
        }
    }
    let Ok(recipe) = parse_recipe(FILE, text) else {
        return;
    };
    let library = PipelineLibrary::builtin();
    let resolved = resolve(
        &recipe,
        &ResolveOptions::new(Architecture::X86_64, &library),
    );
    let known = Known {
        linters: BTreeSet::from(["strip"]),
        licence: |text| (text != "MIT").then(|| text.to_owned()),
    };
    let subject = Subject {
        recipe: &recipe,
        resolved: resolved.as_ref().ok(),
        library: &library,
        known: &known,
    };
    let found = lint(&subject, resolved.as_ref().err(), &BTreeSet::new());
    let last = lines(text) + 1;
    assert!(found.iter().all(|finding| finding.spot.at.line <= last));
    let (fixed, done) = fixed(text, &found, |text| parse_recipe(FILE, text).is_ok());
    assert_eq!(fixed == text, done.is_empty(), "what is put right changes");
}

fn check_recipe(parsed: &boltworks_recipe::parsed::Recipe, library: &PipelineLibrary) {
    let options = ResolveOptions::new(Architecture::X86_64, library);
    let resolved = match (resolve(parsed, &options), resolve(parsed, &options)) {
        (Ok(one), Ok(other)) => {
            assert_eq!(
                one.canonical_json(),
                other.canonical_json(),
                "resolved twice, it differs"
            );
            one
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            assert!(!one.message().is_empty());
            return;
        }
        _ => panic!("resolved twice, it is refused once"),
    };
    taken();
    let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
    assert!(
        is_json(&resolved.canonical_json()),
        "the canonical form is no JSON"
    );
    assert!(
        is_json(resolved.compile_json().as_bytes()),
        "the printed form is no JSON"
    );
    assert!(
        resolved.package_names().all(PackageName::is_file_safe),
        "a name is no file's"
    );
}

/// An image file. What is printed of it is an image file again and means the same.
pub fn image(data: &[u8]) {
    let Some(Ok(parsed)) = text(data).map(|text| parse_image(FILE, text)) else {
        return;
    };
    let Ok(resolved) = resolve_image(&parsed) else {
        return;
    };
    taken();
    let printed = resolved.config_json();
    let again = parse_image("printed.yaml", &printed).and_then(|parsed| resolve_image(&parsed));
    let again = again.unwrap_or_else(|error| panic!("{printed} is refused: {error}"));
    assert_eq!(again, resolved, "{printed} means something else");
}

/// A pattern, what its matches become, and a text: a line for each. Replacing a match by itself
/// changes nothing, and what is made stays within what is asked.
pub fn pattern(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let (Some(pattern), Some(replacement)) = (lines.next(), lines.next()) else {
        return;
    };
    let searched = lines.next().unwrap_or_default();
    let found = match Pattern::parse(pattern) {
        Ok(found) => found,
        Err(error) => {
            let most = pattern.chars().count().max(1);
            assert!((1..=most).contains(&error.at), "{error:?} is nowhere");
            return;
        }
    };
    taken();
    let fuel = Fuel::default();
    let itself = Replacement::parse("${0}").expect("a group is a replacement");
    if let Ok(same) = found.replace_all(searched, &itself, &fuel, usize::MAX) {
        assert_eq!(same, searched, "a match is not what it matched");
    }
    if let Ok(replacement) = Replacement::parse(replacement)
        && let Ok(made) = found.replace_all(searched, &replacement, &fuel, 1000)
    {
        assert!(made.len() <= 1000, "{} bytes were made", made.len());
    }
}

/// A condition of a step, and the same in parentheses; and the text as one with variables in it.
pub fn condition(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let decide = |text: &str| {
        let mut look_up = |name: &str| match name {
            "yes" => Ok("true".to_owned()),
            "empty" => Ok(String::new()),
            _ => Err(()),
        };
        grammar::holds(text, &mut look_up)
    };
    if let Ok(value) = decide(text) {
        taken();
        let in_parentheses = decide(&format!("({text})"));
        // One level deeper it can be too deep.
        assert!(in_parentheses.is_err() || in_parentheses == Ok(value));
        assert_eq!(decide(&format!("  {text} ")), Ok(value), "spaces decide");
        let both = decide(&format!("({text}) && 'a' == 'a'"));
        assert!(both.is_err() || both == Ok(value));
    }
    let whole: String = pieces(text)
        .map(|piece| match piece {
            Piece::Literal(token) | Piece::Variable { token, .. } | Piece::Malformed(token) => {
                token
            }
        })
        .collect();
    assert_eq!(whole, text, "the pieces are not the text");
    let kept = fill_known::<()>(text, &Budget::default(), |_| None);
    assert_eq!(
        kept.ok().as_deref(),
        Some(text),
        "what is not known was not kept"
    );
}

/// `boltworks.yaml`.
pub fn factory_file(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let lines = lines(text);
    match boltworks_config::parse("boltworks.yaml", text) {
        Ok(factory) => {
            taken();
            assert!(!factory.repository().is_empty());
            assert!(
                factory
                    .channels
                    .keys()
                    .all(|channel| channel.tag().is_some())
            );
            let folders = [&factory.recipes, &factory.images, &factory.pipelines];
            let escapes =
                |path: &String| path.starts_with('/') || path.split('/').any(|it| it == "..");
            assert!(
                !folders.into_iter().flatten().any(escapes),
                "a folder is elsewhere"
            );
            drop(factory.release_policy());
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(
                error.line <= lines + 1,
                "the error is on line {} of {lines}",
                error.line
            );
        }
    }
}
