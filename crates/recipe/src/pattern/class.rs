//! Classes of characters: `[…]`, `\d`, `\p{…}`.

use super::translate::{Cursor, Escape, PatternError};

/// The names between `[:` and `:]`, the same in both languages.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// A class costs this many states where it reaches beyond ASCII.
pub(super) const WIDE: u64 = 16;

/// A class of a Unicode property costs this many.
const PROPERTY: u64 = 1000;

/// `\d`, `\s`, `\w` and their opposites, which Go means for ASCII alone.
pub(super) fn perl(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\x0C\r ]",
        'S' => r"[^\t\n\x0C\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

/// `\pN`, `\p{Name}`, `\p{^Name}`, `\P…`, with the cursor after the `p`.
pub(super) fn property(
    cursor: &mut Cursor<'_>,
    letter: char,
    into: &mut String,
) -> Result<u64, PatternError> {
    let mut is_negated = letter == 'P';
    let name = if cursor.eat("{") {
        let name = cursor
            .until('}')
            .ok_or_else(|| cursor.error("'}' is missing"))?;
        match name.strip_prefix('^') {
            Some(name) => {
                is_negated = !is_negated;
                name
            }
            None => name,
        }
    } else {
        cursor
            .next_text()
            .ok_or_else(|| cursor.error("a class of characters is missing"))?
    };
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(cursor.error("this is no class of characters"));
    }
    *into += if is_negated { r"\P{" } else { r"\p{" };
    *into += name;
    into.push('}');
    Ok(PROPERTY)
}

/// A class in brackets, with the cursor after the `[`.
pub(super) fn bracket(cursor: &mut Cursor<'_>, into: &mut String) -> Result<u64, PatternError> {
    into.push('[');
    let is_negated = cursor.eat("^");
    if is_negated {
        into.push('^');
    }
    let mut cost = if is_negated { WIDE } else { 1 };
    let mut is_first = true;
    loop {
        if cursor.is_at_end() {
            return Err(cursor.error("']' is missing"));
        }
        if !is_first && cursor.eat("]") {
            into.push(']');
            return Ok(cost);
        }
        is_first = false;
        cost += item(cursor, into)?;
    }
}

/// One thing in a class: a named class, a character or a range.
fn item(cursor: &mut Cursor<'_>, into: &mut String) -> Result<u64, PatternError> {
    if let Some(name) = cursor.posix_name() {
        let plain = name.strip_prefix('^').unwrap_or(name);
        if !POSIX.contains(&plain) {
            return Err(cursor.error("this is no class of characters"));
        }
        *into += "[:";
        *into += name;
        *into += ":]";
        return Ok(if plain == name { 1 } else { WIDE });
    }
    let low = match character(cursor)? {
        Member::Class(class) => {
            *into += class;
            return Ok(WIDE);
        }
        Member::Property(letter) => return property(cursor, letter, into),
        Member::Character(low) => low,
    };
    push(low, into);
    let is_range = cursor.looks_at("-") && !cursor.looks_at("-]") && cursor.left() > 1;
    if !is_range {
        return Ok(if low.is_ascii() { 1 } else { WIDE });
    }
    let _ = cursor.eat("-");
    let Member::Character(high) = character(cursor)? else {
        return Err(cursor.error("a range ends with a character"));
    };
    if high < low {
        return Err(cursor.error("a range goes from the lower to the higher character"));
    }
    into.push('-');
    push(high, into);
    Ok(if high.is_ascii() { 1 } else { WIDE })
}

enum Member {
    Character(char),
    Class(&'static str),
    Property(char),
}

fn character(cursor: &mut Cursor<'_>) -> Result<Member, PatternError> {
    match cursor.next() {
        Some('\\') => match cursor.escape()? {
            Escape::Character(character) => Ok(Member::Character(character)),
            Escape::Letter(letter @ ('p' | 'P')) => Ok(Member::Property(letter)),
            Escape::Letter(letter) => match perl(letter) {
                Some(class) => Ok(Member::Class(class)),
                None => Err(cursor.error("this escape is not known here")),
            },
        },
        Some(character) => Ok(Member::Character(character)),
        None => Err(cursor.error("']' is missing")),
    }
}

/// A character that stands for itself.
pub(super) fn push(character: char, into: &mut String) {
    let mut buffer = [0; 4];
    *into += &regex::escape(character.encode_utf8(&mut buffer));
}
