//! What could not be made: published as such, because failures are evidence too.

use boltworks_model::{ActionId, Sha256, Timestamp};
use rusqlite::{Row, Transaction, params};

use crate::column::Digest;
use crate::{Error, Records};

const ACTION: &str = "record a failure";

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRecord {
    /// What it was for: `recipe zlib`, `image web`.
    pub subject: String,
    /// The action, if it came so far.
    pub action: Option<ActionId>,
    /// Why, in a few lines.
    pub reason: String,
    /// What its programs printed.
    pub log: Option<Sha256>,
    /// When.
    pub at: Timestamp,
}

impl Records {
    /// Records a failure, in one transaction.
    pub fn record_failure(&mut self, failure: &FailureRecord) -> Result<(), Error> {
        let transaction = self.transaction(ACTION)?;
        insert(&transaction, failure)?;
        transaction.commit().map_err(Error::sql(ACTION))
    }

    /// The newest failure of every subject that has no good run since, in byte order of subjects.
    pub fn unresolved_failures(&self) -> Result<Vec<FailureRecord>, Error> {
        let sql = "SELECT subject, action, reason, log, at FROM failures AS f
                   WHERE failure = (SELECT max(failure) FROM failures WHERE subject = f.subject)
                     AND NOT EXISTS (SELECT 1 FROM actions
                                     WHERE subject = f.subject AND ok = 1 AND finished > f.at)
                   ORDER BY subject";
        self.list("read the failures", sql, [], failure)
    }

    /// Every failure of a subject, oldest first.
    pub fn failures_for(&self, subject: &str) -> Result<Vec<FailureRecord>, Error> {
        let sql = "SELECT subject, action, reason, log, at
                   FROM failures WHERE subject = ?1 ORDER BY failure";
        self.list("read the failures", sql, params![subject], failure)
    }
}

fn failure(row: &Row<'_>) -> rusqlite::Result<FailureRecord> {
    let action = row.get::<_, Option<Digest>>(1)?;
    Ok(FailureRecord {
        subject: row.get(0)?,
        action: action.map(|digest| ActionId(digest.0)),
        reason: row.get(2)?,
        log: row.get::<_, Option<Digest>>(3)?.map(|digest| digest.0),
        at: Timestamp(row.get(4)?),
    })
}

pub(crate) fn insert(transaction: &Transaction<'_>, failure: &FailureRecord) -> Result<(), Error> {
    let sql = "INSERT INTO failures (subject, action, reason, log, at)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    transaction
        .prepare_cached(sql)
        .and_then(|mut prepared| {
            prepared.execute(params![
                failure.subject,
                failure.action.map(|action| Digest(action.0)),
                failure.reason,
                failure.log.map(Digest),
                failure.at.0,
            ])
        })
        .map(|_| ())
        .map_err(Error::sql(ACTION))
}
