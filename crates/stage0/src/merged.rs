//! Where a file of Debian's is once `/bin`, `/sbin`, `/lib` and `/lib64` are links into `/usr`,
//! and which files are left out.

use boltworks_fsx::RelPath;

/// Directories at the top that are links into `usr` in every environment.
pub const LINKS: &[&str] = &["bin", "lib", "lib64", "sbin"];
/// What nothing builds with: documentation, translations, and what maintainer scripts work on.
const LEFT_OUT: &[&str] = &[
    "usr/share/bug",
    "usr/share/debconf",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
];

/// Where a file is; `None` for the links at the top themselves.
pub fn place(path: &RelPath) -> Option<RelPath> {
    let first = path.components().next()?;
    if !LINKS.iter().any(|link| link.as_bytes() == first) {
        return Some(path.clone());
    }
    if path.as_bytes() == first {
        return None;
    }
    RelPath::new([b"usr/", path.as_bytes()].concat()).ok()
}

/// Whether a file, by its place, is left out.
pub fn is_left_out(place: &RelPath) -> bool {
    let is_beneath = |folder: &&str| {
        place
            .as_bytes()
            .strip_prefix(folder.as_bytes())
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    };
    LEFT_OUT.iter().any(is_beneath)
}

/// The target of a symbolic link, such that it points to the same file from its new place.
pub fn target(path: &RelPath, place_of_link: &RelPath, target: &[u8]) -> Vec<u8> {
    let is_moved = path != place_of_link;
    if !is_moved || target.first() == Some(&b'/') {
        return target.to_vec();
    }
    let meant = resolve(path, target).and_then(|path| place(&path));
    if resolve(place_of_link, target) == meant {
        return target.to_vec();
    }
    match meant {
        Some(meant) => [b"/", meant.as_bytes()].concat(),
        None => target.to_vec(),
    }
}

/// What a relative target means, as a path from the root; `None` for the root itself.
fn resolve(link: &RelPath, target: &[u8]) -> Option<RelPath> {
    let mut parts: Vec<&[u8]> = link.components().collect();
    parts.pop();
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    RelPath::new(parts.join(&b'/')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    #[test]
    fn top_folders_move_into_usr() {
        let place = |text: &str| place(&path(text)).map(|path| path.to_string());
        assert_eq!(place("bin/sh").as_deref(), Some("usr/bin/sh"));
        assert_eq!(place("lib64/ld.so").as_deref(), Some("usr/lib64/ld.so"));
        assert_eq!(place("usr/bin/sh").as_deref(), Some("usr/bin/sh"));
        assert_eq!(place("library/x").as_deref(), Some("library/x"));
        assert_eq!(place("etc/bin/x").as_deref(), Some("etc/bin/x"));
        assert_eq!(place("lib"), None);
    }

    #[test]
    fn a_moved_link_points_where_it_did() {
        let check = |link: &str, to: &str, expected: &str| {
            let moved = place(&path(link)).unwrap();
            assert_eq!(
                target(&path(link), &moved, to.as_bytes()),
                expected.as_bytes(),
                "{link}"
            );
        };
        check("bin/sh", "dash", "dash");
        check("bin/sh", "../usr/bin/dash", "/usr/bin/dash");
        check("bin/sh", "/bin/dash", "/bin/dash");
        check("lib64/ld.so", "../lib/x/ld.so", "../lib/x/ld.so");
        check("lib/x/liba.so", "../../etc/liba.so", "/etc/liba.so");
        check("usr/lib/liba.so", "../../lib/liba.so", "../../lib/liba.so");
    }

    #[test]
    fn documentation_is_left_out() {
        assert!(
            is_left_out(&path("usr/share/doc/bash/copyright"))
                && is_left_out(&path("usr/share/man"))
        );
        assert!(!is_left_out(&path("usr/share/docs")) && !is_left_out(&path("usr/share/perl/man")));
    }
}
