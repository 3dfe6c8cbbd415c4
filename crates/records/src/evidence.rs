//! What is known of artifacts. Statements are only ever added.

use boltworks_model::{Evidence, Sha256, Timestamp};
use rusqlite::{Transaction, params};

use crate::column::{Digest, Json, Word, artifact, integer};
use crate::{Error, Records};

const ACTION: &str = "record evidence";

impl Records {
    /// Records statements, in one transaction. One that stands there already, to the second, is
    /// not repeated.
    pub fn record_evidence(&mut self, statements: &[Evidence]) -> Result<(), Error> {
        let transaction = self.transaction(ACTION)?;
        for statement in statements {
            insert(&transaction, statement)?;
        }
        transaction.commit().map_err(Error::sql(ACTION))
    }

    /// Every statement about an artifact with this digest, in the order they were recorded.
    pub fn evidence_for(&self, digest: &Sha256) -> Result<Vec<Evidence>, Error> {
        let sql = "SELECT kind, name, version, architecture, digest, size,
                          judged, verdict, document, at
                   FROM evidence WHERE digest = ?1 ORDER BY statement";
        self.list("read the evidence", sql, params![Digest(*digest)], |row| {
            Ok(Evidence {
                subject: artifact(row, 0)?,
                kind: row.get::<_, Word<_>>(6)?.0,
                verdict: row.get::<_, Json<_>>(7)?.0,
                document: row.get::<_, Option<Digest>>(8)?.map(|digest| digest.0),
                at: Timestamp(row.get(9)?),
            })
        })
    }
}

pub(crate) fn insert(transaction: &Transaction<'_>, statement: &Evidence) -> Result<(), Error> {
    let Evidence {
        subject,
        kind,
        verdict,
        document,
        at,
    } = statement;
    let coordinate = &subject.coordinate;
    let sql = "INSERT INTO evidence
                   (kind, name, version, architecture, digest, size, judged, verdict, document, at)
               SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
               WHERE NOT EXISTS (
                   SELECT 1 FROM evidence
                   WHERE digest = ?5 AND kind = ?1 AND name = ?2 AND version = ?3
                     AND architecture = ?4 AND size = ?6 AND judged = ?7 AND verdict = ?8
                     AND document IS ?9 AND at = ?10)";
    let size = integer(subject.size)?;
    transaction
        .prepare_cached(sql)
        .and_then(|mut prepared| {
            prepared.execute(params![
                coordinate.kind.word(),
                coordinate.name,
                coordinate.version,
                coordinate.architecture.apk(),
                Digest(subject.digest),
                size,
                kind.word(),
                Json(verdict),
                document.map(Digest),
                at.0,
            ])
        })
        .map(|_| ())
        .map_err(Error::sql(ACTION))
}
