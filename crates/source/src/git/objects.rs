//! Objects of a repository, read through the git program and named anew by us.

use std::io::{self, BufReader, Read, Write};

use boltworks_model::ObjectId;

use super::object::{Kind, Naming};
use crate::Error;

/// The longest line before an object.
const MAX_LINE: usize = 512;

/// A conversation with `git cat-file --batch`.
pub(super) struct Objects<'a> {
    input: Box<dyn Write>,
    output: BufReader<&'a mut dyn Read>,
}

/// What is about to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// Its name.
    pub(super) id: ObjectId,
    /// What it is.
    pub(super) kind: Kind,
    /// How many bytes it has.
    pub(super) size: u64,
}

impl<'a> Objects<'a> {
    pub(super) fn new(input: Box<dyn Write>, output: &'a mut dyn Read) -> Self {
        Self {
            input,
            output: BufReader::with_capacity(1 << 18, output),
        }
    }

    /// Asks for an object, whose bytes must be read next; `None` if it is not there.
    pub(super) fn ask(&mut self, id: ObjectId) -> Result<Option<Header>, Error> {
        // As one piece: each is a call of the system.
        let line = format!("{id}\n");
        let asked = self.input.write_all(line.as_bytes());
        asked.and_then(|()| self.input.flush()).map_err(broken)?;
        let line = self.line()?;
        let mut words = line.split(' ');
        let (name, kind, size) = (words.next(), words.next(), words.next());
        if kind == Some("missing") {
            return Ok(None);
        }
        let kind = kind.and_then(Kind::named);
        let size = size.and_then(|size| size.parse().ok());
        let is_it = name.and_then(|name| name.parse().ok()) == Some(id);
        match (kind, size) {
            (Some(kind), Some(size)) if is_it => Ok(Some(Header { id, kind, size })),
            _ => Err(odd(&line)),
        }
    }

    fn line(&mut self) -> Result<String, Error> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        loop {
            self.output.read_exact(&mut byte).map_err(broken)?;
            match byte {
                [b'\n'] => return Ok(String::from_utf8_lossy(&line).into_owned()),
                _ if line.len() >= MAX_LINE => return Err(odd(&String::from_utf8_lossy(&line))),
                [byte] => line.push(byte),
            }
        }
    }

    /// The object's bytes; they must have its name.
    pub(super) fn read(&mut self, header: &Header, limit: u64) -> Result<Vec<u8>, Error> {
        let size = usize::try_from(header.size)
            .ok()
            .filter(|_| header.size <= limit)
            .ok_or_else(|| bad(header, "it is too large"))?;
        let mut bytes = vec![0; size];
        self.output.read_exact(&mut bytes).map_err(broken)?;
        let mut naming = Naming::of(&header.id, header.kind, header.size);
        naming.update(&bytes);
        self.end(header, naming)?;
        Ok(bytes)
    }

    /// Hands on the object's bytes as they come; they must have its name.
    pub(super) fn stream<T>(
        &mut self,
        header: &Header,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T, Error> {
        let mut reader = Named {
            naming: Naming::of(&header.id, header.kind, header.size),
            left: header.size,
            inner: &mut self.output,
        };
        let value = take(&mut reader).map_err(broken)?;
        let naming = reader.naming;
        self.end(header, naming)?;
        Ok(value)
    }

    fn end(&mut self, header: &Header, naming: Naming) -> Result<(), Error> {
        let mut end = [0];
        self.output.read_exact(&mut end).map_err(broken)?;
        if ObjectId::new(&naming.finish()) == Some(header.id) && end == [b'\n'] {
            Ok(())
        } else {
            Err(bad(header, "its bytes have another name"))
        }
    }
}

/// Counts and names what is read.
struct Named<'a, R> {
    inner: &'a mut R,
    naming: Naming,
    left: u64,
}

impl<R: Read> Read for Named<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let count = self.inner.read(buffer)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.naming.update(buffer.get(..count).unwrap_or_default());
        self.left -= count as u64;
        Ok(count)
    }
}

fn broken(source: io::Error) -> Error {
    Error::Program {
        program: "git",
        source,
    }
}

fn odd(line: &str) -> Error {
    Error::Malformed {
        index: "the output of git cat-file".to_owned(),
        reason: format!("'{}' stands before an object", line.trim_end()),
    }
}

/// An object that is not what it should be.
pub(super) fn bad(header: &Header, reason: &'static str) -> Error {
    Error::BadObject {
        kind: header.kind.to_string(),
        id: header.id,
        reason,
    }
}
