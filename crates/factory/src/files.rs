//! Files and folders that a person names on the command line.
//!
//! Everything else in the factory refuses symbolic links. Here they are followed, because a
//! person who names a link means what it leads to. A text may come out of a pipe, too (`/dev/stdin`,
//! `<(…)`): it is read once, and whoever asks again gets the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use boltworks_fsx::stream::{is_stream, read_stream};
use boltworks_fsx::{Bounded, Draft, FileKind, Limit, RelPath, Root, Stat};
use boltworks_model::{chain, visible_path};

use crate::Error;

/// The largest `boltworks.yaml`, key or recipe.
pub(crate) const TEXT_LIMIT: Limit = Limit(4 << 20);

/// The second byte of what gzip makes, and its place: the first byte that is no text.
const GZIP: (u8, u32, u32) = (0x8b, 1, 2);

/// So many links lead on, before they are taken for a circle.
const LINKS: usize = 16;

/// A file's place: an open folder, and a name in it. The file need not be there.
#[derive(Debug)]
pub struct Place {
    folder: Root,
    name: RelPath,
    path: PathBuf,
    /// Whether it is a pipe or a device.
    is_stream: bool,
}

/// What came out of pipes, by the names of those.
static STREAMED: Mutex<BTreeMap<PathBuf, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

/// Whether a file has no folder that means anything: `/dev/stdin` and `/dev/fd/63` have none.
pub fn is_passing(path: &Path) -> bool {
    ["/dev", "/proc"]
        .iter()
        .any(|above| path.starts_with(above))
}

impl Place {
    /// The place of a path, at the end of all links.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let mut target = path.to_owned();
        for _ in 0..LINKS {
            let place = Self::at(&target)?;
            let kind = place.stat()?.map(|stat| stat.kind);
            if kind != Some(FileKind::Symlink) {
                // No link of the kernel's to a pipe leads to a name.
                let is_stream = match kind {
                    None => is_stream(path),
                    kind => matches!(kind, Some(FileKind::Fifo | FileKind::CharDevice)),
                };
                return Ok(Self {
                    path: path.to_owned(),
                    is_stream,
                    ..place
                });
            }
            let link = place.folder.read_link(&place.name)?;
            target = parent(&target).join(OsStr::from_bytes(&link));
        }
        Err(Error::asked(
            format!("{} leads through too many links", path.display()),
            "name the file itself",
        ))
    }

    fn at(path: &Path) -> Result<Self, Error> {
        let Some(name) = path.file_name() else {
            return Err(Error::asked(
                format!("'{}' is not the name of a file", path.display()),
                "name a file",
            ));
        };
        Ok(Self {
            folder: Root::open(parent(path)).map_err(|error| self::error(error, parent(path)))?,
            name: RelPath::new(name.as_bytes())?,
            path: path.to_owned(),
            is_stream: false,
        })
    }

    /// The path as the person wrote it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder the file is in.
    pub const fn folder(&self) -> &Root {
        &self.folder
    }

    /// The file's own name.
    pub const fn name(&self) -> &RelPath {
        &self.name
    }

    /// What is there, if anything.
    pub fn stat(&self) -> Result<Option<Stat>, Error> {
        Ok(self.folder.stat(&self.name)?)
    }

    /// Whether a folder is there.
    pub fn is_folder(&self) -> Result<bool, Error> {
        Ok(self.stat()?.is_some_and(|stat| stat.kind == FileKind::Dir))
    }

    /// Opens the file.
    pub fn open(&self) -> Result<File, Error> {
        let file = self.folder.open_file(&self.name);
        file.map_err(|error| self::error(error, &self.path))
    }

    /// The file's bytes.
    pub fn read_vec(&self, limit: Limit) -> Result<Vec<u8>, Error> {
        if self.is_stream {
            return Ok(self.streamed(limit)?.to_vec());
        }
        let bytes = self.folder.read_vec(&self.name, limit);
        bytes.map_err(|error| self::error(error, &self.path))
    }

    /// The file's text.
    pub fn read_text(&self, limit: Limit) -> Result<String, Error> {
        if self.is_stream {
            let bytes = self.streamed(limit)?;
            let text = Bounded::new(&*bytes, limit).read_text();
            return text.map_err(|source| no_text(self.unreadable(source), &self.path));
        }
        let text = self.folder.read_text(&self.name, limit);
        text.map_err(|error| no_text(error, &self.path))
    }

    /// What comes out of a pipe, or came out of it before.
    fn streamed(&self, limit: Limit) -> Result<Arc<[u8]>, Error> {
        let mut streamed = STREAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = streamed.get(&self.path) {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = read_stream(&self.path, limit)?.into();
        streamed.insert(self.path.clone(), Arc::clone(&bytes));
        Ok(bytes)
    }

    fn unreadable(&self, source: io::Error) -> boltworks_fsx::Error {
        boltworks_fsx::Error::Io {
            action: "read",
            path: self.path.display().to_string(),
            source,
        }
    }

    /// Begins a file that takes this place when it is committed. A device, a pipe, a socket or a
    /// folder is never replaced: that is refused.
    pub fn draft(&self, mode: u32) -> Result<Draft, Error> {
        self.is_for_a_file()?;
        Ok(self.folder.draft(&self.name, mode)?)
    }

    /// Puts a whole file here; what [`draft`](Self::draft) refuses, this does too.
    pub fn write(&self, bytes: &[u8], mode: u32) -> Result<(), Error> {
        self.is_for_a_file()?;
        self.folder.write(&self.name, bytes, mode)?;
        Ok(())
    }

    /// Puts a whole text here, if it is one that is read again.
    pub fn write_text(&self, text: &str, mode: u32) -> Result<(), Error> {
        let (size, most) = (text.len(), TEXT_LIMIT.0);
        if size as u64 > most {
            return Err(Error::asked(
                format!(
                    "{} would have {size} bytes, and none may have more than {most}: it is as it was",
                    self.path.display()
                ),
                "make several of it",
            ));
        }
        self.write(text.as_bytes(), mode)
    }

    /// Refuses what a new file would destroy, because it is none itself.
    fn is_for_a_file(&self) -> Result<(), Error> {
        let what = match self.stat()?.map(|stat| stat.kind) {
            None if self.is_stream => "a pipe",
            None | Some(FileKind::File) => return Ok(()),
            Some(FileKind::Dir) => "a folder",
            Some(FileKind::Symlink) => "a symbolic link",
            Some(FileKind::CharDevice | FileKind::BlockDevice) => "a device",
            Some(FileKind::Fifo) => "a named pipe",
            Some(FileKind::Socket) => "a socket",
        };
        Err(Error::asked(
            format!(
                "{} is {what}: a whole file takes its place when it is done, and nothing else is \
                 replaced",
                self.path.display()
            ),
            "name a file, or a name that nothing has yet",
        ))
    }

    /// Puts a whole file here, unless something is here.
    pub fn write_new(&self, bytes: &[u8], mode: u32) -> Result<(), Error> {
        let mut draft = self.folder.draft(&self.name, mode)?;
        draft
            .write_all(bytes)
            .map_err(|source| self.failed("write", source))?;
        match draft.commit_new() {
            Ok(_) => Ok(()),
            Err(error) if error.io_kind() == Some(io::ErrorKind::AlreadyExists) => {
                Err(self.is_taken())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// That something is here, and stays.
    pub fn is_taken(&self) -> Error {
        Error::asked(
            format!("{} is there already and is kept", self.path.display()),
            "choose another name, or remove it yourself if nobody needs it any more",
        )
    }

    /// That the system refused.
    pub fn failed(&self, action: &'static str, source: io::Error) -> Error {
        boltworks_fsx::Error::Io {
            action,
            path: self.path.display().to_string(),
            source,
        }
        .into()
    }
}

/// Opens a folder that a person names.
pub fn folder(path: &Path) -> Result<Root, Error> {
    Root::open(path).map_err(|error| {
        let there = Place::of(path).and_then(|place| place.stat());
        let Ok(Some(stat)) = there else {
            return self::error(error, path);
        };
        let help = match stat.kind {
            FileKind::File => "name the folder that it is in",
            // A folder that cannot be opened, or a link to one that is not there.
            FileKind::Dir | FileKind::Symlink => return self::error(error, path),
            _ => "name a folder",
        };
        Error::asked(format!("{} is no folder", path.display()), help)
    })
}

/// Writes a package into a folder, whole or not at all.
pub(crate) fn write_package(mut bytes: impl Read, folder: &Root, name: &str) -> Result<(), Error> {
    let mut draft = folder.draft(&RelPath::try_from(name)?, 0o644)?;
    io::copy(&mut bytes, &mut draft).map_err(|source| boltworks_fsx::Error::Stream {
        action: "write the package",
        source,
    })?;
    draft.commit()?;
    Ok(())
}

/// Why a file's text could not be read; where it is no text, that is told with its place, by the name
/// that the person knows.
pub(crate) fn no_text(error: boltworks_fsx::Error, path: &Path) -> Error {
    let Some((_, found)) = error.no_text() else {
        return self::error(error, path);
    };
    if (found.byte, found.line, found.column) == GZIP {
        return Error::asked(
            format!(
                "{} is compressed, as packages and archives are, and no text",
                visible_path(path)
            ),
            "name a text, such as a recipe; `boltworks apk info` shows what a package says",
        );
    }
    let place = boltworks_yaml::Place {
        line: found.line,
        column: found.column,
        ..boltworks_yaml::Place::new(&path.to_string_lossy(), &found.shown, 1, 1)
    };
    let what = format!("the byte 0x{:02x} is no UTF-8 text", found.byte);
    let error = boltworks_yaml::Error::new(place, what)
        .helped("take the byte away, or save the file as UTF-8 text: `iconv -t UTF-8` converts it");
    boltworks_recipe::Error::from(error).into()
}

/// Where a path leads within a folder, at the end of all links; nothing, where it leads out of it. Nothing
/// of it is opened, and nothing need be there.
pub fn led_beneath(root: &Root, path: &[u8]) -> Result<Option<Vec<u8>>, boltworks_fsx::Error> {
    let parts = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let parts = bytes.split(|byte| *byte == b'/').rev();
        parts.map(<[u8]>::to_vec).collect()
    };
    let mut open = parts(path);
    let mut here: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(part) = open.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                if here.pop().is_none() {
                    return Ok(None);
                }
                continue;
            }
            _ => here.push(part),
        }
        let place = RelPath::new(here.join(&b'/'))?;
        let stat = root.stat(&place)?;
        if stat.is_some_and(|stat| stat.kind == FileKind::Symlink) {
            links += 1;
            let target = root.read_link(&place)?;
            if links > LINKS || target.starts_with(b"/") {
                return Ok(None);
            }
            here.pop();
            open.extend(parts(&target));
        }
    }
    Ok(Some(here.join(&b'/')))
}

/// What is not there, or is something else than was meant, was named wrongly.
pub(crate) fn error(error: boltworks_fsx::Error, path: &Path) -> Error {
    let (what, help) = match error.io_kind() {
        Some(io::ErrorKind::NotFound) => {
            ("is not there", "check the name, and the folder you are in")
        }
        Some(io::ErrorKind::IsADirectory) => (
            "is a folder",
            "name a file, perhaps one in it: folders are no files to read",
        ),
        Some(io::ErrorKind::NotADirectory) => ("is no folder", "name a folder"),
        _ if error.is_odd_file() => (
            "is no file to read",
            "name a file, or put one there: pipes, sockets and devices are no files to read",
        ),
        _ => return error.into(),
    };
    Error::asked(format!("{} {what}", visible_path(path)), help)
}

/// Refuses a folder that cannot be written to, or cannot be made in the nearest one that is there. Nothing
/// is left of the trial.
pub(crate) fn verify_writable(path: &Path) -> Result<(), Error> {
    let above = path.ancestors().map(|folder| match folder.as_os_str() {
        name if name.is_empty() => Path::new("."),
        _ => folder,
    });
    for folder in above {
        let root = match Root::open(folder) {
            Err(error) if error.is_not_found() => continue,
            other => other.map_err(|error| self::error(error, folder))?,
        };
        let trial = root.draft(&RelPath::try_from("trial")?, 0o600);
        return trial.map(drop).map_err(|error| {
            let path = visible_path(path);
            let what = format!(
                "nothing can be put into the folder {path}: {}",
                chain(&error)
            );
            Error::asked(
                what,
                "name another folder, or make it one that can be written to",
            )
        });
    }
    Ok(())
}

/// The folder a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_and_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let path = |name: &str| folder.path().join(name);
        let below = root.make_dir(&RelPath::try_from("below").unwrap()).unwrap();
        let name = |name: &str| RelPath::try_from(name).unwrap();
        below.write(&name("file"), b"text", 0o644).unwrap();
        root.symlink(b"below/file", &name("link")).unwrap();
        below.symlink(b"../link", &name("again")).unwrap();
        let place = Place::of(&path("below/again")).unwrap();
        assert_eq!(place.read_text(Limit(9)).unwrap(), "text");
        assert_eq!(place.path(), path("below/again"));
        place.write(b"new", 0o644).unwrap();
        assert_eq!(below.read_text(&name("file"), Limit(9)).unwrap(), "new");

        root.symlink(b"circle", &name("circle")).unwrap();
        assert!(matches!(
            Place::of(&path("circle")),
            Err(Error::Asked { .. })
        ));
        assert!(matches!(
            Place::of(&path("below/..")),
            Err(Error::Asked { .. })
        ));
        assert!(
            Place::of(&path("not there"))
                .unwrap()
                .stat()
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_pipe_is_read_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let mut tree = boltworks_fsx::Tree::new();
        let pipe = boltworks_fsx::Node {
            meta: boltworks_fsx::Meta::new(0o644, 0),
            kind: boltworks_fsx::Kind::Fifo,
        };
        tree.insert(RelPath::try_from("pipe").unwrap(), pipe)
            .unwrap();
        tree.write_to(&root, boltworks_fsx::WriteOptions::default())
            .unwrap();
        root.symlink(b"pipe", &RelPath::try_from("link").unwrap())
            .unwrap();
        let path = folder.path().join("link");
        let written = path.clone();
        let writer = std::thread::spawn(move || {
            let pipe = std::fs::OpenOptions::new().write(true).open(written);
            pipe.unwrap().write_all(b"text \xff").unwrap();
        });
        let place = Place::of(&path).unwrap();
        assert_eq!(place.read_vec(Limit(9)).unwrap(), b"text \xff");
        writer.join().unwrap();
        let again = Place::of(&path).unwrap();
        assert_eq!(again.read_vec(Limit(9)).unwrap(), b"text \xff");
        let error = again.read_text(Limit(9)).unwrap_err();
        assert!(
            error.to_string().contains("link:1:6: the byte 0xff"),
            "{error}"
        );
        assert!(again.read_text(Limit(5)).is_err());
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let name = |name: &str| RelPath::try_from(name).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let mut tree = boltworks_fsx::Tree::new();
        let pipe = boltworks_fsx::Node {
            meta: boltworks_fsx::Meta::new(0o644, 0),
            kind: boltworks_fsx::Kind::Fifo,
        };
        tree.insert(name("pipe"), pipe).unwrap();
        tree.write_to(&root, boltworks_fsx::WriteOptions::default())
            .unwrap();
        root.make_dir(&name("folder")).unwrap();
        root.symlink(b"pipe", &name("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let kinds = || {
            let entries = root.list().unwrap();
            entries
                .into_iter()
                .map(|entry| (entry.name, entry.kind))
                .collect::<Vec<_>>()
        };
        let before = kinds();
        for (place, what) in [
            (path("pipe"), "is a named pipe"),
            (path("link"), "is a named pipe"),
            (path("folder"), "is a folder"),
            (path("socket"), "is a socket"),
            (PathBuf::from("/dev/null"), "is a device"),
        ] {
            let place = Place::of(&place).unwrap();
            let refused = place.write(b"text", 0o644).unwrap_err();
            assert!(refused.to_string().contains(what), "{refused}");
            assert!(matches!(place.draft(0o644), Err(Error::Asked { .. })));
        }
        assert_eq!(
            kinds(),
            before,
            "nothing changed and nothing is left behind"
        );
    }

    #[test]
    fn no_text_is_written_that_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&folder.path().join("text")).unwrap();
        let most = "x".repeat(usize::try_from(TEXT_LIMIT.0).unwrap());
        place.write_text(&most, 0o644).unwrap();
        let error = place.write_text(&format!("{most}y"), 0o644).unwrap_err();
        assert!(error.to_string().contains("4194305 bytes"), "{error}");
        assert_eq!(place.read_text(TEXT_LIMIT).unwrap(), most);
    }

    #[test]
    fn nothing_is_replaced_where_that_is_not_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&folder.path().join("key")).unwrap();
        place.write_new(b"first", 0o600).unwrap();
        assert!(matches!(
            place.write_new(b"second", 0o600),
            Err(Error::Asked { .. })
        ));
        assert_eq!(place.read_vec(Limit(9)).unwrap(), b"first");
        assert_eq!(place.stat().unwrap().unwrap().mode, 0o600);
    }
}
