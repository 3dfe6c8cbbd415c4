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
    #[error("leads out of the tree")]
    Outside,
    /// Links lead to each other.
    #[error("leads in a circle")]
    Circle,
    /// The path is too long once links are followed.
    #[error("leads to a path that is too long")]
    TooLong,
}

/// A fault, and the link it is met at: the place of its package in the install order, and its
/// path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Faulty {
    pub(crate) fault: LinkFault,
    pub(crate) member: usize,
    pub(crate) link: RelPath,
}

/// A symbolic link as a package names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) member: usize,
    pub(crate) target: Vec<u8>,
}

/// The symbolic links of a tree, by where they really are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    targets: BTreeMap<RelPath, Link>,
}

impl Links {
    /// Takes the links of all packages, named as the packages name them.
    ///
    /// A link may itself lie beneath a link, so names are followed until nothing changes.
    pub(crate) fn new(raw: BTreeMap<RelPath, Link>) -> Result<Self, Faulty> {
        let mut links = Self {
            targets: raw.clone(),
        };
        for _ in 0..MAX_HOPS {
            let mut targets = BTreeMap::new();
            for (path, link) in &raw {
                targets.insert(links.place(path)?, link.clone());
            }
            let next = Self { targets };
            if next == links {
                return Ok(links);
            }
            links = next;
        }
        let first = raw.into_iter().next();
        first.map_or(Ok(Self::default()), |(path, link)| {
            Err(Faulty {
                fault: LinkFault::Circle,
                member: link.member,
                link: path,
            })
        })
    }

    /// Where something of this name is to be laid: links above it are followed, and it itself
    /// is not, should it be one.
    pub(crate) fn place(&self, path: &RelPath) -> Result<RelPath, Faulty> {
        self.follow(path, false)
    }

    /// Where the directory of this name is, through links to the end.
    pub(crate) fn directory(&self, path: &RelPath) -> Result<RelPath, Faulty> {
        self.follow(path, true)
    }

    fn follow(&self, path: &RelPath, to_the_end: bool) -> Result<RelPath, Faulty> {
        let mut ahead: Vec<&[u8]> = path.components().rev().collect();
        let mut real: Option<RelPath> = None;
        let mut last: Option<(RelPath, usize)> = None;
        let mut hops = 0;
        let faulty = |fault, last: &Option<(RelPath, usize)>| {
            let (link, member) = last.clone().unwrap_or_else(|| (path.clone(), 0));
            Faulty {
                fault,
                member,
                link,
            }
        };
        while let Some(component) = ahead.pop() {
            real = match (component, real) {
                (b"" | b".", here) => here,
                (b"..", None) => return Err(faulty(LinkFault::Outside, &last)),
                (b"..", Some(here)) => here.parent(),
                (name, here) => {
                    let next = here.map_or_else(|| RelPath::new(name), |here| here.push(name));
                    Some(next.map_err(|_| faulty(LinkFault::TooLong, &last))?)
                }
            };
            if ahead.is_empty() && !to_the_end {
                break;
            }
            let Some((here, link)) = real
                .as_ref()
                .and_then(|here| self.targets.get_key_value(here))
            else {
                continue;
            };
            last = Some((here.clone(), link.member));
            hops += 1;
            if hops > MAX_HOPS {
                return Err(faulty(LinkFault::Circle, &last));
            }
            let is_absolute = link.target.first() == Some(&b'/');
            real = if is_absolute { None } else { here.parent() };
            ahead.extend(link.target.split(|&byte| byte == b'/').rev());
        }
        real.ok_or_else(|| faulty(LinkFault::Outside, &last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(pairs: &[(&str, &str)]) -> BTreeMap<RelPath, Link> {
        let link = |target: &str| Link {
            member: 0,
            target: target.into(),
        };
        let pairs = pairs
            .iter()
            .map(|(path, target)| (path.parse().unwrap(), link(target)));
        pairs.collect()
    }

    fn links(pairs: &[(&str, &str)]) -> Links {
        Links::new(raw(pairs)).unwrap()
    }

    fn check(links: &Links, path: &str, place: &str, directory: &str) {
        let path: RelPath = path.parse().unwrap();
        let text = |path: Result<RelPath, Faulty>| {
            path.map_or_else(
                |faulty| format!("{:?} at {}", faulty.fault, faulty.link),
                |path| path.to_string(),
            )
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
        check(&out, "a/passwd", "Outside at a", "Outside at a");
        check(&out, "e/x", "Outside at e", "Outside at e");
        check(&out, "top/x", "x", "x");
        check(&out, "top", "top", "Outside at top");
        check(&out, "b/x", "Circle at b", "Circle at b");
        check(&out, "a", "a", "Outside at a");
    }

    #[test]
    fn a_link_that_lies_beneath_itself_is_refused() {
        // `a/b` is `b/b`: the same place, whichever is read last.
        assert!(Links::new(raw(&[("a", "b"), ("a/b", "c"), ("b/b", "d")])).is_ok());
        let faulty = Links::new(raw(&[("x", "x/y"), ("x/z", "q")])).unwrap_err();
        assert_eq!(faulty.fault, LinkFault::Circle);
    }

    proptest! {
        #[test]
        fn what_is_followed_stays_in_the_tree_and_has_no_link_above(
            pairs in prop::collection::btree_map("[ab](/[ab]){0,2}", "/?([ab]|\\.\\.|\\.)(/([ab]|\\.\\.|)){0,2}", 0..5),
            path in "[ab](/[ab]){0,4}",
        ) {
            let pairs: Vec<_> = pairs.iter().map(|(path, target)| (path.as_str(), target.as_str())).collect();
            let path: RelPath = path.parse().unwrap();
            if let Ok(links) = Links::new(raw(&pairs))
                && let Ok(place) = links.place(&path)
            {
                prop_assert!(place.ancestors().all(|above| !links.targets.contains_key(&above)));
                prop_assert_eq!(links.place(&place), Ok(place));
            }
        }
    }
}
