//! What running an action gave.
//!
//! Equal actions give equal bytes, so an action has one result: its first good run. A later run
//! that gives other bytes is recorded as a failed run, as a failure and as a failed reproduction
//! of what the first one gave; it never takes its place.

use std::collections::BTreeMap;

use boltworks_model::{
    ActionId, Artifact, Evidence, EvidenceKind, Material, Reasons, Sha256, Timestamp, Verdict,
};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::column::{Digest, Json, artifact, integer};
use crate::{Error, FailureRecord, Records, evidence, failure};

/// The newest good run for a subject.
const LATEST_GOOD: &str =
    "SELECT run FROM actions WHERE subject = ?1 AND ok = 1 ORDER BY run DESC LIMIT 1";

/// So many artifacts are found at most.
const FOUND: usize = 100;

/// The fewest digits of a digest that are looked for.
const DIGITS: usize = 6;

/// One run of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// The action.
    pub id: ActionId,
    /// What it is for: `recipe zlib`, `image web`.
    pub subject: String,
    /// What it gave, in the maker's order.
    pub artifacts: Vec<Artifact>,
    /// Everything that went in, in the maker's order.
    pub materials: Vec<Material>,
    /// What its programs printed.
    pub log: Option<Sha256>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The means by which its limits were enforced, and what they were.
    pub limits: String,
    /// Whether it gave what it should.
    pub ok: bool,
    /// Documents about it by name: `sbom zlib`, `build record`, …
    pub documents: BTreeMap<String, Sha256>,
}

/// What a run gave, without what went into it: all that planning asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// What it gave, in the maker's order.
    pub artifacts: Vec<Artifact>,
    /// Documents about it by name.
    pub documents: BTreeMap<String, Sha256>,
}

/// What became of a run that was to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Recorded {
    /// It is the action's result, or its newest failed run.
    New,
    /// The action has a result already, with the same artifacts; only evidence was added.
    Again,
    /// The action has a result already, with *other* artifacts: this one. It stays, and the new
    /// run was recorded as a failure to reproduce it.
    Differs(Box<ActionRecord>),
}

/// What goes wrong where a run cannot be recorded.
const RECORD: &str = "record an action";

impl Records {
    /// Records a run, and what is known of its artifacts, in one transaction.
    pub fn record_action(
        &mut self,
        record: &ActionRecord,
        statements: &[Evidence],
    ) -> Result<Recorded, Error> {
        let transaction = self.transaction(RECORD)?;
        let recorded = record_one(&transaction, record, statements)?;
        transaction.commit().map_err(Error::sql(RECORD))?;
        Ok(recorded)
    }

    /// The same for many runs, in one transaction: all of them are recorded, or none is.
    pub fn record_actions(
        &mut self,
        runs: &[(&ActionRecord, &[Evidence])],
    ) -> Result<Vec<Recorded>, Error> {
        let transaction = self.transaction(RECORD)?;
        let recorded = runs
            .iter()
            .map(|(record, statements)| record_one(&transaction, record, statements))
            .collect::<Result<_, _>>()?;
        transaction.commit().map_err(Error::sql(RECORD))?;
        Ok(recorded)
    }

    /// An action's result; if it has none, its newest failed run.
    pub fn action(&self, id: &ActionId) -> Result<Option<ActionRecord>, Error> {
        let sql = "SELECT run FROM actions WHERE id = ?1 ORDER BY ok DESC, run DESC LIMIT 1";
        self.run_where(sql, params![Digest(id.0)])
    }

    /// What an action's result is, if it has one.
    pub fn results_of(&self, id: &ActionId) -> Result<Option<Results>, Error> {
        let run = result_run(self.connection(), id)?;
        run.map(|run| load_results(self.connection(), run))
            .transpose()
    }

    /// The newest run for a subject, good or bad.
    pub fn latest_for(&self, subject: &str) -> Result<Option<ActionRecord>, Error> {
        let sql = "SELECT run FROM actions WHERE subject = ?1 ORDER BY run DESC LIMIT 1";
        self.run_where(sql, params![subject])
    }

    /// The newest good run for a subject.
    pub fn latest_good_for(&self, subject: &str) -> Result<Option<ActionRecord>, Error> {
        self.run_where(LATEST_GOOD, params![subject])
    }

    /// What the newest good run for a subject gave.
    pub fn latest_results_for(&self, subject: &str) -> Result<Option<Results>, Error> {
        let runs: Vec<i64> = self.list("read an action", LATEST_GOOD, params![subject], |row| {
            row.get(0)
        })?;
        let run = runs.first();
        run.map(|&run| load_results(self.connection(), run))
            .transpose()
    }

    /// Every run for a subject, oldest first.
    pub fn actions_for(&self, subject: &str) -> Result<Vec<ActionRecord>, Error> {
        let sql = "SELECT run FROM actions WHERE subject = ?1 ORDER BY run";
        let runs: Vec<i64> =
            self.list("read the actions", sql, params![subject], |row| row.get(0))?;
        runs.into_iter()
            .map(|run| load_run(self.connection(), run))
            .collect()
    }

    /// Every subject that has a run, in byte order.
    pub fn subjects(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT DISTINCT subject FROM actions ORDER BY subject";
        self.list("read the actions", sql, [], |row| row.get(0))
    }

    /// The name of every artifact, in byte order.
    pub fn artifact_names(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT DISTINCT name FROM artifacts ORDER BY name";
        self.list("read the artifacts", sql, [], |row| row.get(0))
    }

    /// Artifacts by what a person types: at least six digits of a digest, a name, name and version
    /// (`zlib-1.3.1-r0`, `web:1.4`), a file name, or a coordinate. Newest runs first, at most 100.
    pub fn find_artifact(&self, text: &str) -> Result<Vec<(Artifact, ActionRecord)>, Error> {
        const ACTION: &str = "find an artifact";
        let sql = format!(
            "SELECT run, kind, name, version, architecture, digest, size FROM artifacts
             WHERE name = ?1
                OR name || '-' || version = ?2
                OR name || ':' || version = ?1
                OR kind || '/' || name || '-' || version || '/' || architecture = ?1
                OR (?3 <> '' AND substr(lower(hex(digest)), 1, length(?3)) = ?3)
             ORDER BY run DESC, position LIMIT {FOUND}"
        );
        let file = text.strip_suffix(".apk").unwrap_or(text);
        let digits = text
            .strip_prefix("sha256:")
            .unwrap_or(text)
            .to_ascii_lowercase();
        let is_digest =
            (DIGITS..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = if is_digest { digits } else { String::new() };
        let found: Vec<(i64, Artifact)> =
            self.list(ACTION, &sql, params![text, file, digits], |row| {
                Ok((row.get(0)?, artifact(row, 1)?))
            })?;
        found
            .into_iter()
            .map(|(run, artifact)| Ok((artifact, load_run(self.connection(), run)?)))
            .collect()
    }

    /// The good runs that had these bytes among their materials, oldest first.
    pub fn actions_with_material(&self, digest: &Sha256) -> Result<Vec<ActionRecord>, Error> {
        let sql = "SELECT DISTINCT run FROM materials JOIN actions USING (run)
                   WHERE sha256 = ?1 AND ok = 1 ORDER BY run";
        let runs: Vec<i64> =
            self.list("read the materials", sql, params![Digest(*digest)], |row| {
                row.get(0)
            })?;
        runs.into_iter()
            .map(|run| load_run(self.connection(), run))
            .collect()
    }

    fn run_where(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Option<ActionRecord>, Error> {
        let runs: Vec<i64> = self.list("read an action", sql, parameters, |row| row.get(0))?;
        runs.first()
            .map(|&run| load_run(self.connection(), run))
            .transpose()
    }

    /// Every row of a question, in its order.
    pub(crate) fn list<T>(
        &self,
        action: &'static str,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        list(self.connection(), action, sql, (parameters, read))
    }
}

/// Every row of a question, in its order.
fn list<T, P: rusqlite::Params, F: FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>>(
    connection: &Connection,
    action: &'static str,
    sql: &str,
    (parameters, read): (P, F),
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(Error::sql(action))?;
    let rows = statement
        .query_map(parameters, read)
        .map_err(Error::sql(action))?;
    rows.collect::<rusqlite::Result<_>>()
        .map_err(Error::sql(action))
}

/// The run that is the action's result.
fn result_run(connection: &Connection, id: &ActionId) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT run FROM actions WHERE id = ?1 AND ok = 1")
        .and_then(|mut statement| {
            statement
                .query_row(params![Digest(id.0)], |row| row.get(0))
                .optional()
        })
        .map_err(Error::sql("read an action"))
}

fn load_run(connection: &Connection, run: i64) -> Result<ActionRecord, Error> {
    const ACTION: &str = "read an action";
    let sql = "SELECT id, subject, ok, started, finished, limits, log FROM actions WHERE run = ?1";
    let mut record = connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.query_row([run], |row| {
                Ok(ActionRecord {
                    id: ActionId(row.get::<_, Digest>(0)?.0),
                    subject: row.get(1)?,
                    ok: row.get(2)?,
                    started: Timestamp(row.get(3)?),
                    finished: Timestamp(row.get(4)?),
                    limits: row.get(5)?,
                    log: row.get::<_, Option<Digest>>(6)?.map(|digest| digest.0),
                    artifacts: Vec::new(),
                    materials: Vec::new(),
                    documents: BTreeMap::new(),
                })
            })
        })
        .map_err(Error::sql(ACTION))?;
    let Results {
        artifacts,
        documents,
    } = load_results(connection, run)?;
    record.artifacts = artifacts;
    record.documents = documents;
    let sql = "SELECT material FROM materials WHERE run = ?1 ORDER BY position";
    record.materials = list(
        connection,
        ACTION,
        sql,
        ([run], |row| Ok(row.get::<_, Json<_>>(0)?.0)),
    )?;
    Ok(record)
}

fn load_results(connection: &Connection, run: i64) -> Result<Results, Error> {
    const ACTION: &str = "read what an action gave";
    let sql = "SELECT kind, name, version, architecture, digest, size
               FROM artifacts WHERE run = ?1 ORDER BY position";
    let artifacts = list(connection, ACTION, sql, ([run], |row| artifact(row, 0)))?;
    let sql = "SELECT name, digest FROM documents WHERE run = ?1 ORDER BY name";
    let document = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Digest>(1)?.0));
    let documents = list(connection, ACTION, sql, ([run], document))?;
    Ok(Results {
        artifacts,
        documents: documents.into_iter().collect(),
    })
}

fn record_one(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
    statements: &[Evidence],
) -> Result<Recorded, Error> {
    let first = match result_run(transaction, &record.id)? {
        Some(run) if record.ok => Some(load_run(transaction, run)?),
        _ => None,
    };
    let recorded = match first {
        None => {
            insert_run(transaction, record, record.ok)?;
            Recorded::New
        }
        Some(first) if first.artifacts == record.artifacts => Recorded::Again,
        Some(first) => {
            record_difference(transaction, &first, record)?;
            Recorded::Differs(Box::new(first))
        }
    };
    for statement in statements {
        evidence::insert(transaction, statement)?;
    }
    Ok(recorded)
}

fn insert_run(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
    is_result: bool,
) -> Result<(), Error> {
    let execute = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| {
        transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(Error::sql(RECORD))
    };
    execute(
        "INSERT INTO actions (id, subject, ok, started, finished, limits, log)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            Digest(record.id.0),
            record.subject,
            is_result,
            record.started.0,
            record.finished.0,
            record.limits,
            record.log.map(Digest),
        ],
    )?;
    let run = transaction.last_insert_rowid();
    for (position, artifact) in (0_i64..).zip(&record.artifacts) {
        let coordinate = &artifact.coordinate;
        execute(
            "INSERT INTO artifacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                run,
                position,
                coordinate.kind.word(),
                coordinate.name,
                coordinate.version,
                coordinate.architecture.apk(),
                Digest(artifact.digest),
                integer(artifact.size)?,
            ],
        )?;
    }
    for (position, material) in (0_i64..).zip(&record.materials) {
        execute(
            "INSERT INTO materials VALUES (?1, ?2, ?3, ?4)",
            params![
                run,
                position,
                digest_of(material).map(Digest),
                Json(material)
            ],
        )?;
    }
    for (name, digest) in &record.documents {
        execute(
            "INSERT INTO documents VALUES (?1, ?2, ?3)",
            params![run, name, Digest(*digest)],
        )?;
    }
    Ok(())
}

const fn digest_of(material: &Material) -> Option<Sha256> {
    match material {
        Material::Source { sha256, .. }
        | Material::Package { sha256, .. }
        | Material::Recipe { sha256, .. }
        | Material::Pipeline { sha256, .. }
        | Material::Key { sha256, .. } => Some(*sha256),
        Material::Builder { .. } => None,
    }
}

/// A second run gave other bytes: keeps them as a failed run and says so of the first ones.
fn record_difference(
    transaction: &Transaction<'_>,
    first: &ActionRecord,
    second: &ActionRecord,
) -> Result<(), Error> {
    insert_run(transaction, second, false)?;
    let missing = |artifact: &&Artifact| !second.artifacts.contains(artifact);
    for artifact in first.artifacts.iter().filter(missing) {
        let other = second
            .artifacts
            .iter()
            .find(|other| other.coordinate == artifact.coordinate)
            .map_or_else(
                || "no such artifact".to_owned(),
                |other| other.digest.prefixed(),
            );
        let reason = Reasons::one(format!("a second run of the same action gave {other}"));
        let statement = Evidence {
            subject: artifact.clone(),
            kind: EvidenceKind::Reproduction,
            verdict: Verdict::Fail(reason),
            document: second.log,
            at: second.finished,
        };
        evidence::insert(transaction, &statement)?;
    }
    let failure = FailureRecord {
        subject: second.subject.clone(),
        action: Some(second.id),
        reason: "a second run of the same action gave other bytes".to_owned(),
        log: second.log,
        at: second.finished,
    };
    failure::insert(transaction, &failure)
}
