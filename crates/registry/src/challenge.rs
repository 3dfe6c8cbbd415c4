//! What a registry wants to be shown: the header `WWW-Authenticate` (RFC 9110 section 11.6.1).

use std::collections::BTreeMap;

/// One way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer`, `basic`, in lower case.
    pub scheme: String,
    /// Its parameters, names in lower case.
    pub parameters: BTreeMap<String, String>,
}

/// The challenges of one header. What cannot be understood ends the list.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    while !rest.is_empty() {
        let (word, after) = token(rest);
        if word.is_empty() {
            break;
        }
        let spaced = after.trim_start();
        if let Some(value) = spaced.strip_prefix('=') {
            let Some(current) = challenges.last_mut() else {
                break;
            };
            let (value, after) = value_of(value.trim_start());
            current
                .parameters
                .entry(word.to_ascii_lowercase())
                .or_insert(value);
            rest = after;
        } else {
            challenges.push(Challenge {
                scheme: word.to_ascii_lowercase(),
                parameters: BTreeMap::new(),
            });
            rest = after;
        }
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    }
    challenges
}

fn token(text: &str) -> (&str, &str) {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c);
    let end = text.find(|c| !is_of_token(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| c == ',' || c.is_whitespace())
            .unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => value.extend(letters.next()),
            letter => value.push(letter),
        }
    }
    (value, letters.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn challenges_are_told_apart() {
        let found = parse(
            "Basic realm=\"a, \\\"b\\\"\", Bearer realm=\"https://t.example/token\",service=r.example, scope=\"repository:a/b:pull,push\"",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].scheme, "basic");
        assert_eq!(found[0].parameters["realm"], "a, \"b\"");
        assert_eq!(found[1].parameters["realm"], "https://t.example/token");
        assert_eq!(found[1].parameters["service"], "r.example");
        assert_eq!(found[1].parameters["scope"], "repository:a/b:pull,push");
        assert_eq!(parse("Negotiate")[0].scheme, "negotiate");
        assert!(parse("=x").is_empty() && parse("").is_empty());
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "([a-zA-Z]{1,4}|[=\", \\\\])*") {
            for challenge in parse(&text) {
                prop_assert!(!challenge.scheme.is_empty());
            }
        }
    }
}
