//! Broken-off transfers, kept under the digest that the whole is to have.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};

use boltworks_fsx::{Error as DiskError, Lock, RelPath, Root};

/// The beginning of a file that is being received. It stays when this is dropped, and while it
/// is open nobody else has it.
#[derive(Debug)]
pub(crate) struct Partial {
    root: Root,
    name: RelPath,
    file: File,
    _lock: Lock,
}

impl Partial {
    /// Opens what is there under a key (hexadecimal digits), or begins it. Waits for whoever
    /// receives the same.
    pub(crate) fn open(folder: &Root, key: &str) -> Result<Self, DiskError> {
        let root = folder.make_dir(&RelPath::try_from("parts")?)?;
        let lock = root.lock(&RelPath::try_from(format!("{key}.lock"))?, || {})?;
        let name = RelPath::try_from(format!("{key}.part"))?;
        let path = root.path_for_children()?.join(name.as_path());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| DiskError::Io {
                action: "open",
                path: name.to_string(),
                source,
            })?;
        Ok(Self {
            root,
            name,
            file,
            _lock: lock,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let mut partial = Partial::open(&root, "ab").unwrap();
        partial.cut(0).unwrap();
        partial.add(b"hello").unwrap();
        drop(partial);
        let mut partial = Partial::open(&root, "ab").unwrap();
        assert_eq!(partial.len().unwrap(), 5);
        partial.cut(4).unwrap();
        partial.add(b"!").unwrap();
        assert_eq!(
            io::read_to_string(partial.rewind().unwrap()).unwrap(),
            "hell!"
        );
        partial.remove().unwrap();
        assert_eq!(Partial::open(&root, "ab").unwrap().len().unwrap(), 0);
    }
}
