PRAGMA application_id = 1114598516;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('stage0','lock');
CREATE TABLE actions (
    run      INTEGER NOT NULL PRIMARY KEY,
    id       BLOB NOT NULL CHECK (length(id) = 32),
    subject  TEXT NOT NULL,
    ok       INTEGER NOT NULL CHECK (ok IN (0, 1)),
    started  INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    limits   TEXT NOT NULL,
    log      BLOB CHECK (length(log) = 32)
) STRICT;
INSERT INTO actions VALUES(1,X'0101010101010101010101010101010101010101010101010101010101010101','recipe zlib',1,10,20,'',NULL);
CREATE TABLE artifacts (
    run          INTEGER NOT NULL REFERENCES actions (run),
    position     INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    architecture TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    size         INTEGER NOT NULL CHECK (size >= 0),
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
INSERT INTO artifacts VALUES(1,0,'apk','zlib','1.4','x86_64',X'0707070707070707070707070707070707070707070707070707070707070707',7);
CREATE TABLE materials (
    run      INTEGER NOT NULL REFERENCES actions (run),
    position INTEGER NOT NULL,
    sha256   BLOB CHECK (length(sha256) = 32),
    material TEXT NOT NULL,
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE documents (
    run    INTEGER NOT NULL REFERENCES actions (run),
    name   TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
INSERT INTO documents VALUES(1,'sbom',X'6363636363636363636363636363636363636363636363636363636363636363');
CREATE TABLE evidence (
    statement    INTEGER NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    architecture TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    size         INTEGER NOT NULL CHECK (size >= 0),
    judged       TEXT NOT NULL,
    verdict      TEXT NOT NULL,
    document     BLOB CHECK (length(document) = 32),
    at           INTEGER NOT NULL
) STRICT;
INSERT INTO evidence VALUES(1,'apk','zlib','1.4','x86_64',X'0707070707070707070707070707070707070707070707070707070707070707',7,'sbom','"pass"',X'6363636363636363636363636363636363636363636363636363636363636363',20);
CREATE TABLE failures (
    failure INTEGER NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    action  BLOB CHECK (length(action) = 32),
    reason  TEXT NOT NULL,
    log     BLOB CHECK (length(log) = 32),
    at      INTEGER NOT NULL
) STRICT;
INSERT INTO failures VALUES(1,'recipe x',NULL,'no',NULL,1);
CREATE TABLE releases (
    release      INTEGER NOT NULL PRIMARY KEY,
    channel      TEXT NOT NULL,
    sequence     INTEGER NOT NULL CHECK (sequence > 0),
    before       BLOB CHECK (length(before) = 32),
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    architecture TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    size         INTEGER NOT NULL CHECK (size >= 0),
    judgement    TEXT NOT NULL,
    at           INTEGER NOT NULL,
    UNIQUE (channel, sequence)
) STRICT;
INSERT INTO releases VALUES(1,'web:1.4',1,NULL,'image','web','1.4','x86_64',X'0303030303030303030303030303030303030303030303030303030303030303',3,'{}',30);
CREATE TABLE channels (
    channel    TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    tag        TEXT,
    kind       TEXT NOT NULL,
    release    INTEGER NOT NULL REFERENCES releases (release)
) STRICT, WITHOUT ROWID;
INSERT INTO channels VALUES('web:1.4','web','1.4','image',1);
CREATE TABLE released_blobs (
    repository TEXT NOT NULL,
    digest     BLOB NOT NULL CHECK (length(digest) = 32),
    role       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    about      BLOB CHECK (length(about) = 32),
    release    INTEGER NOT NULL REFERENCES releases (release),
    PRIMARY KEY (repository, digest, role)
) STRICT, WITHOUT ROWID;
INSERT INTO released_blobs VALUES('web',X'0303030303030303030303030303030303030303030303030303030303030303','manifest','application/vnd.oci.image.manifest.v1+json',3,NULL,1);
CREATE TABLE released_names (
    repository TEXT NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    digest     BLOB NOT NULL CHECK (length(digest) = 32),
    release    INTEGER NOT NULL REFERENCES releases (release),
    PRIMARY KEY (repository, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX actions_result ON actions (id) WHERE ok = 1;
CREATE INDEX actions_by_id ON actions (id, run);
CREATE INDEX actions_by_subject ON actions (subject, run);
CREATE INDEX artifacts_by_digest ON artifacts (digest);
CREATE INDEX artifacts_by_name ON artifacts (name);
CREATE INDEX materials_by_digest ON materials (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX evidence_by_digest ON evidence (digest, statement);
CREATE INDEX failures_by_subject ON failures (subject, failure);
CREATE INDEX channels_by_repository ON channels (kind, repository, tag);
CREATE INDEX released_blobs_by_about ON released_blobs (repository, about) WHERE about IS NOT NULL;
COMMIT;
