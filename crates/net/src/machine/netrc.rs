//! Logins by host, as curl and ftp keep them (netrc(5)).

use crate::credential::Login;

/// The logins of one file.
#[derive(Debug, Default)]
pub struct Netrc {
    /// Host, or none for `default`, and login, in the order of the file.
    entries: Vec<(Option<String>, Login)>,
}

impl Netrc {
    /// The first login for a host, else that of a `default` before it.
    pub fn login(&self, host: &str) -> Option<&Login> {
        self.entries
            .iter()
            .find(|(name, _)| {
                name.as_deref()
                    .is_none_or(|name| name.eq_ignore_ascii_case(host))
            })
            .map(|(_, login)| login)
    }
}

/// Reads a file. Words that mean nothing here are passed over, and so are macros.
pub fn parse(text: &str) -> Netrc {
    let mut netrc = Netrc::default();
    let mut entry: Option<Entry> = None;
    let mut words = Words { rest: text };
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" => {
                netrc.entries.extend(entry.take().and_then(Entry::done));
                let host = (word == "machine").then(|| words.next().unwrap_or_default());
                entry = Some(Entry {
                    host,
                    ..Entry::default()
                });
            }
            "login" | "password" | "account" => {
                let value = words.next();
                if let Some(entry) = &mut entry {
                    match word.as_str() {
                        "login" => entry.user = value,
                        "password" => entry.password = value,
                        _ => {}
                    }
                }
            }
            "macdef" => words.skip_macro(),
            _ => {}
        }
    }
    netrc.entries.extend(entry.and_then(Entry::done));
    netrc
}

#[derive(Default)]
struct Entry {
    host: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

impl Entry {
    /// Without a password there is nothing to log in with.
    fn done(self) -> Option<(Option<String>, Login)> {
        let login = Login::new(self.user.unwrap_or_default(), self.password?);
        Some((self.host, login))
    }
}

/// Words between blanks; one in double quotes may have blanks, and `\` before any character.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    /// A macro ends at the first empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, after)| after);
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => {
                    self.rest = comment.split_once('\n').map_or("", |(_, after)| after);
                }
                None => break,
            }
        }
        if self.rest.is_empty() {
            return None;
        }
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self
                .rest
                .find(char::is_whitespace)
                .unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(word.to_owned());
        };
        let mut word = String::new();
        let mut letters = quoted.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => word.extend(letters.next()),
                letter => word.push(letter),
            }
        }
        self.rest = letters.as_str();
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "\
# of mine
machine a.example login me password p#w
machine b.example
  login you
  account x
  password \"two \\\"words\\\"\"
macdef init
machine c.example login no password no

machine d.example login nothing
default login any password thing
machine late.example login late password late
";

    #[test]
    fn hosts_find_their_login() {
        let netrc = parse(TEXT);
        let found = |host: &str| {
            let login = netrc.login(host).unwrap();
            format!("{} {}", login.user, login.password.expose())
        };
        assert_eq!(found("A.example"), "me p#w");
        assert_eq!(found("b.example"), "you two \"words\"");
        for other in ["c.example", "d.example", "late.example"] {
            assert_eq!(found(other), "any thing");
        }
        assert!(
            parse("machine a.example login me")
                .login("a.example")
                .is_none()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(machine |login |password |default |macdef |[\"\\\\# \na-z]){0,30}") {
            parse(&text).login("a.example");
        }
    }
}
