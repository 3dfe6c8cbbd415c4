//! Where a path beneath a linked directory really is.
//!
//! A package may ship `lib/ld-musl-x86_64.so.1` while another one ships `lib` as a link to
//! `usr/lib` (merged `/usr`). Paths are laid where the links lead, so that the tree holds
//! each file once, under the name that no link is part of.

use std::collections::BTreeMap;

use boltworks_fsx::RelPath;

/// As many links as Linux follows in one path.
const MAX_HOPS: usize = 40;

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// A link leads out of the tree, or to its very top.
    #[error("a link on its way leads out of the tree")]
    Outside,
    /// Links lead to each other.
    #[error("links on its way lead to each other")]
    Circle,
    /// The path is too long once links are followed.
    #[error("it is too long where the links lead")]
    TooLong,
}

/// The symbolic links of a tree, by where they really are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    targets: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Links {
    /// Takes the links of all packages, named as the packages name them.
    ///
    /// A link may itself lie beneath a link, so names are followed until nothing changes.
    pub(crate) fn new(raw: &BTreeMap<RelPath, Vec<u8>>) -> Result<Self, (RelPath, LinkFault)> {
        let by_name = raw
            .iter()
            .map(|(path, target)| (path.as_bytes().to_vec(), target.clone()));
        let mut links = Self {
            targets: by_name.collect(),
        };
        for _ in 0..MAX_HOPS {
            let mut targets = BTreeMap::new();
            for (path, target) in raw {
                let real = links.place(path).map_err(|fault| (path.clone(), fault))?;
                targets.insert(real.as_bytes().to_vec(), target.clone());
            }
            let next = Self { targets };
            if next == links {
                return Ok(links);
            }
            links = next;
        }
        let path = raw.keys().next().cloned();
        path.map_or(Ok(Self::default()), |path| Err((path, LinkFault::Circle)))
    }

    /// Where something of this name is to be laid: links above it are followed, and it itself
    /// is not, should it be one.
    pub(crate) fn place(&self, path: &RelPath) -> Result<RelPath, LinkFault> {
        self.follow(path, false)
    }

    /// Where the directory of this name is, through links to the end.
    pub(crate) fn directory(&self, path: &RelPath) -> Result<RelPath, LinkFault> {
        self.follow(path, true)
    }

    fn follow(&self, path: &RelPath, to_the_end: bool) -> Result<RelPath, LinkFault> {
        let mut ahead: Vec<&[u8]> = path.components().rev().collect();
        let mut real: Vec<u8> = Vec::with_capacity(path.as_bytes().len());
        let mut hops = 0;
        while let Some(component) = ahead.pop() {
            match component {
                b"" | b"." => continue,
                b".." if real.is_empty() => return Err(LinkFault::Outside),
                b".." => {
                    ascend(&mut real);
                    continue;
                }
                _ if real.is_empty() => real.extend(component),
                _ => {
                    real.push(b'/');
                    real.extend(component);
                }
            }
            if ahead.is_empty() && !to_the_end {
                break;
            }
            if let Some(target) = self.targets.get(&real) {
                hops += 1;
                if hops > MAX_HOPS {
                    return Err(LinkFault::Circle);
                }
                if target.first() == Some(&b'/') {
                    real.clear();
                } else {
                    ascend(&mut real);
                }
                ahead.extend(target.split(|&byte| byte == b'/').rev());
            }
        }
        if real.is_empty() {
            return Err(LinkFault::Outside);
        }
        RelPath::new(real).map_err(|_| LinkFault::TooLong)
    }
}

/// Takes the last component off.
fn ascend(path: &mut Vec<u8>) {
    let parent = path.iter().rposition(|&byte| byte == b'/');
    path.truncate(parent.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(&str, &str)]) -> Links {
        let raw = pairs
            .iter()
            .map(|(path, target)| (path.parse().unwrap(), (*target).into()));
        Links::new(&raw.collect()).unwrap()
    }

    fn check(links: &Links, path: &str, place: &str, directory: &str) {
        let path: RelPath = path.parse().unwrap();
        let text = |path: Result<RelPath, LinkFault>| {
            path.map_or_else(|fault| format!("{fault:?}"), |path| path.to_string())
        };
        assert_eq!(text(links.place(&path)), place, "{path} is laid");
        assert_eq!(
            text(links.directory(&path)),
            directory,
            "{path} as a directory"
        );
    }

    #[test]
    fn a_path_beneath_a_link_is_laid_where_the_link_leads() {
        let merged = links(&[
            ("lib", "usr/lib"),
            ("bin", "/usr/bin"),
            ("lib/apk", "../share/apk"),
        ]);
        check(&merged, "lib/libc.so", "usr/lib/libc.so", "usr/lib/libc.so");
        check(&merged, "bin/sh", "usr/bin/sh", "usr/bin/sh");
        check(&merged, "lib", "lib", "usr/lib");
        check(
            &merged,
            "lib/apk/db",
            "usr/share/apk/db",
            "usr/share/apk/db",
        );
        check(
            &merged,
            "usr/lib/apk/db",
            "usr/share/apk/db",
            "usr/share/apk/db",
        );
        check(&merged, "etc/passwd", "etc/passwd", "etc/passwd");
    }

    #[test]
    fn what_leads_out_or_around_is_refused() {
        let out = links(&[
            ("a", "../etc"),
            ("b", "c/d"),
            ("c/d", "../b"),
            ("top", "/"),
            ("e", "/../x"),
        ]);
        check(&out, "a/passwd", "Outside", "Outside");
        check(&out, "e/x", "Outside", "Outside");
        check(&out, "top/x", "x", "x");
        check(&out, "top", "top", "Outside");
        check(&out, "b/x", "Circle", "Circle");
        check(&out, "a", "a", "Outside");
    }

    #[test]
    fn a_link_that_lies_beneath_itself_is_refused() {
        let raw = [("a", "b"), ("a/b", "c"), ("b/b", "d")]
            .map(|(path, target)| (path.parse().unwrap(), target.into()));
        // `a/b` is `b/b`: the same place, whichever is read last.
        assert!(Links::new(&raw.into()).is_ok());
        let raw = [("x", "x/y"), ("x/z", "q")];
        let raw = raw.map(|(path, target)| (path.parse().unwrap(), target.into()));
        assert_eq!(Links::new(&raw.into()).unwrap_err().1, LinkFault::Circle);
    }
}
