//! Opening the file, and what holds once something was written.
//!
//! - Acknowledged means durable: write-ahead log with `synchronous=FULL`, so a commit returns
//!   after the log was synced; `SQLite` syncs the directory when it makes a file.
//! - Every recording method is one transaction.
//! - The log (`-wal`) and its index (`-shm`) stay beside the file when it is closed, because a
//!   reader that may not write to the folder needs them. A long log is emptied then, because
//!   whoever opens the file first reads all of it; a short one is not, because that takes two syncs.
//! - A reader sees each commit at its next question and never waits for a writer.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::{Error, schema};

/// How long one process waits for another's transaction.
const PATIENCE: Duration = Duration::from_secs(20);

/// A log that is longer, in bytes, is emptied at the end: it takes a millisecond to read.
const LONG_LOG: u64 = 2 << 20;

/// So many prepared statements are kept.
const STATEMENTS: usize = 64;

/// An open file of records.
#[derive(Debug)]
pub struct Records {
    connection: Connection,
    path: PathBuf,
    file: Option<(u64, u64)>,
    is_writer: bool,
}

impl Records {
    /// Opens the file for reading and writing; makes it if it is not there, and brings an older
    /// format up to date. Its folder must exist.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = connect(path, flags)?;
        // Looked at before anything is changed: the file may be somebody else's.
        let format = schema::read_format(&connection, path)?;
        let error = |source| schema::opening(path, source);
        let mode = switch_to_wal(&connection).map_err(error)?;
        if mode != "wal" {
            tracing::warn!(mode, "the file system does not allow a write-ahead log");
        }
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(error)?;
        connection
            .pragma_update(None, "foreign_keys", "ON")
            .map_err(error)?;
        if format != schema::known() {
            schema::migrate(&mut connection, path)?;
        }
        Ok(Self {
            connection,
            path: path.to_owned(),
            file: identity(path),
            is_writer: true,
        })
    }

    /// Opens the file for reading: for servers and reports. Never changes it.
    pub fn open_read_only(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = identity(path);
        if file.is_none() && is_missing(path) {
            return Err(Error::Missing {
                path: path.to_owned(),
            });
        }
        let connection = connect(path, flags)?;
        match schema::read_format(&connection, path)? {
            0 => Err(Error::Missing {
                path: path.to_owned(),
            }),
            found if found < schema::known() => Err(Error::Older {
                path: path.to_owned(),
                found,
                known: schema::known(),
            }),
            _ => Ok(Self {
                connection,
                path: path.to_owned(),
                file,
                is_writer: false,
            }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file that was opened still has its name. A long-lived reader asks, because the
    /// whole state may have been removed and made anew.
    pub fn is_current(&self) -> bool {
        self.file.is_some() && identity(&self.path) == self.file
    }

    /// For questions.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// For changes: takes the write lock at once, so that what it reads cannot change beneath it.
    pub(crate) fn transaction(&mut self, action: &'static str) -> Result<Transaction<'_>, Error> {
        Transaction::new(&mut self.connection, TransactionBehavior::Immediate)
            .map_err(Error::sql(action))
    }
}

impl Drop for Records {
    /// Moves a long log into the file as far as no reader needs it, and empties it if none does;
    /// losing this loses nothing, so nobody is waited for.
    fn drop(&mut self) {
        let is_long = || look_at(&log(&self.path)).is_ok_and(|log| log.len() > LONG_LOG);
        if !self.is_writer || !is_long() {
            return;
        }
        let done = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        if let Err(reason) = done {
            tracing::debug!(%reason, "the records' log stays as it is");
        }
    }
}

/// The log of the file at a path.
fn log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Device and inode of a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    look_at(path)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

fn is_missing(path: &Path) -> bool {
    look_at(path).is_err_and(|reason| reason.kind() == io::ErrorKind::NotFound)
}

#[expect(
    clippy::disallowed_methods,
    reason = "SQLite opens its file by an ambient path"
)]
fn look_at(path: &Path) -> io::Result<Metadata> {
    std::fs::metadata(path)
}

/// Two who make the same file at once block each other here without waiting, so the waiting is ours.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<String> {
    let pause = Duration::from_millis(10);
    let mut left = PATIENCE;
    connection.busy_timeout(Duration::ZERO)?;
    let mode = loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        let is_busy = matches!(
            mode.as_ref().map_err(rusqlite::Error::sqlite_error_code),
            Err(Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
        );
        if !is_busy || left.is_zero() {
            break mode;
        }
        std::thread::sleep(pause);
        left = left.saturating_sub(pause);
    };
    connection.busy_timeout(PATIENCE)?;
    mode
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let error = |source| schema::opening(path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(error)?;
    connection.busy_timeout(PATIENCE).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(error)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
        .map_err(error)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)
        .map_err(error)?;
    // Else a statement is prepared anew for every value that it is asked with.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(error)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use boltworks_model::Timestamp;

    use super::*;
    use crate::FailureRecord;

    fn fresh() -> (tempfile::TempDir, Records) {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(&folder.path().join("records.db")).unwrap();
        (folder, records)
    }

    #[test]
    fn a_commit_waits_for_the_disk() {
        let (_folder, records) = fresh();
        let setting = |name| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            records
                .connection
                .query_row(&sql, [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(setting("journal_mode"), "wal");
        assert_eq!(setting("synchronous"), "2");
        assert_eq!(setting("foreign_keys"), "1");
    }

    #[test]
    fn a_short_log_stays_and_a_long_one_is_emptied() {
        let (folder, mut records) = fresh();
        let path = folder.path().join("records.db");
        let length = || look_at(&log(&path)).unwrap().len();
        let failure = |reason: usize| FailureRecord {
            subject: "recipe zlib".into(),
            action: None,
            reason: "x".repeat(reason),
            log: None,
            at: Timestamp(0),
        };
        records.record_failure(&failure(10)).unwrap();
        drop(records);
        assert!((1..LONG_LOG).contains(&length()));
        let mut records = Records::open(&path).unwrap();
        assert_eq!(records.failures_for("recipe zlib").unwrap(), [failure(10)]);
        records.record_failure(&failure(3 << 20)).unwrap();
        drop(records);
        assert_eq!(length(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_that_changes_nothing() {
        let (_folder, mut records) = fresh();
        let pages: i64 = records
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        records
            .connection
            .pragma_update(None, "max_page_count", pages + 2)
            .unwrap();
        let failure = |at| FailureRecord {
            subject: "recipe zlib".into(),
            action: None,
            reason: "x".repeat(1000),
            log: None,
            at: Timestamp(at),
        };
        let mut kept = 0;
        let error = loop {
            match records.record_failure(&failure(kept)) {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "record a failure: the disk is full");
        let there = records.failures_for("recipe zlib").unwrap();
        assert!(kept > 0 && there == (0..kept).map(failure).collect::<Vec<_>>());
        records
            .connection
            .pragma_update(None, "max_page_count", 1000)
            .unwrap();
        records.record_failure(&failure(kept)).unwrap();
    }
}
