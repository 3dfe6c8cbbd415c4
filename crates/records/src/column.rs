//! How our types stand in columns: digests as 32-byte blobs, identities and words as text,
//! structured values as JSON, numbers as signed integers that are never negative.

use boltworks_model::{Artifact, Coordinate, Sha256};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A digest as a blob.
pub(crate) struct Digest(pub(crate) Sha256);

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        <[u8; 32]>::try_from(bytes)
            .map(|bytes| Self(Sha256::new(bytes)))
            .map_err(|_| FromSqlError::InvalidBlobSize {
                expected_size: 32,
                blob_size: bytes.len(),
            })
    }
}

/// An identity or one of a fixed set of words, as text.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: for<'a> Deserialize<'a>> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text: StrDeserializer<'_, serde::de::value::Error> =
            value.as_str()?.into_deserializer();
        T::deserialize(text).map(Self).map_err(FromSqlError::other)
    }
}

/// A structured value, as JSON text.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> ToSql for Json<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(self.0)
            .map(ToSqlOutput::from)
            .map_err(|reason| rusqlite::Error::ToSqlConversionFailure(Box::new(reason)))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// A number that is never negative.
pub(crate) struct Count(pub(crate) u64);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// A number as `SQLite` keeps it.
pub(crate) fn integer(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::TooLarge(number))
}

/// An artifact from the columns kind, name, version, architecture, digest, size, beginning at
/// `first`.
pub(crate) fn artifact(row: &Row<'_>, first: usize) -> rusqlite::Result<Artifact> {
    Ok(Artifact {
        coordinate: Coordinate {
            kind: row.get::<_, Word<_>>(first)?.0,
            name: row.get(first + 1)?,
            version: row.get(first + 2)?,
            architecture: row.get::<_, Word<_>>(first + 3)?.0,
        },
        digest: row.get::<_, Digest>(first + 4)?.0,
        size: row.get::<_, Count>(first + 5)?.0,
    })
}
