//! Texts made of lines with a key and a value: `.PKGINFO`, the index, the installed database.

use std::fmt::Display;
use std::str::FromStr;

use boltworks_fsx::RelPath;

use crate::error::{Error, LineError};

/// The fields of one package, in the order of the text.
///
/// `K` is what a key is: a word in `.PKGINFO`, a letter elsewhere.
pub(crate) struct Fields<'t, K> {
    file: &'static str,
    end: usize,
    items: Vec<Field<'t, K>>,
}

struct Field<'t, K> {
    key: K,
    line: usize,
    value: &'t str,
}

impl<'t, K: Copy + Eq + Display> Fields<'t, K> {
    /// No fields yet, of a package in this file.
    pub(crate) fn new(file: &'static str) -> Self {
        Self {
            file,
            end: 1,
            items: Vec::new(),
        }
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets everything, for the next package.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    /// Adds the field of a line, counted from 1.
    pub(crate) fn add(&mut self, line: usize, key: K, value: &'t str) -> Result<(), Error> {
        self.end = line + 1;
        if has_control(value) {
            return Err(self.error(line, LineError::Control(key.to_string())));
        }
        self.items.push(Field { key, line, value });
        Ok(())
    }

    /// The value of a field that may come once.
    pub(crate) fn one<T>(
        &self,
        key: K,
        read: impl FnOnce(&'t str) -> Result<T, LineError>,
    ) -> Result<Option<T>, Error> {
        let mut found = self.items.iter().filter(|field| field.key == key);
        let first = found.next();
        if let Some(second) = found.next() {
            return Err(self.error(second.line, LineError::Repeated(key.to_string())));
        }
        first
            .map(|field| read(field.value).map_err(|reason| self.error(field.line, reason)))
            .transpose()
    }

    /// The value of a field that must come once.
    pub(crate) fn required<T>(
        &self,
        key: K,
        name: &'static str,
        read: impl FnOnce(&'t str) -> Result<T, LineError>,
    ) -> Result<T, Error> {
        let missing = Error::MissingField {
            file: self.file,
            line: self.end,
            field: name,
        };
        self.one(key, read)?.ok_or(missing)
    }

    /// The text of a field that may come once; empty if it does not.
    pub(crate) fn text(&self, key: K) -> Result<String, Error> {
        Ok(self
            .one(key, |value| Ok(value.to_owned()))?
            .unwrap_or_default())
    }

    /// The values of a field that may come again and again.
    pub(crate) fn every(&self, key: K) -> impl Iterator<Item = &'t str> {
        self.items
            .iter()
            .filter(move |field| field.key == key)
            .map(|field| field.value)
    }

    /// All words of all lines of a field.
    pub(crate) fn list<T>(&self, key: K) -> Result<Vec<T>, Error>
    where
        T: FromStr,
        LineError: From<T::Err>,
    {
        let mut list = Vec::new();
        for field in self.items.iter().filter(|field| field.key == key) {
            for word in words(field.value) {
                let item = word.parse().map_err(LineError::from);
                list.push(item.map_err(|reason| self.error(field.line, reason))?);
            }
        }
        Ok(list)
    }

    /// The fields whose keys are none of these.
    pub(crate) fn others(&self, known: &[K]) -> impl Iterator<Item = (K, &'t str)> {
        self.items
            .iter()
            .filter(|field| !known.contains(&field.key))
            .map(|field| (field.key, field.value))
    }

    fn error(&self, line: usize, reason: LineError) -> Error {
        Error::Line {
            file: self.file,
            line,
            reason,
        }
    }
}

/// Reads a number strictly: digits, for signed types perhaps after a `-`.
pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, LineError> {
    let is_number = text
        .strip_prefix('-')
        .unwrap_or(text)
        .bytes()
        .all(|b| b.is_ascii_digit());
    let parsed = if is_number { text.parse().ok() } else { None };
    parsed.ok_or_else(|| LineError::Number(cut(text)))
}

/// Reads what reads itself.
pub(crate) fn parsed<T>(text: &str) -> Result<T, LineError>
where
    T: FromStr,
    LineError: From<T::Err>,
{
    Ok(text.parse()?)
}

/// The words of a value, as apk parts them.
pub(crate) fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split([' ', '\t']).filter(|word| !word.is_empty())
}

/// A list as one value.
pub(crate) fn joined<T: Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(T::to_string).collect();
    words.join(" ")
}

/// A text for messages: its first characters, none of which controls a terminal.
pub(crate) fn cut(text: &str) -> String {
    boltworks_model::visible_start(text, 160)
}

/// A path for messages.
pub(crate) fn shown(path: &RelPath) -> String {
    cut(&path.to_string())
}

/// Refuses a value that would not come back as it was, or as another field.
pub(crate) fn check_value(field: &'static str, value: &str) -> Result<(), Error> {
    if has_control(value) {
        return Err(Error::Value {
            field,
            reason: "it holds a line break or a control character",
        });
    }
    Ok(())
}

fn has_control(value: &str) -> bool {
    value
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
}
