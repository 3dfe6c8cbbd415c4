//! Blobs in, blobs out, and damage between.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::{Arc, Barrier};

use boltworks_crypto::{sha256, sha512};
use boltworks_fsx::{Content, Expected, Limit};
use boltworks_model::Cancelled;
use boltworks_store::{Bad, Error, Stored};
use proptest::prelude::*;

use crate::{file_of, fresh, names, reopened};

const MIB: Limit = Limit::mib(1);

fn content(mut reader: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_goes_in_comes_out() {
    let (folder, store) = fresh();
    proptest!(ProptestConfig::with_cases(64), |(bytes: Vec<u8>)| {
        let stored = store.put(&*bytes, MIB).unwrap();
        prop_assert_eq!(stored, Stored { digest: sha256(&bytes), size: bytes.len() as u64 });
        prop_assert_eq!(store.put_bytes(&bytes).unwrap(), stored);
        for store in [&store, &reopened(&folder)] {
            let blob = store.open_blob(&stored.digest).unwrap();
            prop_assert_eq!((blob.digest(), blob.size()), (stored.digest, stored.size));
            prop_assert_eq!(content(blob.reader()), bytes.clone());
            prop_assert_eq!(content(blob.reader()), bytes.clone());
            let read = store.read_bytes(&stored.digest, MIB).unwrap();
            prop_assert_eq!(read.get(), &bytes);
            prop_assert!(store.has(&stored.digest).unwrap());
        }
    });
    let listed: Vec<_> = store
        .list()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(listed, names(&folder));
    let report = store.verify(&mut |_, _| Ok(())).unwrap();
    assert!(report.is_good() && report.stray.is_empty());
    assert_eq!(report.checked, listed.len() as u64);
}

/// Few bytes and many, from memory, from a part of a file, and where the file ends too early.
#[test]
fn what_lies_elsewhere_is_added() {
    let (folder, store) = fresh();
    let byte = |at: u32| (at.wrapping_mul(at) >> 24).to_le_bytes()[0];
    let bytes: Vec<u8> = (0..9_000_000).map(byte).collect();
    fs::write(folder.path().join("elsewhere"), &bytes).unwrap();
    let file = Arc::new(fs::File::open(folder.path().join("elsewhere")).unwrap());
    let part = |offset, len| Content::Span {
        file: Arc::clone(&file),
        offset,
        len,
    };
    let mut draft = store.begin().unwrap();
    draft.write_all(b"head").unwrap();
    for content in [
        Content::Bytes(b"bytes".to_vec().into()),
        part(7, 100),
        part(0, 9_000_000),
        part(8_999_999, 1),
    ] {
        draft.append(&content).unwrap();
    }
    let whole = [b"headbytes", &bytes[7..107], &bytes, &bytes[8_999_999..]].concat();
    let stored = draft.commit().unwrap();
    let size = whole.len() as u64;
    assert_eq!(
        stored,
        Stored {
            digest: sha256(&whole),
            size
        }
    );
    assert!(content(store.open_blob(&stored.digest).unwrap().reader()) == whole);
    for short in [part(8_999_990, 20), part(100, 9_000_000)] {
        assert!(store.begin().unwrap().append(&short).is_err());
    }
}

#[test]
fn a_blob_is_for_reading() {
    let (folder, store) = fresh();
    let stored = store.put_bytes(b"x").unwrap();
    let mode = fs::metadata(file_of(&folder, &stored.digest))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o444);
}

#[test]
fn what_is_not_there_is_an_error() {
    let (_folder, store) = fresh();
    let digest = sha256(b"x");
    assert!(!store.has(&digest).unwrap());
    assert!(matches!(
        store.open_blob(&digest),
        Err(Error::Missing { .. })
    ));
    assert!(matches!(
        store.read_bytes(&digest, MIB),
        Err(Error::Missing { .. })
    ));
}

#[test]
fn what_fails_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line is dead"))
        }
    }
    let (folder, store) = fresh();
    let half = || (&b"half"[..]).chain(Broken);
    assert!(matches!(store.put(half(), MIB), Err(Error::Input(_))));
    assert!(matches!(
        store.put(&b"four"[..], Limit(3)),
        Err(Error::Input(_))
    ));
    let expected = Expected::from(sha256(b"half"));
    assert!(matches!(
        store.put_expected(half(), &expected, MIB),
        Err(Error::Input(_))
    ));
    let other = store.put_expected(&b"other"[..], &expected, MIB);
    assert!(matches!(other, Err(Error::Mismatch(_))));
    let mut draft = store.begin().unwrap();
    draft.write_all(b"dropped").unwrap();
    drop(draft);
    let mut batch = store.batch();
    batch.put_bytes(b"dropped too").unwrap();
    drop(batch);
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn what_was_expected_is_stored_under_its_sha256() {
    let (_folder, store) = fresh();
    let expected = Expected::from(sha512(b"source"));
    let stored = store
        .put_expected(&b"source"[..], &expected, Limit(6))
        .unwrap();
    assert_eq!(
        stored.get(),
        &Stored {
            digest: sha256(b"source"),
            size: 6
        }
    );
    assert_eq!(
        store.read_bytes(&sha256(b"source"), MIB).unwrap().get(),
        b"source"
    );
}

#[test]
fn a_draft_that_is_something_else_is_not_stored() {
    let (folder, store) = fresh();
    let mut draft = store.begin().unwrap();
    draft.write_all(b"other").unwrap();
    let error = draft.commit_as(&sha256(b"this")).unwrap_err();
    assert!(matches!(error, Error::Mismatch(_)), "{error}");
    assert!(names(&folder).is_empty());
    let mut draft = store.begin().unwrap();
    draft.write_all(b"this").unwrap();
    let stored = draft.commit_as(&sha256(b"this")).unwrap();
    assert!(store.has(&stored.digest).unwrap());
}

#[test]
fn damage_is_noticed_even_by_the_process_that_wrote_the_blob() {
    let (folder, store) = fresh();
    let digest = store.put_bytes(b"good").unwrap().digest;
    let file = file_of(&folder, &digest);
    store.open_blob(&digest).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, b"evil").unwrap();
    let damaged = |error| matches!(error, Error::Damaged { found, .. } if found == sha256(b"evil"));
    for store in [&store, &reopened(&folder)] {
        assert!(damaged(store.open_blob(&digest).unwrap_err()));
        assert!(damaged(store.read_bytes(&digest, MIB).unwrap_err()));
    }
    fs::write(folder.path().join("blobs/sha256/notes.txt"), b"").unwrap();
    let report = store.verify(&mut |_, _| Ok(())).unwrap();
    let problem = format!("its bytes have the digest {}", sha256(b"evil").prefixed());
    assert_eq!(report.bad, [Bad { digest, problem }]);
    assert_eq!(report.stray, ["notes.txt"]);
    store.put_bytes(b"good").unwrap();
    assert!(store.open_blob(&digest).is_ok());
    assert!(store.verify(&mut |_, _| Ok(())).unwrap().is_good());
}

#[test]
fn what_is_damaged_can_be_set_aside() {
    let (folder, store) = fresh();
    let good = store.put_bytes(b"good").unwrap().digest;
    let bad = store.put_bytes(b"fine").unwrap().digest;
    let file = file_of(&folder, &bad);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, b"evil!").unwrap();
    let usage = store.usage().unwrap();
    assert_eq!((usage.blobs, usage.bytes), (2, 9));
    assert!(!store.set_aside(&good).unwrap());
    assert!(store.set_aside(&bad).unwrap());
    let aside = folder.path().join("damaged").join(bad.to_string());
    assert_eq!(fs::read(aside).unwrap(), b"evil!");
    assert!(store.has(&good).unwrap() && !store.has(&bad).unwrap());
    assert!(store.verify(&mut |_, _| Ok(())).unwrap().is_good());
    assert!(store.set_aside(&bad).is_err());
    store.put_bytes(b"fine").unwrap();
    assert!(store.open_blob(&bad).is_ok());
}

#[test]
fn a_link_is_no_blob() {
    let (folder, store) = fresh();
    let secret = folder.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    let digest = sha256(b"secret");
    std::os::unix::fs::symlink(&secret, file_of(&folder, &digest)).unwrap();
    assert!(!store.has(&digest).unwrap());
    assert!(store.open_blob(&digest).is_err());
    assert_eq!(store.verify(&mut |_, _| Ok(())).unwrap().stray.len(), 1);
}

#[test]
fn too_much_is_not_read() {
    let (_folder, store) = fresh();
    let digest = store.put_bytes(b"four").unwrap().digest;
    assert!(store.read_bytes(&digest, Limit(4)).is_ok());
    assert!(matches!(
        store.read_bytes(&digest, Limit(3)),
        Err(Error::TooLarge { size: 4, .. })
    ));
}

#[test]
fn a_batch_stores_each_blob_once() {
    let (folder, store) = fresh();
    let already = store.put_bytes(b"already").unwrap();
    let inode = || {
        fs::metadata(file_of(&folder, &already.digest))
            .unwrap()
            .ino()
    };
    let before = inode();
    let mut batch = store.batch();
    let mut expected = Vec::new();
    for number in 0..50_u32 {
        let bytes = number.to_le_bytes();
        expected.push(Stored {
            digest: batch.put(&bytes[..], MIB).unwrap(),
            size: 4,
        });
        batch.put_bytes(&bytes).unwrap();
    }
    batch.put_bytes(b"already").unwrap();
    expected.push(already);
    assert_eq!(
        names(&folder)
            .iter()
            .filter(|name| name.len() == 64)
            .count(),
        1
    );
    assert_eq!(batch.commit().unwrap(), expected);
    assert_eq!(names(&folder).len(), 51);
    assert_eq!(inode(), before);
    assert!(store.batch().commit().unwrap().is_empty());
}

#[test]
fn many_may_put_the_same_blob_at_once() {
    let (folder, store) = fresh();
    let bytes = vec![7; 300_000];
    let start = Barrier::new(8);
    let other = reopened(&folder);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let store = if number % 2 == 0 { &store } else { &other };
            let (start, bytes) = (&start, &bytes);
            scope.spawn(move || {
                start.wait();
                for _ in 0..5 {
                    let digest = store.put_bytes(bytes).unwrap().digest;
                    assert_eq!(store.open_blob(&digest).unwrap().size(), 300_000);
                }
            });
        }
    });
    assert_eq!(names(&folder), [sha256(&bytes).to_string()]);
}

#[test]
fn a_check_can_be_stopped() {
    let (_folder, store) = fresh();
    store.put_bytes(b"one").unwrap();
    store.put_bytes(b"two").unwrap();
    let mut seen = 0;
    let stopped = store.verify(&mut |_, size| {
        seen += size;
        Err(Cancelled)
    });
    assert!(matches!(stopped, Err(Error::Cancelled(_))));
    assert_eq!(seen, 3);
}

#[test]
fn the_beginning_may_come_last() {
    const MIB_OF_BYTES: usize = 1 << 20;
    let (folder, store) = fresh();
    let bytes: Vec<u8> = (0..MIB_OF_BYTES * 11 + 7)
        .map(|n| ((n * n) >> 7).to_le_bytes()[0])
        .collect();
    // In memory and in a file; shorter than the room in front, as long, and longer.
    for len in [0, 1, MIB_OF_BYTES * 8, MIB_OF_BYTES * 8 + 1, bytes.len()] {
        for begin in [0, 3, MIB_OF_BYTES - 1, MIB_OF_BYTES, MIB_OF_BYTES + 1] {
            let (head, rest) = (&bytes[..begin], &bytes[..len]);
            let mut late = store.begin_late();
            for part in rest.chunks(70_001) {
                late.write_all(part).unwrap();
            }
            late.flush().unwrap();
            let mut blob = late.begin_with(head).unwrap();
            blob.write_all(b"end").unwrap();
            let whole = [head, rest, b"end"].concat();
            let stored = blob.commit().unwrap();
            let size = whole.len() as u64;
            assert_eq!(
                stored,
                Stored {
                    digest: sha256(&whole),
                    size
                },
                "{begin} {len}"
            );
            let read = reopened(&folder).read_bytes(&stored.digest, Limit::mib(16));
            assert!(*read.unwrap().get() == whole, "{begin} {len}");
        }
    }
    drop(store.begin_late().write_all(&bytes));
    assert!(names(&folder).iter().all(|name| !name.starts_with(".tmp")));
}
