//! A full disk and one that may not be written: a small file system of its own, in namespaces.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use boltworks_fsx::{Limit, Root};
use boltworks_store::{Error, Store};

const VARIABLE: &str = "BOLTWORKS_TEST_SMALL_DISK";

/// Runs one of this binary's tests with `$BOLTWORKS_TEST_SMALL_DISK` on 2 MiB of its own.
fn on_a_small_disk(test: &str, after_mount: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=2m,mode=755 none \"${VARIABLE}\" && {after_mount} exec \"$0\" \"$@\""
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, folder.path())
        .output()
        .expect("needs unshare: apt-get install util-linux");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("1 passed"), "{text}");
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder.join("blobs/sha256")).unwrap().count()
}

/// Not a test of its own: runs on the small disk.
#[test]
fn full() {
    let Some(folder) = env::var_os(VARIABLE) else {
        return;
    };
    let folder = Path::new(&folder);
    let store = Store::open(&Root::open(folder).unwrap()).unwrap();
    let small = store.put_bytes(b"small").unwrap();
    let large = vec![1; 3 << 20];
    let is_full = |error: Error| {
        assert_eq!(error.to_string(), "write to the store: the disk is full");
        matches!(error, Error::Full(_))
    };
    assert!(is_full(store.put_bytes(&large).unwrap_err()));
    assert!(is_full(store.put(&large[..], Limit::mib(4)).unwrap_err()));
    let mut batch = store.batch();
    batch.put_bytes(&large[..1 << 20]).unwrap();
    assert!(is_full(batch.put_bytes(&large[..=1 << 20]).unwrap_err()));
    drop(batch);
    assert_eq!(names(folder), 1);
    assert!(store.open_blob(&small.digest).is_ok());
    store.put_bytes(&large[..1 << 20]).unwrap();
}

/// Not a test of its own: runs on the small disk.
#[test]
fn unwritable() {
    let Some(folder) = env::var_os(VARIABLE) else {
        return;
    };
    let root = Root::open(Path::new(&folder)).unwrap();
    let error = Store::open(&root).unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert!(Store::open_read_only(&root).is_err());
}

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    on_a_small_disk("disk::full", "");
}

#[test]
fn a_disk_that_may_not_be_written_is_an_error() {
    on_a_small_disk(
        "disk::unwritable",
        &format!("mount -o remount,ro \"${VARIABLE}\" &&"),
    );
}
