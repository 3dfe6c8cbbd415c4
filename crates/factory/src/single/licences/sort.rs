//! Which files are looked at, and what for.

use std::borrow::Cow;

use boltworks_fsx::RelPath;
use boltworks_sbom::detection::LONGEST;

/// How deep files are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At the top, and in the folders there.
    Shallow,
    /// Everywhere.
    Deep,
}

/// What a file is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// It should be a licence's text.
    Licence,
    /// It may be one.
    Notice,
    /// Its first lines may name one.
    Source,
}

/// How names of files begin that hold licences.
const LICENCES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "COPYRIGHT"];
/// The folder of licences (REUSE 3.3).
const FOLDER: &[u8] = b"LICENSES";
/// How names end that begin so and hold programs or pages.
const PROGRAMS: [&str; 22] = [
    "c", "h", "cc", "cpp", "hpp", "go", "rs", "py", "js", "ts", "java", "rb", "pl", "sh", "html",
    "xml", "json", "yml", "yaml", "svg", "png", "in",
];
/// How much of a source file is read: comments at its top.
const TOP: usize = 4096;

impl Sort {
    pub(super) fn of(path: &RelPath, depth: Depth) -> Option<Self> {
        let parts: Vec<&[u8]> = path.components().collect();
        if depth == Depth::Shallow && parts.len() > 2 {
            return None;
        }
        let name = String::from_utf8_lossy(path.file_name()).to_uppercase();
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_lowercase());
        let is_program = ending.is_some_and(|ending| PROGRAMS.contains(&ending.as_str()));
        let folder = parts.len().checked_sub(2).and_then(|at| parts.get(at));
        let is_licence = LICENCES.iter().any(|begin| name.starts_with(begin));
        Some(match (is_program, is_licence) {
            (false, true) => Self::Licence,
            (false, false) if folder == Some(&FOLDER) => Self::Licence,
            (false, false) if name.starts_with("NOTICE") => Self::Notice,
            _ => Self::Source,
        })
    }

    /// How many bytes are read.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Licence | Self::Notice => LONGEST,
            Self::Source => TOP,
        }
    }
}

/// The bytes as text; nothing, where they are none.
pub(super) fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty() && !bytes.contains(&0)).then(|| String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_are_looked_at_for() {
        let check = |path: &str, depth, expected: Option<Sort>| {
            let sort = Sort::of(&RelPath::try_from(path).unwrap(), depth);
            assert_eq!(sort, expected, "{path}");
        };
        let licence = Some(Sort::Licence);
        for path in [
            "LICENSE",
            "licence.txt",
            "COPYING.LIB",
            "a/LICENSE-MIT",
            "LICENSES/MIT.txt",
        ] {
            check(path, Depth::Shallow, licence);
        }
        for path in ["license.go", "LICENSE.html", "a/main.c", "README"] {
            check(path, Depth::Shallow, Some(Sort::Source));
        }
        check("NOTICE.md", Depth::Shallow, Some(Sort::Notice));
        check("a/b/LICENSE", Depth::Shallow, None);
        check("a/b/c/LICENSE", Depth::Deep, licence);
    }

    #[test]
    fn programs_are_no_text() {
        assert_eq!(text(b"a\xffb").as_deref(), Some("a\u{fffd}b"));
        assert_eq!(text(b"\x7fELF\0"), None);
        assert_eq!(text(b""), None);
    }
}
