//! What apt is configured to use: `sources.list`, one line each, and deb822 `.sources` files
//! (sources.list(5)).

/// Suites of Debian whose main archive can be told by name; newer ones by their keyring.
const SUITES: &[&str] = &[
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "sid",
    "experimental",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];

/// One enabled source of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AptSource {
    /// `deb`, `deb-src`.
    pub types: Vec<String>,
    /// Base addresses, in the forms apt knows: `http:`, `https:`, `mirror+file:`, …
    pub uris: Vec<String>,
    /// Suites.
    pub suites: Vec<String>,
    /// Components.
    pub components: Vec<String>,
    /// The keyring it is checked with, or the key itself.
    pub signed_by: Option<String>,
}

impl AptSource {
    /// Whether it looks like Debian's main archive: apt's signature check has the last word.
    fn is_debian_archive(&self) -> bool {
        let is_named = |suite: &String| {
            let base = suite
                .strip_suffix("-updates")
                .or_else(|| suite.strip_suffix("-backports"));
            SUITES.contains(&base.unwrap_or(suite))
        };
        let is_security = |suite: &String| suite.contains("security");
        let is_signed_so = self
            .signed_by
            .as_deref()
            .is_some_and(|keyring| keyring.contains("debian-archive-"));
        self.types.iter().any(|word| word == "deb")
            && self.components.iter().any(|component| component == "main")
            && !self.suites.iter().any(is_security)
            && (is_signed_so || self.suites.iter().any(is_named))
    }
}

/// Reads a file in the form of one line for each source. Lines that are no source are skipped.
pub fn parse_one_line(text: &str) -> Vec<AptSource> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<AptSource> {
    let line = line
        .split_once('#')
        .map_or(line, |(before, _)| before)
        .trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(after) => after.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options
        .split_whitespace()
        .filter_map(|option| option.split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case("signed-by"))
        .map(|(_, value)| value.to_owned());
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(AptSource {
        types: vec![kind.to_owned()],
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by,
    })
}

/// Reads a file in deb822 form. Stanzas with `Enabled: no` and incomplete ones are skipped.
pub fn parse_deb822(text: &str) -> Vec<AptSource> {
    let mut sources = Vec::new();
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.extend(source_of(&stanza));
            stanza.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            stanza.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn source_of(stanza: &[(String, String)]) -> Option<AptSource> {
    let field = |name: &str| {
        stanza
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    };
    let words = |name: &str| -> Vec<String> {
        field(name)
            .map(|value| value.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let is_off = field("enabled").is_some_and(|value| {
        ["no", "false", "without", "off", "disable", "0"]
            .iter()
            .any(|no| value.eq_ignore_ascii_case(no))
    });
    let source = AptSource {
        types: words("types"),
        uris: words("uris"),
        suites: words("suites"),
        components: words("components"),
        signed_by: field("signed-by").cloned(),
    };
    let is_complete =
        !source.types.is_empty() && !source.uris.is_empty() && !source.suites.is_empty();
    (is_complete && !is_off).then_some(source)
}

/// The base address of Debian's main archive, as the machine's apt is configured; `None` if the
/// machine does not use it (Ubuntu, say).
pub fn debian_archive(sources: &[AptSource]) -> Option<&str> {
    sources
        .iter()
        .filter(|source| source.is_debian_archive())
        .flat_map(|source| &source.uris)
        .find(|uri| !uri.starts_with("cdrom:"))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEB822: &str = "\
# the archive
Types: deb deb-src
URIs: http://mirror.example/other
Suites: trixie
Components: main
Enabled: no

Types: deb
# a comment inside
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs:
 http://mirror.example/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";

    #[test]
    fn the_archive_is_found_and_what_is_disabled_is_not() {
        let sources = parse_deb822(DEB822);
        assert_eq!(sources.len(), 2);
        assert_eq!(
            debian_archive(&sources),
            Some("http://mirror.example/debian")
        );
    }

    #[test]
    fn one_line_sources_are_read() {
        let text = "\
# deb http://off.example/debian trixie main
deb [arch=amd64 signed-by=/k.gpg] https://third.example/apt stable-x main
deb [arch=amd64] https://third.example/apt nodistro main
deb-src http://mirror.example/source trixie main
deb  cdrom:[Debian]/ trixie main
deb http://mirror.example/debian trixie main contrib # ours
";
        let sources = parse_one_line(text);
        assert_eq!(sources.len(), 5);
        assert_eq!(sources[0].signed_by.as_deref(), Some("/k.gpg"));
        assert_eq!(
            debian_archive(&sources),
            Some("http://mirror.example/debian")
        );
    }

    #[test]
    fn another_distribution_has_no_archive_for_us() {
        let text = "Types: deb\nURIs: http://archive.example/ubuntu\nSuites: noble noble-updates\n\
                    Components: main universe\n\
                    Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n";
        assert_eq!(debian_archive(&parse_deb822(text)), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([-a-zA-Z: \\[\\]#=/.\n]|deb |URIs: ){0,60}") {
            for source in parse_one_line(&text).iter().chain(&parse_deb822(&text)) {
                prop_assert!(!source.uris.is_empty());
            }
        }
    }
}
