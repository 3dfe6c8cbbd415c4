//! What of the files beside a recipe is not shown to a build: `.melangeignore`, with git's patterns.
//!
//! `*`, `?` and `[…]` stand for what is between two slashes, `**` for any folders. A pattern with a
//! slash before its end is about a path from the folder on, any other about a name at any depth. What
//! it matches is left out with everything beneath it.

use boltworks_fsx::{RelPath, Root};

use crate::Error;
use crate::files::TEXT_LIMIT;

/// The file.
const FILE: &str = ".melangeignore";

/// The patterns of a folder; none, where it has no such file.
#[derive(Debug, Default)]
pub(crate) struct Ignored(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// The names between slashes; `**` stands for any number of them.
    names: Vec<Vec<u8>>,
    /// Whether it is about folders alone, and so about what is beneath them.
    is_folder: bool,
}

impl Ignored {
    /// Reads a folder's patterns.
    pub(crate) fn read(folder: &Root) -> Result<Self, Error> {
        let path = RelPath::try_from(FILE)?;
        if !folder.exists(&path)? {
            return Ok(Self::default());
        }
        Self::parse(&folder.read_text(&path, TEXT_LIMIT)?)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let mut patterns = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('!') {
                return Err(Error::asked(
                    format!("{FILE}:{}: '{line}' takes nothing in again", number + 1),
                    "name what is left out, and nothing else",
                ));
            }
            patterns.push(Pattern::new(line));
        }
        Ok(Self(patterns))
    }

    /// Whether a file is left out.
    pub(crate) fn has(&self, path: &RelPath) -> bool {
        let names: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b'/').collect();
        self.0.iter().any(|pattern| pattern.matches(&names))
    }
}

impl Pattern {
    fn new(line: &str) -> Self {
        let trimmed = line.trim_end_matches('/');
        let path = trimmed.trim_start_matches('/');
        let mut names: Vec<Vec<u8>> = path
            .split('/')
            .map(|name| name.as_bytes().to_vec())
            .collect();
        if !trimmed.contains('/') {
            names.insert(0, b"**".to_vec());
        }
        Self {
            names,
            is_folder: trimmed != line,
        }
    }

    /// Whether it is about a file, or about a folder that the file is in.
    fn matches(&self, path: &[&[u8]]) -> bool {
        let longest = path.len() - usize::from(self.is_folder && !path.is_empty());
        (1..=longest).any(|length| is_path(&self.names, path.get(..length).unwrap_or_default()))
    }
}

fn is_path(pattern: &[Vec<u8>], path: &[&[u8]]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == b"**" => {
            (0..=path.len()).any(|from| is_path(rest, path.get(from..).unwrap_or_default()))
        }
        (Some((first, rest)), Some((name, deeper))) => {
            is_name(first, name) && is_path(rest, deeper)
        }
        _ => false,
    }
}

/// Whether a name is what a pattern without slashes stands for. Cost: the product of both lengths,
/// but for several stars in a row of names, which nobody writes.
fn is_name(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => {
            (0..=name.len()).any(|from| is_name(rest, name.get(from..).unwrap_or_default()))
        }
        Some((b'?', rest)) => name
            .split_first()
            .is_some_and(|(_, more)| is_name(rest, more)),
        Some((b'[', rest)) => is_class(rest, name),
        Some((b'\\', rest)) if !rest.is_empty() => is_letter(rest, name),
        Some(_) => is_letter(pattern, name),
    }
}

fn is_letter(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (Some((wanted, rest)), Some((found, more))) => wanted == found && is_name(rest, more),
        _ => false,
    }
}

/// `[a-z]`, with the bracket gone. One that is never closed stands for itself.
fn is_class(pattern: &[u8], name: &[u8]) -> bool {
    let end = pattern.iter().skip(1).position(|byte| *byte == b']');
    let (Some(end), Some((found, more))) = (end.map(|end| end + 1), name.split_first()) else {
        return name
            .strip_prefix(b"[")
            .is_some_and(|more| is_name(pattern, more));
    };
    let (class, rest) = (
        pattern.get(..end).unwrap_or_default(),
        pattern.get(end + 1..).unwrap_or_default(),
    );
    let (is_negated, class) = match class.split_first() {
        Some((b'!' | b'^', class)) => (true, class),
        _ => (false, class),
    };
    let mut is_in = false;
    let mut left = class;
    while let Some((first, beyond)) = left.split_first() {
        if let [b'-', last, after @ ..] = beyond {
            is_in |= (first..=last).contains(&found);
            left = after;
        } else {
            is_in |= first == found;
            left = beyond;
        }
    }
    is_in != is_negated && is_name(rest, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(patterns: &str, paths: &[&str]) -> Vec<bool> {
        let ignored = Ignored::parse(patterns).unwrap();
        paths
            .iter()
            .map(|path| ignored.has(&RelPath::try_from(*path).unwrap()))
            .collect()
    }

    #[test]
    fn a_name_is_left_out_at_any_depth_and_with_what_is_beneath() {
        let paths = ["packages/x86_64/a.apk", "src/packages", "src/packages.txt"];
        assert_eq!(left_out("packages\n", &paths), [true, true, false]);
        assert_eq!(left_out("packages/\n", &paths), [true, false, false]);
        assert_eq!(left_out("# none\n\n", &paths), [false; 3]);
    }

    #[test]
    fn a_slash_makes_it_a_path_from_the_folder_on() {
        let paths = ["a/b", "c/a/b", "a/x/b"];
        assert_eq!(left_out("a/b", &paths), [true, false, false]);
        assert_eq!(left_out("/b", &["b", "a/b"]), [true, false]);
        assert_eq!(left_out("a/**/b", &paths), [true, false, true]);
        assert_eq!(left_out("**/b", &paths), [true; 3]);
    }

    #[test]
    fn signs_stand_for_parts_of_names() {
        let paths = ["a.o", "b.oo", ".o", "d/c.o", "x1", "xa"];
        assert_eq!(
            left_out("*.o", &paths),
            [true, false, true, true, false, false]
        );
        assert_eq!(
            left_out("x[0-9]", &paths),
            [false, false, false, false, true, false]
        );
        assert_eq!(left_out("?[!a]", &["x1", "xa", "x"]), [true, false, false]);
        assert_eq!(left_out("\\*", &["*", "a"]), [true, false]);
        assert_eq!(left_out("[", &["[", "a"]), [true, false]);
        assert!(Ignored::parse("!a").is_err());
    }
}
