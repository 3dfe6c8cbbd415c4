//! What a match becomes: Go's templates.
//!
//! `$name` and `${name}` are groups, by number or by name; the name after `$` is as long as
//! letters, digits and `_` go. `$$` is a dollar, and a `$` that begins nothing stays. A group that
//! is not there, or that matched nothing, is the empty text.

use regex::Captures;

/// What a match becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Number(usize),
    Name(String),
}

/// A letter or digit beyond ASCII directly after a name: programs differ in whether it is part
/// of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacementError {
    /// The name so far.
    pub name: String,
}

impl Replacement {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, ReplacementError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal += before;
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let Some((name, after)) = name(after)? else {
                literal.push('$');
                rest = after;
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(group(name));
            rest = after;
        }
        literal += rest;
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// Writes what this match becomes.
    pub(super) fn expand(&self, captures: &Captures<'_>, into: &mut String) {
        for part in &self.0 {
            match part {
                Part::Literal(text) => *into += text,
                Part::Number(number) => {
                    *into += captures.get(*number).map_or("", |found| found.as_str());
                }
                Part::Name(name) => {
                    *into += captures.name(name).map_or("", |found| found.as_str());
                }
            }
        }
    }
}

/// The name after a `$`, and what comes after it; nothing where none begins.
fn name(text: &str) -> Result<Option<(&str, &str)>, ReplacementError> {
    let (inside, is_braced) = match text.strip_prefix('{') {
        Some(inside) => (inside, true),
        None => (text, false),
    };
    let length = inside
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    let Some((name, after)) = inside.split_at_checked(length) else {
        return Ok(None);
    };
    if after.starts_with(|c: char| !c.is_ascii() && c.is_alphanumeric()) {
        let name = name.to_owned();
        return Err(ReplacementError { name });
    }
    if name.is_empty() {
        return Ok(None);
    }
    if !is_braced {
        return Ok(Some((name, after)));
    }
    Ok(after.strip_prefix('}').map(|after| (name, after)))
}

/// All digits are a number, unless they begin with 0 or are very many.
fn group(name: &str) -> Part {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit())
        && (name == "0" || !name.starts_with('0'))
        && name.len() <= 9;
    match name.parse() {
        Ok(number) if is_number => Part::Number(number),
        _ => Part::Name(name.to_owned()),
    }
}
