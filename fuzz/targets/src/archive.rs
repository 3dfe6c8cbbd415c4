//! Tar archives, read, written again, and laid out on disk.

use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use boltworks_fsx::tar::{EntryKind, Policy, Reader, Writer, read_tree};
use boltworks_fsx::{
    Bounded, Content, Kind, Limit, Meta, Node, Ownership, RelPath, Root, Tree, WriteOptions,
};

use crate::{mend, taken};

/// What nothing foreign should get past.
const STRICT: Policy = Policy {
    max_entries: 64,
    max_file: Limit::kib(64),
    max_total: Limit::mib(1),
    max_extended: Limit::kib(4),
    devices: false,
    duplicates: false,
    end_required: true,
};

/// What takes all that the reader understands.
const LAX: Policy = Policy {
    max_entries: 1024,
    max_file: Limit::mib(16),
    max_total: Limit::mib(16),
    max_extended: Limit::kib(64),
    devices: true,
    duplicates: true,
    end_required: false,
};

pub(crate) type Item = (RelPath, Meta, EntryKind, Vec<u8>);

/// The whole archive, or nothing where some of it is refused.
pub(crate) fn read(bytes: &[u8], policy: Policy) -> Option<Vec<Item>> {
    let mut reader = Reader::new(bytes, policy);
    let mut items = Vec::new();
    while let Some(entry) = reader.next_entry().ok()? {
        assert!(
            entry.size <= policy.max_file.0,
            "the limit of a file was passed"
        );
        assert!(
            entry.kind == EntryKind::File || entry.size == 0,
            "content without a file: {entry:?}"
        );
        let content = Bounded::new(&mut reader, Limit(entry.size))
            .read_all()
            .ok()?;
        assert_eq!(
            content.len() as u64,
            entry.size,
            "a file of another size was given"
        );
        items.push((entry.path, entry.meta, entry.kind, content));
    }
    assert!(
        items.len() as u64 <= policy.max_entries,
        "the limit of entries was passed"
    );
    Some(items)
}

fn node((_, meta, kind, content): &Item) -> Node {
    let entry = boltworks_fsx::tar::Entry {
        path: RelPath::new(*b"any").expect("a plain name"),
        meta: meta.clone(),
        kind: kind.clone(),
        size: content.len() as u64,
        offset: 0,
        uname: Vec::new(),
        gname: Vec::new(),
        pax: std::collections::BTreeMap::new(),
    };
    entry.into_node(|| Content::Bytes(content.clone().into()))
}

/// Whether the writer can say everything of an item: ustar has no place for some numbers, and a
/// PAX key none for some names.
fn is_sayable((_, meta, kind, _): &Item) -> bool {
    let is_key =
        |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| !name.contains(['=', '\0', '\n']));
    let numbers = match kind {
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            (*major).max(*minor)
        }
        _ => 0,
    };
    numbers < 1 << 21 && meta.xattrs.keys().all(|name| is_key(name))
}

/// Reads an archive as it is and mended, strictly and laxly. What is read strictly is read laxly
/// too, and what is written again reads as the same.
pub fn tar(data: &[u8]) {
    for bytes in [data, &mend::tar(data)] {
        let (strict, lax) = (read(bytes, STRICT), read(bytes, LAX));
        assert!(
            strict.is_none() || strict == lax,
            "the policy changed what was read"
        );
        let Some(items) = lax else {
            continue;
        };
        if !items.is_empty() {
            taken();
        }
        check_tree(bytes, &items);
        let mut writer = Writer::new(Vec::new());
        let mut kept = Vec::new();
        for item in items {
            match writer.append(&item.0, &node(&item), &[]) {
                Ok(()) => kept.push(item),
                Err(error) => assert!(!is_sayable(&item), "{item:?} is not written: {error}"),
            }
        }
        let written = writer
            .finish_with_end()
            .expect("writing to memory does not fail");
        let policy = Policy {
            max_file: Limit::mib(32),
            max_total: Limit::mib(64),
            ..LAX
        };
        let again = read(
            &written,
            Policy {
                end_required: true,
                ..policy
            },
        );
        assert_eq!(
            again.as_ref(),
            Some(&kept),
            "what was written reads as something else"
        );
    }
}

/// The reader of archives on disk sees the same files.
fn check_tree(bytes: &[u8], items: &[Item]) {
    let mut expected = Tree::new();
    let is_tree = items
        .iter()
        .all(|item| expected.insert(item.0.clone(), node(item)).is_ok());
    let (_, scratch) = scratch();
    let mut file = scratch.scratch().expect("an unnamed file");
    file.write_all(bytes).expect("a place for a few kilobytes");
    let Ok(found) = read_tree(&Arc::new(file), LAX) else {
        let is_whole = |(path, _): (&RelPath, _)| expected.link_target(path).is_some();
        assert!(
            !is_tree || !expected.iter().all(is_whole),
            "only the other reader takes it"
        );
        return;
    };
    assert!(is_tree, "only this reader takes it");
    let shape = |tree: &Tree| -> Vec<String> {
        let whole = |(path, node): (&RelPath, &Node)| {
            let bytes = match &node.kind {
                Kind::File(content) => content.read_vec(LAX.max_file).expect("it was just read"),
                other => format!("{other:?}").into_bytes(),
            };
            format!("{path:?} {:?} {}", node.meta, bytes.escape_ascii())
        };
        tree.iter().map(whole).collect()
    };
    assert_eq!(
        shape(&found),
        shape(&expected),
        "two readers see different files"
    );
}

/// A folder for everything this process lays out.
pub(crate) fn scratch() -> &'static (tempfile::TempDir, Root) {
    static SCRATCH: LazyLock<(tempfile::TempDir, Root)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let root = Root::open(folder.path()).expect("the folder that was just made");
        (folder, root)
    });
    &SCRATCH
}

/// The files of an archive, as far as they can be a tree; nothing where it is refused.
pub(crate) fn tree(bytes: &[u8]) -> Option<Tree> {
    let policy = Policy {
        duplicates: true,
        end_required: false,
        ..STRICT
    };
    let mut tree = Tree::new();
    for item in read(bytes, policy)? {
        if let Err(error) = tree.insert(item.0.clone(), node(&item)) {
            assert!(!error.to_string().is_empty());
        }
    }
    Some(tree)
}

/// Lays a mended archive out on disk, as whoever unpacks it would. Nothing comes to be beside
/// the folder it was to go to, and what was laid out is there.
pub fn unpack(data: &[u8]) {
    let Some(tree) = tree(&mend::tar(data)) else {
        return;
    };
    let (_, scratch) = scratch();
    // Targets run in parallel, and so may this one: a folder for each.
    let name = format!("{:?}", std::thread::current().id());
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let outside = RelPath::try_from(format!("unpack-{name}")).expect("a plain name");
    let inside = RelPath::new(*b"inside").expect("a plain name");
    let outer = scratch
        .make_dir(&outside)
        .expect("a folder in the scratch folder");
    let inner = outer.make_dir(&inside).expect("a folder in the folder");
    // Whoever runs this may not be allowed to give files away, nor to set what the kernel guards.
    let stat = inner.stat_self().expect("the folder is there");
    let ownership = Ownership::All {
        uid: stat.uid,
        gid: stat.gid,
    };
    let options = WriteOptions {
        ownership,
        skip_xattrs: true,
        ..WriteOptions::default()
    };
    let laid = tree.write_to(&inner, options);
    let names: Vec<Vec<u8>> = outer
        .list()
        .expect("the folder is there")
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, [b"inside"], "something is beside the folder");
    if laid.is_ok() && !tree.is_empty() {
        taken();
        for (path, node) in tree.iter().filter(|(_, node)| !node.is_dir()) {
            let found = inner.stat(path).ok().flatten();
            assert!(found.is_some(), "{path} is not there: {:?}", node.kind);
        }
    }
    scratch
        .remove_tree(&outside)
        .expect("what was laid out can be removed");
}
