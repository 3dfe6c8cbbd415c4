//! Stanzas of `Field: value` lines, as Debian's indexes have them (deb822(5)).

/// One stanza. Fields keep their order; names are compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stanza(Vec<(String, String)>);

impl Stanza {
    /// A field's value; continuation lines follow after line breaks.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Reads all stanzas. Comments and lines that are none of it are skipped.
pub fn parse(text: &str) -> Vec<Stanza> {
    let mut stanzas = Vec::new();
    let mut stanza = Stanza::default();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            if !stanza.0.is_empty() {
                stanzas.push(std::mem::take(&mut stanza));
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.0.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            stanza.0.push((key.to_owned(), value.trim().to_owned()));
        }
    }
    stanzas
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_and_continuations() {
        let stanzas = parse("Package: a\nFiles:\n 1 2 x\n 3 4 y\n# no\n\n\npackage: b\nx\n");
        assert_eq!(stanzas.len(), 2);
        assert_eq!(stanzas[0].get("files"), Some("\n1 2 x\n3 4 y"));
        assert_eq!(stanzas[1].get("Package"), Some("b"));
        assert_eq!(stanzas[1].get("none"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            prop_assert!(parse(&text).iter().all(|stanza| !stanza.0.is_empty()));
        }
    }
}
