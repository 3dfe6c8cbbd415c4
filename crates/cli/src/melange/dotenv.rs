//! Files of variables, as melange reads them: `NAME=VALUE` lines with the quotes, comments and `export`
//! of shells. What would be filled in from other variables is refused: nothing is guessed.

use std::collections::BTreeMap;

/// Reads a file's text; the error is a line's number, from 1, and what is wrong there.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, &'static str)> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = variable(line).map_err(|what| (index + 1, what))?;
        variables.insert(name, value);
    }
    Ok(variables)
}

fn variable(line: &str) -> Result<(String, String), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line
        .split_once('=')
        .ok_or("it sets no variable: write NAME=VALUE")?;
    let name = name.trim();
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if !is_name {
        return Err("what stands before the sign is no variable's name");
    }
    Ok((name.to_owned(), value_of(value.trim())?))
}

fn value_of(text: &str) -> Result<String, &'static str> {
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, after) = rest.split_once('\'').ok_or("its quote is never closed")?;
        return is_end(after).then(|| value.to_owned()).ok_or(AFTER);
    }
    if let Some(rest) = text.strip_prefix('"') {
        return quoted(rest);
    }
    let value = text.split(" #").next().unwrap_or_default().trim_end();
    if value.contains('$') {
        return Err(DOLLAR);
    }
    Ok(value.to_owned())
}

const AFTER: &str = "something follows the closing quote";
const DOLLAR: &str = "values are not filled in from other variables: write what it shall be, in single \
     quotes if there is a `$` in it";

fn is_end(after: &str) -> bool {
    let after = after.trim_start();
    after.is_empty() || after.starts_with('#')
}

/// What stands between double quotes, the first of them gone.
fn quoted(text: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return is_end(rest.as_str()).then_some(value).ok_or(AFTER),
            '$' => return Err(DOLLAR),
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some(other) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err("its quote is never closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_comments_are_those_of_shells() {
        let text =
            "# c\n\nexport A=1\nB = two words # c\nC='$x # y' # c\nD=\"a\\n\\\"b\"\nE=\nF=a#b\n";
        let read: Vec<String> = parse(text)
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}:{value}"))
            .collect();
        let expected = ["A:1", "B:two words", "C:$x # y", "D:a\n\"b", "E:", "F:a#b"];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        let line = |text| parse(text).map_err(|(line, _)| line);
        for wrong in [
            "A=1\nB",
            "A=1\n1B=2",
            "A=1\nB='x",
            "A=1\nB=\"x\" y",
            "A=1\nB=$A",
            "A=1\nB=\"${A}\"",
        ] {
            assert_eq!(line(wrong), Err(2), "{wrong}");
        }
    }
}
