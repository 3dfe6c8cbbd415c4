//! The format of the file and its history.
//!
//! The format's number stands in `user_version`, the program's mark in `application_id`. A format
//! is brought up to date by a writer, in one transaction; a reader refuses what it does not know.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Error;

/// Each text leads from the format of its index to the next one.
const STEPS: &[&str] = &[include_str!("schema.sql")];

/// `Bolt`: marks the file as ours.
const APPLICATION: i64 = 0x426f_6c74;

/// The format this version writes.
pub(crate) fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// What stands in the file's header.
struct Header {
    application: i64,
    format: i64,
    tables: i64,
}

/// One question, so that the three answers belong to one moment.
fn read_header(connection: &Connection) -> rusqlite::Result<Header> {
    let sql = "SELECT (SELECT application_id FROM pragma_application_id),
                      (SELECT user_version FROM pragma_user_version),
                      (SELECT count(*) FROM sqlite_schema)";
    connection.query_row(sql, [], |row| {
        Ok(Header {
            application: row.get(0)?,
            format: row.get(1)?,
            tables: row.get(2)?,
        })
    })
}

/// The file's format: 0 is an empty file. An error for a foreign or newer one.
pub(crate) fn read_format(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let header = read_header(connection).map_err(|source| opening(path, source))?;
    let is_ours = header.application == APPLICATION && header.format > 0;
    let is_empty = header.application == 0 && header.format == 0 && header.tables == 0;
    if !is_ours && !is_empty {
        return Err(Error::NotOurs {
            path: path.to_owned(),
        });
    }
    if header.format > known() {
        return Err(Error::Newer {
            path: path.to_owned(),
            found: header.format,
            known: known(),
        });
    }
    Ok(header.format)
}

/// Brings the file to the newest format, whole or not at all.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let error = |source| opening(path, source);
    let transaction =
        Transaction::new(connection, TransactionBehavior::Immediate).map_err(error)?;
    let format = read_format(&transaction, path)?;
    for step in STEPS
        .iter()
        .skip(usize::try_from(format).unwrap_or(usize::MAX))
    {
        transaction.execute_batch(step).map_err(error)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION)
        .map_err(error)?;
    transaction
        .pragma_update(None, "user_version", known())
        .map_err(error)?;
    transaction.commit().map_err(error)
}

/// Sorts the reasons why a file cannot be opened.
pub(crate) fn opening(path: &Path, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    match Error::sql("open the records")(source) {
        Error::Sqlite { source, .. }
            if matches!(
                source.sqlite_error_code(),
                Some(CannotOpen | PermissionDenied | ReadOnly)
            ) =>
        {
            Error::Inaccessible {
                path: path.to_owned(),
                source,
            }
        }
        Error::Sqlite { source, .. } => Error::Open {
            path: path.to_owned(),
            source,
        },
        Error::Damaged { source, .. } if is_not_a_database(&*source) => Error::NotOurs {
            path: path.to_owned(),
        },
        error => error,
    }
}

fn is_not_a_database(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    source
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code)
        .is_some_and(|code| code == rusqlite::ErrorCode::NotADatabase)
}
