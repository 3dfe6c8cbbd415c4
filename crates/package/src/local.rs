//! The files beside a recipe, which a build gets: found and hashed when the recipe is read, and copied
//! once before the first step.
//!
//! The folder is not the program's own: logs grow in it, other builds write into it. What decides the
//! action are the bytes that a file had when it was found, and of these a file that grew has as many
//! still. Of one that was changed otherwise, the copy says what it is: that is what the guests see, and
//! what must be recorded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Content, FileKind, Kind, Meta, Node, RelPath, Root, ScanOptions, Stat, Tree};
use boltworks_model::Sha256;

use crate::Error;
use crate::workspace::HOME_FOLDER;

const BUFFER: usize = 256 * 1024;

/// A regular file beside a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path in the folder.
    pub path: RelPath,
    /// How many bytes it had.
    pub size: u64,
    /// These bytes.
    pub sha256: Sha256,
    /// Whether anybody may execute it. Nothing else of its mode, owner and time is looked at.
    pub is_executable: bool,
}

/// What is in a folder beside a recipe.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The regular files, by path: all that a build gets. Empty folders stay away, as git keeps none.
    pub files: Vec<LocalFile>,
    /// What is not copied, with what it is.
    pub left_out: Vec<(RelPath, &'static str)>,
}

/// The files beside a recipe as guests get them, whatever becomes of them meanwhile.
#[derive(Debug)]
pub struct LocalFiles {
    tree: Tree,
    beside: Beside,
}

impl Beside {
    /// What is in a folder and `wanted`; of a folder in it that is not, nothing is looked at. What
    /// vanishes meanwhile was not there.
    pub fn read(
        folder: &Root,
        wanted: &mut dyn FnMut(&RelPath, &Stat) -> bool,
    ) -> Result<Self, Error> {
        let mut beside = Self::default();
        for (path, stat) in walk(folder, wanted)? {
            match stat.kind {
                FileKind::Dir => {}
                FileKind::File => beside.files.extend(hashed(folder, path, &stat)?),
                FileKind::Symlink => beside.left_out.push((path, "a symbolic link")),
                _ => beside.left_out.push((path, "no file")),
            }
        }
        Ok(beside)
    }
}

impl LocalFiles {
    /// Copies the files that were found in a folder to a file without a name in `scratch`.
    pub fn take(folder: &Root, found: &Beside, scratch: &Root) -> Result<Self, Error> {
        let mut copy = Copy {
            file: Arc::new(scratch.scratch()?),
            end: 0,
        };
        let mut taken = Self {
            tree: Tree::new(),
            beside: Beside {
                files: Vec::with_capacity(found.files.len()),
                left_out: found.left_out.clone(),
            },
        };
        for file in &found.files {
            if let Some((file, content)) = copy.take(folder, file)? {
                taken.add(file, content)?;
            }
        }
        Ok(taken)
    }

    /// The files, as they were copied.
    pub fn files(&self) -> &[LocalFile] {
        &self.beside.files
    }

    /// What was not copied, with what it is.
    pub fn left_out(&self) -> &[(RelPath, &'static str)] {
        &self.beside.left_out
    }

    /// The files in a workspace's folders.
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    fn add(&mut self, file: LocalFile, content: Content) -> Result<(), Error> {
        let path = RelPath::try_from(HOME_FOLDER)?.join(&file.path)?;
        for parent in path.ancestors() {
            if self.tree.get(&parent).is_none() {
                self.tree.insert(parent, Node::dir(Meta::new(0o755, 0)))?;
            }
        }
        let mode = if file.is_executable { 0o755 } else { 0o644 };
        let node = Node {
            meta: Meta::new(mode, 0),
            kind: Kind::File(content),
        };
        self.tree.insert(path, node)?;
        self.beside.files.push(file);
        Ok(())
    }
}

/// Where files are copied to, one behind the other.
struct Copy {
    file: Arc<File>,
    end: u64,
}

impl Copy {
    /// Copies one file: the bytes it had, if it has them still, or else as it is now; nothing, where it
    /// is gone.
    fn take(
        &mut self,
        folder: &Root,
        known: &LocalFile,
    ) -> Result<Option<(LocalFile, Content)>, Error> {
        let Some((file, stat)) = opened(folder, &known.path)? else {
            return Ok(None);
        };
        let mut taken = LocalFile {
            is_executable: is_executable(&stat),
            ..known.clone()
        };
        let mut content = self.part(&file, &mut taken, known.size)?;
        if taken.sha256 != known.sha256 {
            let size = opened(folder, &known.path)?.map_or(0, |(_, stat)| stat.size);
            content = self.part(&file, &mut taken, size)?;
        }
        Ok(Some((taken, content)))
    }

    fn part(&mut self, file: &File, taken: &mut LocalFile, most: u64) -> Result<Content, Error> {
        let offset = self.end;
        (taken.size, taken.sha256) = copy(file, most, &mut &*self.file)?;
        self.end += taken.size;
        Ok(Content::Span {
            file: Arc::clone(&self.file),
            offset,
            len: taken.size,
        })
    }
}

/// What is in a folder and wanted, by path.
fn walk(
    folder: &Root,
    wanted: &mut dyn FnMut(&RelPath, &Stat) -> bool,
) -> Result<BTreeMap<RelPath, Stat>, Error> {
    let mut found = BTreeMap::new();
    let mut open = vec![None];
    while let Some(path) = open.pop() {
        let listed = match &path {
            None => folder.list(),
            Some(path) => folder.dir(path).and_then(|inner| inner.list()),
        };
        let listed = match listed {
            Err(error) if path.is_some() && is_gone(&error) => continue,
            listed => listed?,
        };
        for entry in listed {
            let child = match &path {
                None => RelPath::new(entry.name)?,
                Some(path) => path.push(entry.name)?,
            };
            let Some(stat) = folder.stat(&child)?.filter(|stat| wanted(&child, stat)) else {
                continue;
            };
            if stat.kind == FileKind::Dir {
                open.push(Some(child.clone()));
            }
            found.insert(child, stat);
        }
    }
    Ok(found)
}

fn hashed(folder: &Root, path: RelPath, stat: &Stat) -> Result<Option<LocalFile>, Error> {
    let Some((file, _)) = opened(folder, &path)? else {
        return Ok(None);
    };
    let (size, sha256) = copy(&file, stat.size, &mut io::sink())?;
    Ok(Some(LocalFile {
        path,
        size,
        sha256,
        is_executable: is_executable(stat),
    }))
}

/// A regular file, if it is there.
fn opened(folder: &Root, path: &RelPath) -> Result<Option<(File, Stat)>, Error> {
    let stat = folder.stat(path)?;
    let Some(stat) = stat.filter(|stat| stat.kind == FileKind::File) else {
        return Ok(None);
    };
    match folder.open_file(path) {
        Err(error) if is_gone(&error) => Ok(None),
        file => Ok(Some((file?, stat))),
    }
}

fn is_gone(error: &boltworks_fsx::Error) -> bool {
    error.is_not_found() || error.io_kind() == Some(io::ErrorKind::NotADirectory)
}

/// Copies the first bytes of a file, at most so many: how many there were, and their digest.
fn copy(file: &File, most: u64, out: &mut dyn Write) -> io::Result<(u64, Sha256)> {
    let size = |most: u64| usize::try_from(most).unwrap_or(BUFFER).clamp(1, BUFFER);
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; size(most)];
    let mut done = 0;
    while done < most {
        let length = size(most - done).min(buffer.len());
        let (part, _) = buffer.split_at_mut(length);
        let count = file.read_at(part, done)?;
        if count == 0 {
            break;
        }
        let read = part.get(..count).unwrap_or_default();
        hasher.write_all(read)?;
        out.write_all(read)?;
        done += count as u64;
    }
    Ok((done, hasher.finish()))
}

/// The files of a folder that is not changed meanwhile, and the folders they are in.
pub fn local_tree(folder: &Root) -> Result<Tree, Error> {
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let scanned = Tree::read_from(&Arc::new(folder.try_clone()?), options)?;
    let is_regular = |node: &Node| matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
    let mut tree = Tree::new();
    for (path, node) in scanned.iter().filter(|(_, node)| is_regular(node)) {
        for parent in path.ancestors() {
            if let Some(folder) = scanned.get(&parent) {
                tree.insert(parent, folder.clone())?;
            }
        }
        tree.insert(path.clone(), node.clone())?;
    }
    Ok(tree)
}

const fn is_executable(stat: &Stat) -> bool {
    stat.mode & 0o111 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RelPath {
        RelPath::try_from(path).unwrap()
    }

    /// What git does not keep decides nothing: empty folders, and of modes all but one bit.
    #[test]
    fn only_regular_files_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for empty in ["empty/below", "full", "private"] {
            root.make_dir(&path(empty)).unwrap();
        }
        root.symlink(b"full/f", &path("link")).unwrap();
        let write = |name: &str, mode| root.write(&path(name), b"same", mode).unwrap();
        write("full/f", 0o600);
        write("full/g", 0o755);
        write("full/g*", 0o644);
        write("private/key", 0o644);
        let beside = Beside::read(&root, &mut |path, _| *path != self::path("private")).unwrap();
        let shown = |files: &[LocalFile]| {
            let one = |file: &LocalFile| (file.path.to_string(), file.is_executable);
            files.iter().map(one).collect::<Vec<_>>()
        };
        let expected = [("full/f", false), ("full/g", true), ("full/g*", false)];
        let expected = expected.map(|(name, mode)| (name.to_owned(), mode));
        assert_eq!(shown(&beside.files), expected);
        assert_eq!(beside.left_out, [(path("link"), "a symbolic link")]);
        let taken = LocalFiles::take(&root, &beside, &root).unwrap();
        assert_eq!(taken.files(), beside.files);
        let paths = |tree: &Tree| {
            let paths = tree.iter().map(|(path, _)| path.to_string());
            paths.collect::<Vec<_>>()
        };
        let laid = [
            "home",
            "home/full",
            "home/full/f",
            "home/full/g",
            "home/full/g*",
        ];
        assert_eq!(paths(taken.tree()), laid);
        let tree = local_tree(&root).unwrap();
        assert!(paths(&tree).contains(&"private/key".to_owned()));
    }

    /// A log that grows is what it was; anything else is what the copy says.
    #[test]
    fn what_changes_meanwhile_is_what_was_copied() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let write = |name: &str, text: &str| {
            root.write(&path(name), text.as_bytes(), 0o644).unwrap();
        };
        for name in ["grows", "other", "shorter", "gone", "same", "gone below/it"] {
            if let Some(parent) = path(name).parent() {
                root.make_dir(&parent).unwrap();
            }
            write(name, "first text");
        }
        let beside = Beside::read(&root, &mut |_, _| true).unwrap();
        write("grows", "first text and more");
        write("other", "second text");
        write("shorter", "first");
        root.remove_file(&path("gone")).unwrap();
        root.remove_tree(&path("gone below")).unwrap();
        let taken = LocalFiles::take(&root, &beside, &root).unwrap();
        let found = taken.files().iter().map(|file| {
            let content = taken.tree().file(&path("home").join(&file.path).unwrap());
            let bytes = content.unwrap().read_vec(boltworks_fsx::Limit(99)).unwrap();
            assert_eq!(boltworks_crypto::sha256(&bytes), file.sha256);
            assert_eq!(bytes.len() as u64, file.size);
            let text = String::from_utf8(bytes).unwrap();
            (file.path.to_string(), text)
        });
        let expected = [
            ("grows", "first text"),
            ("other", "second text"),
            ("same", "first text"),
            ("shorter", "first"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
