//! What objects say: commits, tags and trees (gitformat-pack, `git help hash-object`).

use std::fmt;

use boltworks_crypto::{Sha1Hasher, Sha256Hasher};
use boltworks_model::ObjectId;

/// What sort of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A version, with what was before it.
    Commit,
    /// A folder.
    Tree,
    /// A file's bytes.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// The kind of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "commit" => Self::Commit,
            "tree" => Self::Tree,
            "blob" => Self::Blob,
            "tag" => Self::Tag,
            _ => return None,
        })
    }

    /// Its number in a pack.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Tree => 2,
            Self::Blob => 3,
            Self::Tag => 4,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        })
    }
}

/// Finds an object's name from its bytes.
pub(super) enum Naming {
    Short(Sha1Hasher),
    Long(Sha256Hasher),
}

impl Naming {
    /// Begins a name as long as `like`.
    pub(super) fn new(like: &ObjectId) -> Self {
        if like.is_long() {
            Self::Long(Sha256Hasher::new())
        } else {
            Self::Short(Sha1Hasher::new())
        }
    }

    /// Begins the name of an object.
    pub(super) fn of(like: &ObjectId, kind: Kind, size: u64) -> Self {
        let mut naming = Self::new(like);
        naming.update(format!("{kind} {size}\0").as_bytes());
        naming
    }

    /// Takes more bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Short(hasher) => hasher.update(bytes),
            Self::Long(hasher) => hasher.update(bytes),
        }
    }

    /// The digest, which is a name.
    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Short(hasher) => hasher.finish().as_bytes().to_vec(),
            Self::Long(hasher) => hasher.finish().as_bytes().to_vec(),
        }
    }
}

/// What a commit says of other objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its folder.
    pub(super) tree: ObjectId,
    /// The commits before it.
    pub(super) parents: Vec<ObjectId>,
}

impl Commit {
    /// Reads a commit's bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = headers(bytes);
        let tree = lines.next()?.strip_prefix("tree ")?.parse().ok()?;
        let parents = lines.map_while(|line| line.strip_prefix("parent "));
        Some(Self {
            tree,
            parents: parents
                .map(|id| id.parse().ok())
                .collect::<Option<Vec<_>>>()?,
        })
    }
}

/// The object that a tag names, from the tag's bytes.
pub(super) fn tagged(bytes: &[u8]) -> Option<ObjectId> {
    headers(bytes).next()?.strip_prefix("object ")?.parse().ok()
}

/// The lines at the beginning, as far as they are texts.
fn headers(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .map_while(|line| std::str::from_utf8(line).ok())
        .take_while(|line| !line.is_empty())
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Its mode in octal: `40000`, `100644`, `100755`, `120000`, `160000`.
    pub(super) mode: &'a str,
    /// Its name.
    pub(super) name: &'a [u8],
    /// The object.
    pub(super) id: ObjectId,
}

impl Entry<'_> {
    /// What it is; `None` for a commit of another repository.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.mode.trim_start_matches('0') {
            "40000" => Some(Kind::Tree),
            "160000" => None,
            _ => Some(Kind::Blob),
        }
    }
}

/// Everything in a folder, from its bytes; `like` has the names' length. `None` if it is no folder, or
/// one with a name that no file may have: empty, `.`, `..`, `.git`, or with a `/` in it.
pub(super) fn entries<'a>(mut bytes: &'a [u8], like: &ObjectId) -> Option<Vec<Entry<'a>>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let mode = std::str::from_utf8(bytes.get(..space)?).ok()?;
        let rest = bytes.get(space + 1..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let name = rest.get(..end)?;
        let rest = rest.get(end + 1..)?;
        let id = ObjectId::new(rest.get(..like.size())?)?;
        bytes = rest.get(like.size()..)?;
        let is_bad = matches!(name, b"" | b"." | b"..")
            || name.eq_ignore_ascii_case(b".git")
            || name.contains(&b'/');
        if is_bad {
            return None;
        }
        entries.push(Entry { mode, name, id });
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn id() -> ObjectId {
        ID.parse().unwrap()
    }

    fn tree(names: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in names {
            bytes.extend_from_slice(b"100644 ");
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id().as_bytes());
        }
        bytes
    }

    #[test]
    fn an_empty_tree_has_its_known_name() {
        let name = Naming::of(&id(), Kind::Tree, 0).finish();
        assert_eq!(ObjectId::new(&name), Some(id()));
    }

    #[test]
    fn a_commit_names_its_tree_and_parents() {
        let text =
            format!("tree {ID}\nparent {ID}\nparent {ID}\nauthor A <a@b> 0 +0000\n\nparent {ID}\n");
        let commit = Commit::read(text.as_bytes()).unwrap();
        assert_eq!(commit.parents, [id(), id()]);
        assert_eq!(commit.tree, id());
        assert_eq!(Commit::read(b"tree x\n"), None);
        assert_eq!(
            Commit::read(format!("tree {ID}\nparent x\n").as_bytes()),
            None
        );
        assert_eq!(
            tagged(format!("object {ID}\ntype commit\n").as_bytes()),
            Some(id())
        );
    }

    #[test]
    fn folders_with_names_that_leave_them_are_none() {
        let good: [&[u8]; 4] = [b"a", b"..a", b".gitmodules", b"\xff"];
        let bytes = tree(&good);
        let names: Vec<_> = entries(&bytes, &id())
            .unwrap()
            .iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, good);
        let bad: [&[u8]; 6] = [b"", b".", b"..", b".git", b".GiT", b"a/b"];
        for name in bad {
            assert_eq!(entries(&tree(&[name]), &id()), None, "{name:?}");
        }
        let cut = tree(&[b"a"]);
        assert_eq!(entries(&cut[..cut.len() - 1], &id()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            drop(entries(&bytes, &id()));
            drop(Commit::read(&bytes));
            prop_assert_eq!(tagged(&bytes).is_some(), bytes.starts_with(b"object "));
        }
    }
}
