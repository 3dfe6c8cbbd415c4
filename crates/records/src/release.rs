//! The moves of channels, and every blob they made public.
//!
//! A channel is moved by compare-and-swap: whoever moves it says where they think it points. The
//! move, the blobs it makes public and the file names it gives them are one transaction, so a
//! reader never sees a release whose parts are not public. What was public stays so.

use boltworks_model::{Artifact, ArtifactKind, ChannelName, Sha256, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::column::{Count, Digest, Word, artifact, integer};
use crate::{Error, Records};

const ACTION: &str = "record a release";

/// What a public blob is for. It is served as nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An OCI image index.
    ImageIndex,
    /// An OCI image manifest.
    Manifest,
    /// An OCI manifest that speaks about another one.
    Referrer,
    /// An image's configuration.
    Config,
    /// A layer of an image.
    Layer,
    /// What a referrer carries: an SBOM.
    Attachment,
    /// A signed apk index.
    ApkIndex,
    /// An apk package.
    Apk,
    /// A public key, as PEM.
    Key,
}

impl Role {
    /// The word that stands in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ImageIndex => "image-index",
            Self::Manifest => "manifest",
            Self::Referrer => "referrer",
            Self::Config => "config",
            Self::Layer => "layer",
            Self::Attachment => "attachment",
            Self::ApkIndex => "apk-index",
            Self::Apk => "apk",
            Self::Key => "key",
        }
    }

    /// Whether the blob is an OCI manifest of any sort.
    pub const fn is_manifest(self) -> bool {
        matches!(self, Self::ImageIndex | Self::Manifest | Self::Referrer)
    }
}

/// A blob that a release makes, or has made, public in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleasedBlob {
    /// The bytes.
    pub digest: Sha256,
    /// How many.
    pub size: u64,
    /// What they are for.
    pub role: Role,
    /// What they are served as.
    pub media_type: String,
    /// The manifest that a [`Role::Referrer`] speaks about.
    pub about: Option<Sha256>,
    /// The file name under which it is served, besides its digest.
    pub name: Option<String>,
}

/// What a channel is to be moved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelease {
    /// What is released; the channel will point at its digest.
    pub artifact: Artifact,
    /// How it was judged, as JSON.
    pub judgement: String,
    /// When.
    pub at: Timestamp,
    /// Everything a client needs to use it, the artifact's own blob included.
    pub blobs: Vec<ReleasedBlob>,
}

/// One move of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// The channel.
    pub channel: ChannelName,
    /// The move's number in its channel, from 1.
    pub sequence: u64,
    /// Where the channel pointed before.
    pub before: Option<Sha256>,
    /// What it points at: the digest of the artifact.
    pub artifact: Artifact,
    /// How it was judged, as JSON.
    pub judgement: String,
    /// When; at least a second after the move before, so that the time tells moves apart even
    /// where a clock went back.
    pub at: Timestamp,
}

/// A blob that is public, and since when it is under the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicBlob {
    /// The blob.
    pub blob: ReleasedBlob,
    /// When the release was made that says so.
    pub since: Timestamp,
}

impl ReleaseRecord {
    /// Where the channel points since.
    pub const fn after(&self) -> Sha256 {
        self.artifact.digest
    }
}

impl Records {
    /// Moves a channel, if it points where the caller thinks it does; else [`Error::Moved`].
    ///
    /// A move to where it points already, that makes nothing new public, is no move: the current
    /// release comes back. So a caller that was interrupted may simply repeat itself.
    pub fn compare_and_swap(
        &mut self,
        channel: &ChannelName,
        before: Option<Sha256>,
        new: &NewRelease,
    ) -> Result<ReleaseRecord, Error> {
        let transaction = self.transaction(ACTION)?;
        let (record, is_new) = swap(&transaction, channel, before, new)?;
        if is_new {
            transaction.commit().map_err(Error::sql(ACTION))?;
        }
        Ok(record)
    }

    /// The same for many channels in one transaction, each for itself: those that point elsewhere stay
    /// where they are. The error is one that moves none.
    pub fn compare_and_swap_all(
        &mut self,
        moves: &[(&ChannelName, Option<Sha256>, &NewRelease)],
    ) -> Result<Vec<Result<ReleaseRecord, Error>>, Error> {
        let mut transaction = self.transaction(ACTION)?;
        let mut all = Vec::with_capacity(moves.len());
        for (channel, before, new) in moves {
            let point = transaction.savepoint().map_err(Error::sql(ACTION))?;
            match swap(&point, channel, *before, new) {
                Ok((record, is_new)) => {
                    if is_new {
                        point.commit().map_err(Error::sql(ACTION))?;
                    }
                    all.push(Ok(record));
                }
                Err(error @ Error::Moved { .. }) => all.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        transaction.commit().map_err(Error::sql(ACTION))?;
        Ok(all)
    }

    /// Where a channel points.
    pub fn current(&self, channel: &ChannelName) -> Result<Option<ReleaseRecord>, Error> {
        current(self.connection(), channel)
    }

    /// The newest release of every channel, in the byte order of their names.
    pub fn channels(&self) -> Result<Vec<ReleaseRecord>, Error> {
        let sql = format!(
            "SELECT {RELEASE} FROM channels AS c JOIN releases AS r USING (release)
             ORDER BY c.channel"
        );
        self.list("read the channels", &sql, [], release)
    }

    /// Every move of a channel, oldest first.
    pub fn history(&self, channel: &ChannelName) -> Result<Vec<ReleaseRecord>, Error> {
        let sql =
            format!("SELECT {RELEASE} FROM releases AS r WHERE channel = ?1 ORDER BY sequence");
        self.list("read the releases", &sql, [channel.as_str()], release)
    }

    /// The repositories with channels for this kind of artifact, in byte order, after a name.
    pub fn repositories(
        &self,
        kind: ArtifactKind,
        after: &str,
        most: u32,
    ) -> Result<Vec<String>, Error> {
        let sql = "SELECT DISTINCT repository FROM channels
                   WHERE kind = ?1 AND repository > ?2 ORDER BY repository LIMIT ?3";
        self.list(
            "read the channels",
            sql,
            params![kind.word(), after, most],
            |row| row.get(0),
        )
    }

    /// The tags of an image repository, in byte order, after a tag.
    pub fn tags(&self, repository: &str, after: &str, most: u32) -> Result<Vec<String>, Error> {
        let sql = "SELECT tag FROM channels
                   WHERE kind = ?1 AND repository = ?2 AND tag > ?3 ORDER BY tag LIMIT ?4";
        let parameters = params![ArtifactKind::Image.word(), repository, after, most];
        self.list("read the channels", sql, parameters, |row| row.get(0))
    }

    /// The roles in which a blob is public in a repository; none if it is not.
    pub fn released(&self, repository: &str, digest: &Sha256) -> Result<Vec<PublicBlob>, Error> {
        let sql = format!(
            "SELECT {BLOB}, NULL, r.at FROM released_blobs AS b JOIN releases AS r USING (release)
             WHERE b.repository = ?1 AND b.digest = ?2 ORDER BY b.role"
        );
        let parameters = params![repository, Digest(*digest)];
        self.list("read the releases", &sql, parameters, public_blob)
    }

    /// What a file name of a repository means now.
    pub fn released_name(&self, repository: &str, name: &str) -> Result<Option<PublicBlob>, Error> {
        let sql = format!(
            "SELECT {BLOB}, n.name, r.at FROM released_names AS n
             JOIN released_blobs AS b USING (repository, digest, role)
             JOIN releases AS r ON r.release = n.release
             WHERE n.repository = ?1 AND n.name = ?2"
        );
        let parameters = params![repository, name];
        let blobs = self.list("read the releases", &sql, parameters, public_blob)?;
        Ok(blobs.into_iter().next())
    }

    /// What the file names of a role mean now, with their repositories, in byte order of names;
    /// where several repositories have a name, the newest meaning comes first.
    pub fn released_names(&self, role: Role) -> Result<Vec<(String, PublicBlob)>, Error> {
        let sql = format!(
            "SELECT {BLOB}, n.name, r.at, n.repository FROM released_names AS n
             JOIN released_blobs AS b USING (repository, digest, role)
             JOIN releases AS r ON r.release = n.release
             WHERE n.role = ?1 ORDER BY n.name, n.release DESC, n.repository"
        );
        let read = |row: &Row<'_>| Ok((row.get(7)?, public_blob(row)?));
        self.list("read the releases", &sql, [role.word()], read)
    }

    /// The manifests that speak about another one, in the order of their digests.
    pub fn referrers(&self, repository: &str, about: &Sha256) -> Result<Vec<ReleasedBlob>, Error> {
        let sql = format!(
            "SELECT {BLOB}, NULL FROM released_blobs AS b
             WHERE b.repository = ?1 AND b.about = ?2 AND b.role = ?3 ORDER BY b.digest"
        );
        let parameters = params![repository, Digest(*about), Role::Referrer.word()];
        self.list("read the releases", &sql, parameters, blob)
    }

    /// Every digest that any release made public, each once, in order.
    pub fn released_digests(&self) -> Result<Vec<Sha256>, Error> {
        let sql = "SELECT DISTINCT digest FROM released_blobs ORDER BY digest";
        self.list("read the releases", sql, [], |row| {
            Ok(row.get::<_, Digest>(0)?.0)
        })
    }
}

/// The columns of [`release`].
const RELEASE: &str = "r.channel, r.sequence, r.before, r.kind, r.name, r.version, \
                       r.architecture, r.digest, r.size, r.judgement, r.at";

fn release(row: &Row<'_>) -> rusqlite::Result<ReleaseRecord> {
    Ok(ReleaseRecord {
        channel: row.get::<_, Word<_>>(0)?.0,
        sequence: row.get::<_, Count>(1)?.0,
        before: row.get::<_, Option<Digest>>(2)?.map(|digest| digest.0),
        artifact: artifact(row, 3)?,
        judgement: row.get(9)?,
        at: Timestamp(row.get(10)?),
    })
}

/// The columns of [`blob`], without the name.
const BLOB: &str = "b.digest, b.size, b.role, b.media_type, b.about";

fn blob(row: &Row<'_>) -> rusqlite::Result<ReleasedBlob> {
    Ok(ReleasedBlob {
        digest: row.get::<_, Digest>(0)?.0,
        size: row.get::<_, Count>(1)?.0,
        role: row.get::<_, Word<_>>(2)?.0,
        media_type: row.get(3)?,
        about: row.get::<_, Option<Digest>>(4)?.map(|digest| digest.0),
        name: row.get(5)?,
    })
}

/// The columns of [`blob`], the name, and the time.
fn public_blob(row: &Row<'_>) -> rusqlite::Result<PublicBlob> {
    Ok(PublicBlob {
        blob: blob(row)?,
        since: Timestamp(row.get(6)?),
    })
}

fn current(connection: &Connection, channel: &ChannelName) -> Result<Option<ReleaseRecord>, Error> {
    let sql = format!(
        "SELECT {RELEASE} FROM channels AS c JOIN releases AS r USING (release)
         WHERE c.channel = ?1"
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([channel.as_str()], release).optional())
        .map_err(Error::sql("read a channel"))
}

/// Moves one channel; whether anything had to be written for it.
fn swap(
    connection: &Connection,
    channel: &ChannelName,
    before: Option<Sha256>,
    new: &NewRelease,
) -> Result<(ReleaseRecord, bool), Error> {
    let current = current(connection, channel)?;
    let found = current.as_ref().map(ReleaseRecord::after);
    if found != before {
        let channel = channel.clone();
        return Err(Error::Moved {
            channel,
            expected: before,
            found,
        });
    }
    let record = ReleaseRecord {
        channel: channel.clone(),
        sequence: current.as_ref().map_or(0, |current| current.sequence) + 1,
        before,
        artifact: new.artifact.clone(),
        judgement: new.judgement.clone(),
        at: current.as_ref().map_or(new.at, |current| {
            new.at.max(Timestamp(current.at.0.saturating_add(1)))
        }),
    };
    let release = insert_release(connection, &record)?;
    let mut changes = 0;
    for blob in &new.blobs {
        changes += insert_blob(connection, channel.repository(), blob, release)?;
    }
    Ok(match current {
        Some(current) if current.artifact == new.artifact && changes == 0 => (current, false),
        _ => (record, true),
    })
}

/// Writes the move, points the channel at it, and returns its number.
fn insert_release(connection: &Connection, record: &ReleaseRecord) -> Result<i64, Error> {
    let coordinate = &record.artifact.coordinate;
    connection
        .execute(
            "INSERT INTO releases (channel, sequence, before, kind, name, version, architecture,
                                   digest, size, judgement, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                record.channel.as_str(),
                integer(record.sequence)?,
                record.before.map(Digest),
                coordinate.kind.word(),
                coordinate.name,
                coordinate.version,
                coordinate.architecture.apk(),
                Digest(record.artifact.digest),
                integer(record.artifact.size)?,
                record.judgement,
                record.at.0,
            ],
        )
        .map_err(Error::sql(ACTION))?;
    let release = connection.last_insert_rowid();
    connection
        .execute(
            "INSERT OR REPLACE INTO channels VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                record.channel.as_str(),
                record.channel.repository(),
                record.channel.tag(),
                coordinate.kind.word(),
                release,
            ],
        )
        .map_err(Error::sql(ACTION))?;
    Ok(release)
}

/// Makes a blob public, and gives it its name; the number of rows that had to be written.
fn insert_blob(
    connection: &Connection,
    repository: &str,
    blob: &ReleasedBlob,
    release: i64,
) -> Result<usize, Error> {
    let execute = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(Error::sql(ACTION))
    };
    let written = execute(
        "INSERT INTO released_blobs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO NOTHING",
        params![
            repository,
            Digest(blob.digest),
            blob.role.word(),
            blob.media_type,
            integer(blob.size)?,
            blob.about.map(Digest),
            release,
        ],
    )?;
    let Some(name) = &blob.name else {
        return Ok(written);
    };
    let renamed = execute(
        "INSERT INTO released_names VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET role = excluded.role, digest = excluded.digest,
                                   release = excluded.release
         WHERE (role, digest) IS NOT (excluded.role, excluded.digest)",
        params![
            repository,
            name,
            blob.role.word(),
            Digest(blob.digest),
            release
        ],
    )?;
    Ok(written + renamed)
}
