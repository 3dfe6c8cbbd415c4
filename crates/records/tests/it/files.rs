//! Files that are missing, foreign, newer, older, damaged, or on a full disk.
#![expect(clippy::disallowed_methods, reason = "these tests damage files")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Barrier;

use boltworks_model::{ActionId, ChannelName};
use boltworks_records::{Error, Records};

use crate::{digest, fresh, run};

#[test]
fn a_reader_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    assert!(matches!(
        Records::open_read_only(&path),
        Err(Error::Missing { .. })
    ));
    assert!(!path.exists());
    fs::write(&path, b"").unwrap();
    assert!(matches!(
        Records::open_read_only(&path),
        Err(Error::Missing { .. })
    ));
    let nowhere = folder.path().join("no/records.db");
    assert!(matches!(
        Records::open(&nowhere),
        Err(Error::Inaccessible { .. })
    ));
}

#[test]
fn somebody_elses_file_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(
        &text,
        "not a database, but long enough to be one ".repeat(100),
    )
    .unwrap();
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();
    for path in [text, other] {
        let before = fs::read(&path).unwrap();
        assert!(
            matches!(Records::open(&path), Err(Error::NotOurs { .. })),
            "{path:?}"
        );
        assert!(matches!(
            Records::open_read_only(&path),
            Err(Error::NotOurs { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn an_old_reader_refuses_a_newer_format_and_says_so() {
    let (folder, records) = fresh();
    drop(records);
    let path = folder.path().join("records.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    for result in [Records::open(&path), Records::open_read_only(&path)] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains("format 99 is newer than"), "{message}");
    }
}

/// `format-1.sql` was dumped from a file that format 1 wrote; it is never edited.
#[test]
fn format_1_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let dump = include_str!("format-1.sql");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(dump)
        .unwrap();
    let records = Records::open(&path).unwrap();
    assert_eq!(
        records.latest_for("recipe zlib").unwrap(),
        Some(run(1, "zlib", 7))
    );
    let web: ChannelName = "web:1.4".parse().unwrap();
    assert_eq!(records.current(&web).unwrap().unwrap().after(), digest(3));
    assert_eq!(records.released("web", &digest(3)).unwrap().len(), 1);
    drop(records);
    assert!(Records::open_read_only(&path).is_ok());
}

#[test]
fn a_reader_sees_what_a_writer_commits_and_cannot_write() {
    let (folder, mut records) = fresh();
    let path = folder.path().join("records.db");
    let mut reader = Records::open_read_only(&path).unwrap();
    assert_eq!(reader.subjects().unwrap(), [] as [&str; 0]);
    let _new = records.record_action(&run(1, "zlib", 7), &[]).unwrap();
    assert_eq!(reader.subjects().unwrap(), ["recipe zlib"]);
    assert!(reader.set_meta("a", "b").is_err());
    drop(records);
    assert_eq!(
        Records::open_read_only(&path).unwrap().subjects().unwrap(),
        ["recipe zlib"]
    );
}

#[test]
fn a_reader_notices_that_its_file_was_replaced() {
    let (folder, records) = fresh();
    let path = folder.path().join("records.db");
    let reader = Records::open_read_only(&path).unwrap();
    assert!(reader.is_current());
    drop(records);
    for name in ["records.db", "records.db-wal", "records.db-shm"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert!(!reader.is_current());
    let _made_anew = Records::open(&path).unwrap();
    assert!(!reader.is_current());
}

#[test]
fn many_may_open_a_fresh_file_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for byte in 0..8 {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut records = Records::open(path).unwrap();
                    records
                        .record_action(&run(byte, "zlib", byte), &[])
                        .unwrap()
                });
            }
        });
        let records = Records::open(&path).unwrap();
        assert_eq!(records.actions_for("recipe zlib").unwrap().len(), 8);
    }
}

#[test]
fn damage_is_an_error() {
    let (folder, mut records) = fresh();
    for id in 0..200 {
        let mut record = run(id, "zlib", id);
        record.limits = "x".repeat(3000);
        let _new = records.record_action(&record, &[]).unwrap();
    }
    let path = folder.path().join("records.db");
    drop(records);
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in (1..length / 4096).step_by(3) {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xff; 64]).unwrap();
    }
    drop(file);
    let failed = Records::open(&path).and_then(|records| records.actions_for("recipe zlib"));
    assert!(matches!(failed, Err(Error::Damaged { .. })), "{failed:?}");
}

#[test]
fn a_half_written_row_is_an_error() {
    let (folder, mut records) = fresh();
    let _new = records.record_action(&run(1, "zlib", 7), &[]).unwrap();
    let path = folder.path().join("records.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("UPDATE artifacts SET kind = 'spoon'")
        .unwrap();
    let failed = records.action(&ActionId(digest(1)));
    assert!(matches!(failed, Err(Error::Damaged { .. })), "{failed:?}");
}
