//! Directories, drafts, locks.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use boltworks_fsx::{Batch, Error, FileKind, Limit, RelPath, Root};

use crate::{Folder, folder, path};

const LIMIT: Limit = Limit::kib(4);

fn names(folder: &Folder) -> Vec<String> {
    let name = |entry: boltworks_fsx::DirEntry| String::from_utf8(entry.name).unwrap();
    folder.root.list().unwrap().into_iter().map(name).collect()
}

#[track_caller]
fn fails<T>(result: Result<T, Error>, kind: ErrorKind) -> String {
    let error = result.err().unwrap();
    assert_eq!(error.io_kind(), Some(kind), "{error:?}");
    format!("{error}: {}", std::error::Error::source(&error).unwrap())
}

#[track_caller]
fn in_the_way<T>(result: Result<T, Error>) {
    let text = fails(result, ErrorKind::InvalidInput);
    assert!(text.contains("a symbolic link is in the way"), "{text}");
}

#[test]
fn no_link_is_followed_out_or_within() {
    let outside = folder();
    fs::write(outside.disk.path().join("secret"), "s").unwrap();
    let inside = folder();
    let base = inside.disk.path();
    symlink(outside.disk.path(), base.join("out")).unwrap();
    fs::create_dir(base.join("real")).unwrap();
    fs::write(base.join("real/file"), "f").unwrap();
    symlink("real", base.join("within")).unwrap();
    symlink("real/file", base.join("link")).unwrap();
    let root = &inside.root;
    for name in ["out/secret", "within/file", "link"] {
        in_the_way(root.read_vec(&path(name), LIMIT));
    }
    for name in ["out/new", "within/new"] {
        in_the_way(root.write(&path(name), b"x", 0o644));
        in_the_way(root.symlink(b"x", &path(name)));
        in_the_way(root.lock(&path(name), || ()));
        in_the_way(root.stat(&path(name)));
        in_the_way(root.hard_link(&path("real/file"), root, &path(name)));
        in_the_way(root.rename(&path("real/file"), root, &path(name)));
    }
    in_the_way(root.make_dir(&path("out/new")));
    in_the_way(root.remove_file(&path("out/secret")));
    in_the_way(root.remove_tree(&path("out/secret")));
    in_the_way(root.set_mode(&path("link"), 0o600));
    in_the_way(root.make_dir(&path("out")));
    assert_eq!(names(&outside), ["secret"]);
    assert_eq!(
        root.stat(&path("link")).unwrap().unwrap().kind,
        FileKind::Symlink
    );
    assert_eq!(root.read_link(&path("link")).unwrap(), b"real/file");
}

#[test]
fn inside_a_guest_links_lead_as_they_would_there() {
    let guest = folder();
    let base = guest.disk.path();
    fs::create_dir_all(base.join("usr/lib")).unwrap();
    fs::create_dir_all(base.join("etc")).unwrap();
    fs::write(base.join("usr/lib/libc.so"), "guest").unwrap();
    fs::write(base.join("etc/passwd"), "guest passwd").unwrap();
    symlink("usr/lib", base.join("lib")).unwrap();
    symlink("/lib/libc.so", base.join("ld.so")).unwrap();
    symlink("../../../../../../etc/passwd", base.join("up")).unwrap();
    symlink("nowhere", base.join("dangling")).unwrap();
    let read = |name: &[u8]| {
        let mut text = String::new();
        guest
            .root
            .open_in_root(name)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    };
    assert_eq!(read(b"/ld.so"), "guest");
    assert_eq!(read(b"ld.so"), "guest");
    assert_eq!(read(b"/up"), "guest passwd");
    assert_eq!(read(b"/../../etc/passwd"), "guest passwd");
    assert_eq!(guest.root.stat_in_root(b"/dangling").unwrap(), None);
    assert_eq!(
        guest.root.stat_in_root(b"/lib").unwrap().unwrap().kind,
        FileKind::Dir
    );
    fails(guest.root.open_in_root(b"/dangling"), ErrorKind::NotFound);
}

#[test]
fn only_regular_files_are_opened_and_a_pipe_does_not_block() {
    let folder = folder();
    let pipe = folder.disk.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    fs::create_dir(folder.disk.path().join("dir")).unwrap();
    fails(
        folder.root.open_file(&path("pipe")),
        ErrorKind::InvalidInput,
    );
    fails(folder.root.open_in_root(b"/pipe"), ErrorKind::InvalidInput);
    fails(folder.root.open_file(&path("dir")), ErrorKind::IsADirectory);
    fails(
        folder.root.lock(&path("dir"), || ()),
        ErrorKind::IsADirectory,
    );
    assert!(fails(folder.root.open_file(&path("gone")), ErrorKind::NotFound).contains("/gone'"));
}

#[test]
fn what_is_too_long_or_not_text_is_an_error() {
    let folder = folder();
    folder.root.write(&path("file"), b"12345", 0o644).unwrap();
    assert_eq!(
        folder.root.read_vec(&path("file"), Limit(5)).unwrap(),
        b"12345"
    );
    fails(
        folder.root.read_vec(&path("file"), Limit(4)),
        ErrorKind::FileTooLarge,
    );
    folder.root.write(&path("file"), &[0xff], 0o644).unwrap();
    fails(
        folder.root.read_text(&path("file"), LIMIT),
        ErrorKind::InvalidData,
    );
}

#[test]
fn a_draft_is_whole_or_nothing() {
    let folder = folder();
    let root = &folder.root;
    let mut draft = root.draft(&path("file"), 0o666).unwrap();
    draft.write_all(b"half").unwrap();
    assert!(!root.exists(&path("file")).unwrap());
    assert!(names(&folder).iter().all(|name| name.starts_with(".tmp-")));
    drop(draft);
    assert_eq!(names(&folder), [""; 0]);

    root.write(&path("file"), b"first", 0o666).unwrap();
    root.write(&path("file"), b"second", 0o4755).unwrap();
    assert_eq!(root.read_text(&path("file"), LIMIT).unwrap(), "second");
    assert_eq!(root.stat(&path("file")).unwrap().unwrap().mode, 0o4755);
    let mut draft = root.draft(&path("file"), 0o644).unwrap();
    draft.write_all(b"third").unwrap();
    fails(draft.commit_new(), ErrorKind::AlreadyExists);
    assert_eq!(root.read_text(&path("file"), LIMIT).unwrap(), "second");
    let mut draft = root.draft(&path("file"), 0o644).unwrap();
    draft.write_all(b"third").unwrap();
    let mut text = String::new();
    std::io::Seek::rewind(&mut draft.file().unwrap()).unwrap();
    draft.file().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "third");
    draft.rename_to(&path("other")).unwrap();
    draft.commit_new().unwrap();
    assert_eq!(names(&folder), ["file", "other"]);
    fails(root.draft(&path("no/dir"), 0o644), ErrorKind::NotFound);
}

#[test]
fn what_can_be_done_without_keeps_nothing_from_its_name() {
    for count in [1_usize, 40] {
        let folder = folder();
        let dir = |name: &str| folder.root.make_dir(&path(name)).unwrap();
        let (_taken, notes) = (dir("notes/taken"), dir("notes"));
        let mut batch = Batch::new();
        let write = Batch::write_spare;
        write(&mut batch, &notes, &path("taken"), b"no", 0o644).unwrap();
        for index in 0..count {
            let name = path(&index.to_string());
            batch.write(&folder.root, &name, b"yes", 0o644).unwrap();
        }
        write(&mut batch, &notes, &path("free"), b"yes", 0o644).unwrap();
        let (_, missing) = batch.commit_but_spare().unwrap();
        assert!(missing.unwrap().to_string().contains("notes/taken"));
        for index in 0..count {
            assert!(folder.root.exists(&path(&index.to_string())).unwrap());
        }
        assert!(folder.root.exists(&path("notes/free")).unwrap());
        assert_eq!(notes.list().unwrap().len(), 2, "a temporary file is left");
    }
}

#[test]
fn a_batch_appears_together() {
    for count in [0_usize, 3, 40] {
        let folder = folder();
        folder.root.make_dir(&path("a")).unwrap();
        folder.root.make_dir(&path("b")).unwrap();
        let mut batch = Batch::new();
        for index in 0..count {
            let dir = if index % 2 == 0 { "a" } else { "b" };
            let mut draft = folder
                .root
                .draft(&path(&format!("{dir}/{index}")), 0o644)
                .unwrap();
            draft.write_all(index.to_string().as_bytes()).unwrap();
            batch.add(draft).unwrap();
        }
        assert_eq!(batch.len(), count);
        assert!(!folder.root.exists(&path("a/0")).unwrap());
        batch.commit().unwrap();
        for index in 0..count {
            let dir = if index % 2 == 0 { "a" } else { "b" };
            let file = path(&format!("{dir}/{index}"));
            assert_eq!(
                folder.root.read_text(&file, LIMIT).unwrap(),
                index.to_string()
            );
        }
        let left = |dir: &str| folder.root.dir(&path(dir)).unwrap().list().unwrap().len();
        assert_eq!(left("a") + left("b"), count);
    }
    let folder = folder();
    let mut batch = Batch::new();
    batch
        .add(folder.root.draft(&path("file"), 0o644).unwrap())
        .unwrap();
    drop(batch);
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn only_what_dead_processes_left_is_swept() {
    let folder = folder();
    let mut child = Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    fs::write(folder.disk.path().join(format!(".tmp-{dead}-0")), "left").unwrap();
    fs::write(folder.disk.path().join(".tmp-1-0"), "of a living process").unwrap();
    fs::write(folder.disk.path().join(".tmp-mine"), "not a draft").unwrap();
    let draft = folder.root.draft(&path("file"), 0o644).unwrap();
    assert_eq!(folder.root.sweep().unwrap(), 1);
    assert_eq!(folder.root.sweep().unwrap(), 0);
    draft.commit().unwrap();
    assert_eq!(names(&folder), [".tmp-1-0", ".tmp-mine", "file"]);
}

#[test]
fn a_lock_is_held_until_it_is_dropped() {
    let folder = folder();
    let lock = folder
        .root
        .lock(&path("lock"), || panic!("nobody has it"))
        .unwrap();
    assert!(folder.root.try_lock(&path("lock")).unwrap().is_none());
    let root = folder.root.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let lock = root.lock(&path("lock"), || tell.send("waiting").unwrap());
        tell.send("taken").unwrap();
        drop(lock.unwrap());
    });
    assert_eq!(told.recv().unwrap(), "waiting");
    drop(lock);
    assert_eq!(told.recv().unwrap(), "taken");
    other.join().unwrap();
    assert!(folder.root.try_lock(&path("lock")).unwrap().is_some());
}

#[test]
fn directories_are_made_as_needed() {
    let folder = folder();
    let deep = folder.root.make_dir(&path("a/b/c")).unwrap();
    deep.write(&path("file"), b"x", 0o644).unwrap();
    folder.root.make_dir(&path("a/b/c")).unwrap();
    assert!(folder.root.exists(&path("a/b/c/file")).unwrap());
    fails(
        folder.root.make_dir(&path("a/b/c/file")),
        ErrorKind::NotADirectory,
    );
    fails(
        folder.root.make_dir(&path("a/b/c/file/d")),
        ErrorKind::NotADirectory,
    );
    let ambient = Root::create(&folder.disk.path().join("x/y")).unwrap();
    assert_eq!(
        ambient.path_for_children().unwrap(),
        folder.disk.path().join("x/y")
    );
    fs::remove_dir(folder.disk.path().join("x/y")).unwrap();
    fails(ambient.path_for_children(), ErrorKind::NotFound);
    fails(
        Root::open(&folder.disk.path().join("x/y")),
        ErrorKind::NotFound,
    );
}

#[test]
fn everything_is_removed_and_nothing_outside() {
    let outside = folder();
    fs::write(outside.disk.path().join("kept"), "").unwrap();
    let folder = folder();
    let top = folder.disk.path().join("top");
    fs::create_dir_all(top.join("closed/deeper")).unwrap();
    fs::write(top.join("closed/deeper/file"), "").unwrap();
    symlink(outside.disk.path(), top.join("closed/out")).unwrap();
    fs::write(top.join(".tmp-deep-1"), "in the way").unwrap();
    fs::set_permissions(top.join("closed/deeper"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(top.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    let mut here = folder.root.dir(&path("top")).unwrap();
    for _ in 0..3_000 {
        here = here.make_dir(&path("d")).unwrap();
        here.symlink(b"/etc/passwd", &path("l")).unwrap();
    }
    folder.root.remove_tree(&path("top")).unwrap();
    folder.root.remove_tree(&path("top")).unwrap();
    folder.root.remove_tree(&path("gone/top")).unwrap();
    assert_eq!(names(&folder), [""; 0]);
    assert_eq!(names(&outside), ["kept"]);
    symlink(outside.disk.path(), folder.disk.path().join("link")).unwrap();
    folder.root.remove_tree(&path("link")).unwrap();
    assert_eq!(names(&outside), ["kept"]);
}

#[test]
fn wide_folders_are_removed_by_all_threads_and_nothing_outside() {
    let outside = folder();
    fs::write(outside.disk.path().join("kept"), "").unwrap();
    let folder = folder();
    for at in 0..300 {
        let here = folder.disk.path().join(format!("top/a/{}/{at}", at % 3));
        fs::create_dir_all(here.join("x/y")).unwrap();
        fs::write(here.join("x/y/file"), "").unwrap();
        symlink(outside.disk.path(), here.join("x/out")).unwrap();
        fs::set_permissions(here.join("x"), fs::Permissions::from_mode(0o0)).unwrap();
        fs::set_permissions(&here, fs::Permissions::from_mode(0o0)).unwrap();
    }
    folder.root.remove_tree(&path("top")).unwrap();
    assert_eq!(names(&folder), [""; 0]);
    assert_eq!(names(&outside), ["kept"]);
}

#[test]
fn scratch_has_no_name() {
    let folder = folder();
    let mut scratch = folder.root.scratch().unwrap();
    scratch.write_all(b"much").unwrap();
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn names_move_between_directories() {
    let (from, to) = (folder(), folder());
    from.root.write(&path("a"), b"a", 0o644).unwrap();
    to.root.write(&path("taken"), b"t", 0o644).unwrap();
    fails(
        from.root.rename_new(&path("a"), &to.root, &path("taken")),
        ErrorKind::AlreadyExists,
    );
    from.root
        .hard_link(&path("a"), &to.root, &path("b"))
        .unwrap();
    assert_eq!(to.root.stat(&path("b")).unwrap().unwrap().nlink, 2);
    from.root
        .rename(&path("a"), &to.root, &path("taken"))
        .unwrap();
    assert_eq!(to.root.read_text(&path("taken"), LIMIT).unwrap(), "a");
    from.root.write(&path("m"), b"", 0o600).unwrap();
    from.root.set_mode(&path("m"), 0o2711).unwrap();
    assert_eq!(from.root.stat(&path("m")).unwrap().unwrap().mode, 0o2711);
    assert!(RelPath::new("..").is_err());
}
