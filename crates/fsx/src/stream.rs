//! What is no file and is read once all the same, because a person named it: a pipe, a terminal.

use std::fs::File;
use std::path::Path;

use boltworks_model::visible_path;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::{Bounded, Error, Limit};

/// Whether a path leads, at the end of all links, to a pipe or a character device.
pub fn is_stream(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| is_one(&stat))
}

/// All that comes out of it. Who reads a pipe waits for who writes to it.
pub fn read_stream(path: &Path, limit: Limit) -> Result<Vec<u8>, Error> {
    let failed = |action| {
        move |source: std::io::Error| Error::Io {
            action,
            path: visible_path(path),
            source,
        }
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty()).and_then(|file| {
        let stat = rustix::fs::fstat(&file)?;
        if is_one(&stat) {
            Ok(file)
        } else {
            Err(Errno::INVAL)
        }
    });
    let file = opened.map_err(|error| failed("open as a pipe")(error.into()))?;
    let bytes = Bounded::new(File::from(file), limit).read_all();
    bytes.map_err(failed("read"))
}

fn is_one(stat: &rustix::fs::Stat) -> bool {
    let kind = FileType::from_raw_mode(stat.st_mode);
    matches!(kind, FileType::Fifo | FileType::CharacterDevice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_read_up_to_a_limit() {
        let zero = Path::new("/dev/zero");
        assert!(is_stream(zero));
        let error = read_stream(zero, Limit(10)).unwrap_err();
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::FileTooLarge));
        let nothing = read_stream(Path::new("/dev/null"), Limit(10)).unwrap();
        assert_eq!(nothing, b"");
        let program = Path::new("/bin/sh");
        assert!(!is_stream(program) && !is_stream(Path::new("/nowhere")));
        assert!(read_stream(program, Limit::mib(9)).is_err());
    }
}
