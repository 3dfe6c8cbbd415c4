//! Command lines split into words, as a shell would without expanding anything.

/// Why a command line could not be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclosed;

/// Splits `text` at white space. `'…'` keeps everything, `"…"` everything but `\` before `"`,
/// `\`, `$` and `` ` ``; outside quotes `\` keeps the next character, and `#` at the start of a
/// word begins a comment that goes to the end of the line.
pub fn split(text: &str) -> Result<Vec<String>, Unclosed> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            _ if c.is_whitespace() => words.extend(word.take()),
            '#' if word.is_none() => while characters.next_if(|&c| c != '\n').is_some() {},
            '\'' => {
                let kept = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(Unclosed)? {
                        '\'' => break,
                        inside => kept.push(inside),
                    }
                }
            }
            '"' => quoted(&mut characters, word.get_or_insert_default())?,
            '\\' => word
                .get_or_insert_default()
                .push(characters.next().ok_or(Unclosed)?),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(characters: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), Unclosed> {
    loop {
        match characters.next().ok_or(Unclosed)? {
            '"' => return Ok(()),
            '\\' => match characters.next().ok_or(Unclosed)? {
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            inside => word.push(inside),
        }
    }
}

/// The words as a command line that [`split`] parts into them again, and a shell too.
pub fn join(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
    words.join(" ")
}

fn shown(word: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_bare) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_a_shell_would_part_is_quoted() {
        let words = ["/bin/sh", "-c", "a  $b", "it's", "", "é"].map(str::to_owned);
        insta::assert_snapshot!(join(&words), @r"/bin/sh -c 'a  $b' 'it'\''s' '' 'é'");
    }

    #[test]
    fn words_are_what_a_shell_would_see() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        };
        check(
            "/usr/bin/lighttpd -D -f /etc/x.conf",
            &["/usr/bin/lighttpd", "-D", "-f", "/etc/x.conf"],
        );
        check("nginx -g \"daemon off;\"", &["nginx", "-g", "daemon off;"]);
        check(r#"a'b c'"d\"e\x" \ f"#, &["ab cd\"e\\x", " f"]);
        check("'' \"\" x", &["", "", "x"]);
        check("a # b\nc a#b", &["a", "c", "a#b"]);
        check("  ", &[]);
        for unclosed in ["'a", "\"a", "\"a\\", "a\\"] {
            assert_eq!(split(unclosed), Err(Unclosed));
        }
    }

    proptest! {
        #[test]
        fn words_come_back(words in prop::collection::vec(any::<String>(), 0..5)) {
            prop_assert_eq!(split(&join(&words)), Ok(words));
        }
    }
}
