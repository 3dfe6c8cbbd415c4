//! A template's text cut into pieces: text, and the tokens of each action.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `.Package.Name`; no names for the dot alone.
    Field(Vec<String>),
    /// `$x.Name`; no name for `$` alone.
    Variable(String, Vec<String>),
    Word(String),
    Text(String),
    Number(i64),
    Open,
    /// `)`, and the fields that follow it.
    Close(Vec<String>),
    Pipe,
    Comma,
    /// `=`
    Set,
    /// `:=`
    Declare,
}

/// The longest template.
const LIMIT: usize = 64 << 10;

/// Cuts a template.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    if text.len() > LIMIT {
        return Err(format!("it is longer than {LIMIT} bytes"));
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut is_trimmed = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let (after, trims_before) = match after.strip_prefix('-') {
            Some(after) if after.starts_with(|c: char| c.is_ascii_whitespace()) => (after, true),
            _ => (after, false),
        };
        let before = if is_trimmed {
            before.trim_start_matches(is_space)
        } else {
            before
        };
        pieces.extend(piece_of_text(if trims_before {
            before.trim_end_matches(is_space)
        } else {
            before
        }));
        let end = end_of_action(after).ok_or("an action is never closed with '}}'")?;
        let (action, beyond) = after.split_at(end);
        rest = beyond.strip_prefix("}}").unwrap_or(beyond);
        let (action, trims_after) = match action.strip_suffix('-') {
            Some(action) if action.ends_with(|c: char| c.is_ascii_whitespace()) => (action, true),
            _ => (action, false),
        };
        is_trimmed = trims_after;
        let action = action.trim();
        if !is_comment(action) {
            pieces.push(Piece::Action(tokens(action)?));
        }
    }
    let rest = if is_trimmed {
        rest.trim_start_matches(is_space)
    } else {
        rest
    };
    pieces.extend(piece_of_text(rest));
    Ok(pieces)
}

fn is_comment(action: &str) -> bool {
    action.starts_with("/*") && action.ends_with("*/")
}

/// White space that is cut beside an action.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn piece_of_text(text: &str) -> Option<Piece> {
    (!text.is_empty()).then(|| Piece::Text(text.to_owned()))
}

/// Where the action ends that begins here: not inside quotes or a comment.
fn end_of_action(text: &str) -> Option<usize> {
    let start = text.trim_start();
    if start.starts_with("/*") {
        let end = text.find("*/")?;
        return text.get(end..)?.find("}}").map(|more| end + more);
    }
    let mut quote = None;
    let mut is_escaped = false;
    for (index, c) in text.char_indices() {
        match quote {
            Some(open) => {
                let closes = c == open && !is_escaped;
                is_escaped = c == '\\' && !is_escaped && open != '`';
                quote = if closes { None } else { quote };
            }
            None if matches!(c, '"' | '`' | '\'') => quote = Some(c),
            None if text.get(index..)?.starts_with("}}") => return Some(index),
            None => {}
        }
    }
    None
}

fn tokens(action: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = token(first, rest)?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn token(first: char, text: &str) -> Result<(Token, &str), String> {
    let beyond = text.get(first.len_utf8()..).unwrap_or_default();
    Ok(match first {
        '|' => (Token::Pipe, beyond),
        '(' => (Token::Open, beyond),
        ')' => {
            let (path, after) = path(beyond);
            (Token::Close(path), after)
        }
        ',' => (Token::Comma, beyond),
        '=' => (Token::Set, beyond),
        ':' => match beyond.strip_prefix('=') {
            Some(after) => (Token::Declare, after),
            None => return Err("':' means nothing without '='".to_owned()),
        },
        '"' => quoted(beyond)?,
        '`' => match beyond.split_once('`') {
            Some((text, after)) => (Token::Text(text.to_owned()), after),
            None => return Err("a quote is never closed".to_owned()),
        },
        '.' => {
            let (path, after) = path(text);
            let after = if path.is_empty() { beyond } else { after };
            (Token::Field(path), after)
        }
        '$' => {
            let (name, after) = word(beyond);
            let (path, after) = path(after);
            (Token::Variable(name.to_owned(), path), after)
        }
        '-' | '0'..='9' => number(text)?,
        c if c.is_alphabetic() || c == '_' => {
            let (name, after) = word(text);
            (Token::Word(name.to_owned()), after)
        }
        other => return Err(format!("'{other}' means nothing")),
    })
}

/// A word, and what follows.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text.split_at(end.unwrap_or(text.len()))
}

/// `.A.B`, and what follows.
fn path(text: &str) -> (Vec<String>, &str) {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('.') {
        let (name, beyond) = word(after);
        if name.is_empty() {
            break;
        }
        names.push(name.to_owned());
        rest = beyond;
    }
    (names, rest)
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let end = text
        .char_indices()
        .find(|(index, c)| !(c.is_ascii_digit() || *index == 0 && *c == '-'));
    let (digits, after) = text.split_at(end.map_or(text.len(), |(index, _)| index));
    let is_whole = !after.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_');
    match digits.parse() {
        Ok(number) if is_whole => Ok((Token::Number(number), after)),
        _ => Err(format!("numbers are whole and decimal: '{text}' is none")),
    }
}

/// A text in double quotes, the first of them gone.
fn quoted(text: &str) -> Result<(Token, &str), String> {
    let mut value = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok((Token::Text(value), rest.as_str())),
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some(same @ ('"' | '\\')) => value.push(same),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!("'\\{other}' in quotes is not understood"));
                }
            },
            other => value.push(other),
        }
    }
    Err("a quote is never closed".to_owned())
}
