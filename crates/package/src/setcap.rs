//! File capabilities that a recipe asks for, put on the files of a package as `setcap` would.
//!
//! The kernel keeps them in the attribute `security.capability`, whose third form
//! (`VFS_CAP_REVISION_3`, capabilities(7)) holds the permitted and the inheritable set, 64 bits
//! each, one flag for the effective one, and whose root they are for: that of the machine, 0. The
//! second form, which setcap(8) writes there, means the same; melange writes the third.

use boltworks_fsx::{Kind, RelPath, Tree};
use boltworks_recipe::resolved::{Capability, CapabilitySets};

use crate::Error;

const ATTRIBUTE: &[u8] = b"security.capability";
const REVISION_3: u32 = 0x0300_0000;
/// The user who is root where the capabilities count.
const ROOT: u32 = 0;
const EFFECTIVE: u32 = 1;

/// Puts the capabilities on a package's files.
///
/// # Errors
/// [`Error::Setcap`] where there is no such file, and where several entries name one file.
pub fn apply(package: &str, wanted: &[Capability], tree: &mut Tree) -> Result<(), Error> {
    for one in wanted {
        let fault = |why: &'static str| Error::Setcap {
            package: package.to_owned(),
            path: one.path.clone(),
            why,
            written: one.written.clone(),
        };
        let path = RelPath::try_from(one.path.trim_start_matches('/'))
            .map_err(|_| fault("that is no path in a package"))?;
        let file = match tree.get(&path).map(|node| &node.kind) {
            Some(Kind::File(_)) => path,
            // The attribute belongs to the file, whatever name it is asked for by.
            Some(Kind::Hardlink(target)) => target.clone(),
            Some(_) => return Err(fault("only a regular file can have capabilities")),
            None => return Err(fault("its steps leave no such file")),
        };
        let value = attribute(one.sets()).to_vec();
        let names: Vec<RelPath> = tree
            .iter()
            .filter(|(path, node)| {
                **path == file || matches!(&node.kind, Kind::Hardlink(to) if *to == file)
            })
            .map(|(path, _)| path.clone())
            .collect();
        for (path, node) in tree.iter_mut() {
            if !names.contains(path) {
                continue;
            }
            let before = node.meta.xattrs.insert(ATTRIBUTE.to_vec(), value.clone());
            if before.is_some_and(|before| before != value) {
                return Err(fault("it is asked for twice, with other capabilities"));
            }
        }
    }
    Ok(())
}

/// The bytes of the attribute.
fn attribute(sets: CapabilitySets) -> [u8; 24] {
    let effective = if sets.effective == 0 { 0 } else { EFFECTIVE };
    let low = |set: u64| (set & u64::from(u32::MAX)).to_le_bytes();
    let high = |set: u64| (set >> 32).to_le_bytes();
    let mut bytes = [0; 24];
    let words = [
        u64::from(REVISION_3 | effective).to_le_bytes(),
        low(sets.permitted),
        low(sets.inheritable),
        high(sets.permitted),
        high(sets.inheritable),
        u64::from(ROOT).to_le_bytes(),
    ];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        let [a, b, c, d, ..] = word;
        place.copy_from_slice(&[a, b, c, d]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use boltworks_fsx::{Meta, Node};

    use super::*;

    fn wanted(path: &str, names: &str, flags: &str) -> Capability {
        Capability {
            path: path.to_owned(),
            add: BTreeMap::from([(names.to_owned(), flags.to_owned())]),
            reason: "a test".to_owned(),
            ..Capability::default()
        }
    }

    fn tree() -> Tree {
        let path = |path: &str| RelPath::try_from(path).unwrap();
        let mut tree = Tree::new();
        let file = Node::file(Meta::new(0o755, 0), b"x".as_slice());
        tree.insert(path("usr/bin/ping"), file).unwrap();
        let link = Node {
            meta: Meta::new(0o755, 0),
            kind: Kind::Hardlink(path("usr/bin/ping")),
        };
        tree.insert(path("usr/bin/ping6"), link).unwrap();
        let link = Node::symlink(Meta::new(0o777, 0), "ping");
        tree.insert(path("usr/bin/pong"), link).unwrap();
        tree
    }

    /// The bytes are those that setcap(8) of libcap 2.66 writes for the same with `-n 5`, but for that 5.
    #[test]
    fn the_attribute_is_the_kernels() {
        let mut files = tree();
        let both = [wanted("/usr/bin/ping6", "cap_net_raw,cap_net_admin", "+ep")];
        apply("ping", &both, &mut files).unwrap();
        for name in ["usr/bin/ping", "usr/bin/ping6"] {
            let node = files.get(&RelPath::try_from(name).unwrap()).unwrap();
            let expected = [
                1, 0, 0, 3, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ];
            assert_eq!(node.meta.xattrs[ATTRIBUTE], expected);
        }
        let sets = wanted("x", "cap_checkpoint_restore", "+i").sets();
        let value = attribute(sets);
        assert_eq!(value[..4], [0, 0, 0, 3]);
        assert_eq!(value[16..], [0, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_file_has_none() {
        let refused = |one: Capability| apply("ping", &[one], &mut tree()).unwrap_err().to_string();
        for (path, why) in [
            ("/usr/bin/traceroute", "no such file"),
            ("usr/bin/pong", "regular file"),
            ("/../x", "no path"),
        ] {
            let error = refused(wanted(path, "cap_net_raw", "+ep"));
            assert!(error.contains(why) && error.contains(path), "{error}");
        }
        let twice = [
            wanted("/usr/bin/ping", "cap_net_raw", "+ep"),
            wanted("/usr/bin/ping6", "cap_chown", "+ep"),
        ];
        let error = apply("ping", &twice, &mut tree()).unwrap_err().to_string();
        assert!(error.contains("twice"), "{error}");
    }
}
