//! Broken-off transfers, kept under the digest that the whole is to have.
//!
//! Nobody may ever fetch one again: what is older than a week goes when the next transfer begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

use boltworks_fsx::{Error as DiskError, RelPath, Root};
use boltworks_model::Timestamp;

/// Seconds after which nobody is expected to go on with a transfer.
const ABANDONED_AFTER: i64 = 7 * 24 * 60 * 60;

/// The beginning of a file that is being received. It stays when this is dropped, and while it
/// is open nobody else has it: the file itself is locked.
#[derive(Debug)]
pub(crate) struct Partial {
    root: Root,
    name: RelPath,
    file: File,
}

impl Partial {
    /// Opens what is there under a key (hexadecimal digits), or begins it. Waits for whoever
    /// receives the same.
    pub(crate) fn open(folder: &Root, key: &str, now: Timestamp) -> Result<Self, DiskError> {
        let root = folder.make_dir(&RelPath::try_from("parts")?)?;
        remove_abandoned(&root, now)?;
        let name = RelPath::try_from(format!("{key}.part"))?;
        loop {
            let file = open(&root, &name, true)?;
            locked(&file).map_err(|source| failed("lock", &name, source))?;
            // Who had it may have removed it, and a third may have begun it anew.
            if is_named(&root, &name, &file)? {
                return Ok(Self { root, name, file });
            }
        }
    }

    /// How much is there.
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// Throws away what is past an offset, where the next bytes will go.
    pub(crate) fn cut(&mut self, offset: u64) -> io::Result<()> {
        self.file.set_len(offset)?;
        self.file.seek(SeekFrom::Start(offset)).map(drop)
    }

    /// Adds bytes at the end.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// The file, from its beginning.
    pub(crate) fn rewind(&mut self) -> io::Result<&File> {
        self.file.rewind()?;
        Ok(&self.file)
    }

    /// Removes it.
    pub(crate) fn remove(self) -> Result<(), DiskError> {
        self.root.remove_file(&self.name)
    }
}

fn open(root: &Root, name: &RelPath, create: bool) -> Result<File, DiskError> {
    let path = root.path_for_children()?.join(name.as_path());
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .open(&path)
        .map_err(|source| failed("open", name, source))
}

fn failed(action: &'static str, name: &RelPath, source: io::Error) -> DiskError {
    DiskError::Io {
        action,
        path: name.to_string(),
        source,
    }
}

/// Waits for whoever has the file.
fn locked(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether a file still has its name.
fn is_named(root: &Root, name: &RelPath, file: &File) -> Result<bool, DiskError> {
    let inode = file
        .metadata()
        .map_err(|source| failed("look at", name, source))?
        .ino();
    Ok(root.stat(name)?.is_some_and(|stat| stat.inode == inode))
}

/// Removes what nobody goes on with any more and nobody has.
fn remove_abandoned(root: &Root, now: Timestamp) -> Result<(), DiskError> {
    for entry in root.list()? {
        let name = RelPath::new(entry.name)?;
        let is_old = |mtime: i64| now.0.saturating_sub(mtime) > ABANDONED_AFTER;
        if !root.stat(&name)?.is_some_and(|stat| is_old(stat.mtime)) {
            continue;
        }
        // Gone meanwhile, or not ours.
        let Ok(file) = open(root, &name, false) else {
            continue;
        };
        if file.try_lock().is_ok() && is_named(root, &name, &file)? {
            tracing::debug!(%name, "an abandoned transfer is removed");
            root.remove_file(&name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600);

    #[test]
    fn what_is_there_stays_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let mut partial = Partial::open(&root, "ab", NOW).unwrap();
        partial.cut(0).unwrap();
        partial.add(b"hello").unwrap();
        drop(partial);
        let mut partial = Partial::open(&root, "ab", NOW).unwrap();
        assert_eq!(partial.len().unwrap(), 5);
        partial.cut(4).unwrap();
        partial.add(b"!").unwrap();
        assert_eq!(
            io::read_to_string(partial.rewind().unwrap()).unwrap(),
            "hell!"
        );
        partial.remove().unwrap();
        assert_eq!(
            root.dir(&"parts".parse().unwrap()).unwrap().list().unwrap(),
            []
        );
        assert_eq!(Partial::open(&root, "ab", NOW).unwrap().len().unwrap(), 0);
    }

    #[test]
    fn what_nobody_goes_on_with_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let parts = root.make_dir(&"parts".parse().unwrap()).unwrap();
        let touch = |name: &str, age: u64| {
            let file = open(&parts, &name.parse().unwrap(), true).unwrap();
            let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW.0.unsigned_abs());
            let time = now - std::time::Duration::from_secs(age);
            file.set_modified(time).unwrap();
            file
        };
        let day = 24 * 60 * 60;
        for (name, age) in [("a.part", 8), ("b.part", 6), ("c.lock", 8)] {
            touch(name, age * day);
        }
        let taken = touch("d.part", 9 * day);
        taken.lock().unwrap();
        drop(Partial::open(&root, "e", NOW).unwrap());
        let names = parts.list().unwrap().into_iter();
        let names: Vec<_> = names
            .map(|entry| String::from_utf8(entry.name).unwrap())
            .collect();
        assert_eq!(names, ["b.part", "d.part", "e.part"]);
    }

    #[test]
    fn who_waits_for_one_that_is_removed_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let mut first = Partial::open(&root, "ab", NOW).unwrap();
        first.add(b"hello").unwrap();
        let second = std::thread::scope(|scope| {
            let second = scope.spawn(|| Partial::open(&root, "ab", NOW).unwrap());
            std::thread::sleep(std::time::Duration::from_millis(50));
            first.remove().unwrap();
            second.join().unwrap()
        });
        assert_eq!(second.len().unwrap(), 0);
        second.remove().unwrap();
    }
}
