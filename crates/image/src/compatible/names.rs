//! Paths as text, in Go's way (`path/filepath`): what is above one, its last part, two of them joined.

/// The shortest path that means the same: no `.`, no `//`, no `..` that can be taken back.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            b".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// What a path is in.
pub(super) fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte == b'/');
    clean(path.get(..end.map_or(0, |end| end + 1)).unwrap_or_default())
}

/// A path's last part.
pub(super) fn base(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// A path from within another.
pub(super) fn join(above: &[u8], path: &[u8]) -> Vec<u8> {
    clean(&[above, path].join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parted_and_joined_as_in_go() {
        for (path, above, last) in [
            ("/etc/passwd", "/etc", "passwd"),
            ("etc/passwd", "etc", "passwd"),
            ("passwd", ".", "passwd"),
            ("/passwd", "/", "passwd"),
            ("/a/b/", "/a/b", "b"),
            ("a//b", "a", "b"),
        ] {
            assert_eq!(dir(path.as_bytes()), above.as_bytes(), "{path}");
            assert_eq!(base(path.as_bytes()), last.as_bytes(), "{path}");
        }
        for (path, wanted) in [
            ("a/../b", "b"),
            ("../a", "../a"),
            ("/../a", "/a"),
            ("a/..", "."),
            ("/", "/"),
            ("./a/./b//", "a/b"),
        ] {
            assert_eq!(clean(path.as_bytes()), wanted.as_bytes(), "{path}");
        }
        assert_eq!(join(b"usr/lib", b"../x"), b"usr/x");
    }
}
