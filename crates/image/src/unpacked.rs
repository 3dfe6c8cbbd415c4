//! An image's files as a client finds them: its layers, one laid over the other.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek};
use std::sync::Arc;

use boltworks_crypto::Hashing;
use boltworks_fsx::tar::{Policy, read_tree};
use boltworks_fsx::{Bounded, Limit, Node, RelPath, Root, Tree, erofs};
use boltworks_model::Sha256;
use boltworks_oci::{Descriptor, Layer, media_type};
use boltworks_store::Store;
use flate2::bufread::MultiGzDecoder;
use zstd::Decoder;

use crate::Error;
use crate::place::{WHITEOUT, unlink_all};

/// What of such a name stands for all that is below in the folder.
const OPAQUE: &[u8] = b".wh..opq";
/// The most that all layers have unpacked.
const MOST: Limit = Limit(64 << 30);

/// The files of layers in a store, the lowest first. Contents lie in files of `scratch` that have no
/// name.
pub fn unpacked(layers: &[Descriptor], store: &Store, scratch: &Root) -> Result<Tree, Error> {
    let mut whole = Whole::default();
    for layer in layers {
        whole.add((&layer.digest, &layer.media_type), (store, scratch))?;
    }
    Ok(whole.tree)
}

/// The same of layers that must be unpacked what is told of them; and how many bytes their tars have.
pub(crate) fn unpacked_as_told(
    layers: &[Layer],
    store: &Store,
    scratch: &Root,
) -> Result<(Tree, u64), Error> {
    let mut whole = Whole::default();
    for layer in layers {
        let found = whole.add((&layer.digest, layer.media_type), (store, scratch))?;
        if found != layer.diff_id {
            let reason = format!(
                "unpacked it is {}, and the configuration says {}",
                found.prefixed(),
                layer.diff_id.prefixed()
            );
            return Err(Error::refused(named(&layer.digest), reason));
        }
    }
    Ok((whole.tree, whole.bytes))
}

fn named(layer: &Sha256) -> String {
    format!("layer {}", layer.prefixed())
}

/// The layers that were unpacked so far.
#[derive(Default)]
struct Whole {
    tree: Tree,
    bytes: u64,
}

impl Whole {
    /// Unpacks one more layer; the digest of its tar.
    fn add(
        &mut self,
        (digest, kind): (&Sha256, &str),
        (store, scratch): (&Store, &Root),
    ) -> Result<Sha256, Error> {
        let blob = store.open_blob(digest)?;
        if kind == media_type::LAYER_EROFS && self.tree.is_empty() {
            // Of EROFS there is one layer, and nothing below that it could hide.
            let reader = erofs::Reader::open(Arc::clone(blob.file()), erofs::Policy::default())?;
            self.tree = reader.tree(scratch.scratch()?)?;
            self.bytes = blob.size();
            return Ok(*digest);
        }
        let packed = BufReader::new(blob.reader());
        let plain: Box<dyn Read + '_> = match kind {
            media_type::LAYER => Box::new(packed),
            media_type::LAYER_GZIP => Box::new(MultiGzDecoder::new(packed)),
            media_type::LAYER_ZSTD => Box::new(Decoder::with_buffer(packed).map_err(failed)?),
            other => {
                return Err(Error::refused(
                    named(digest),
                    format!("'{other}' is not read"),
                ));
            }
        };
        let left = Limit(MOST.0.saturating_sub(self.bytes));
        let mut hashing = Hashing::new(scratch.scratch()?);
        let copied = io::copy(&mut Bounded::new(plain, left), &mut hashing);
        self.bytes += copied.map_err(failed)?;
        let (mut file, diff_id, _) = hashing.finish();
        file.rewind().map_err(failed)?;
        let policy = Policy {
            devices: true,
            ..Policy::default()
        };
        lay(&mut self.tree, read_tree(&Arc::new(file), policy)?)?;
        Ok(diff_id)
    }
}

fn failed(source: io::Error) -> Error {
    Error::Write {
        action: "unpack a layer",
        source,
    }
}

/// Lays a layer over what there is, as the image specification has it (`layer.md`, "Applying
/// Changesets"). What it hides is only what lies in layers below.
fn lay(whole: &mut Tree, layer: Tree) -> Result<(), Error> {
    let mut gone = BTreeSet::new();
    let beneath = |path: &RelPath| -> Vec<RelPath> {
        let beneath = whole.beneath(path);
        beneath.map(|(path, _)| path.clone()).collect()
    };
    for (path, node) in layer.iter() {
        let hidden = match (path.file_name().strip_prefix(WHITEOUT), path.parent()) {
            (Some(OPAQUE), Some(folder)) => {
                gone.extend(beneath(&folder));
                continue;
            }
            (Some(OPAQUE), None) => {
                gone.extend(whole.iter().map(|(path, _)| path.clone()));
                continue;
            }
            (Some(hidden), Some(folder)) => folder.push(hidden)?,
            (Some(hidden), None) => RelPath::new(hidden)?,
            (None, _) if node.is_dir() && whole.get(path).is_some_and(Node::is_dir) => continue,
            (None, _) => path.clone(),
        };
        gone.extend(beneath(&hidden));
        gone.insert(hidden);
    }
    unlink_all(whole, &gone);
    for (path, node) in layer {
        if !path.file_name().starts_with(WHITEOUT) {
            whole.insert(path, node)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::{Kind, Meta};

    use super::*;

    /// `path`, `path>` with the target of a hard link, or `path/` for a folder.
    fn tree(rows: &[&str]) -> Tree {
        let mut tree = Tree::new();
        for row in rows {
            let meta = Meta::new(0o644, 0);
            let (path, node) = match (row.strip_suffix('/'), row.split_once('>')) {
                (Some(path), _) => (path, Node::dir(meta)),
                (None, Some((path, target))) => {
                    let kind = Kind::Hardlink(target.parse().unwrap());
                    (path, Node { meta, kind })
                }
                (None, None) => (*row, Node::file(meta, row.as_bytes())),
            };
            tree.insert(path.parse().unwrap(), node).unwrap();
        }
        tree
    }

    fn laid(below: &[&str], above: &[&str]) -> String {
        let mut whole = tree(below);
        lay(&mut whole, tree(above)).unwrap();
        let shown = whole.iter().map(|(path, node)| match &node.kind {
            Kind::Dir => format!("{path}/"),
            Kind::Hardlink(target) => format!("{path}>{target}"),
            _ => path.to_string(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_hidden_is_gone_and_nothing_else() {
        let below = ["a/", "a/b", "a/c/", "a/c/d", "e"];
        assert_eq!(laid(&below, &["a/", "a/.wh.c", ".wh.e"]), "a/ a/b");
        // What the layer itself has is not hidden by it, wherever it comes.
        let above = ["a/", "a/+", "a/.wh..wh..opq", "a/c/", "a/c/x"];
        assert_eq!(laid(&below, &above), "a/ a/+ a/c/ a/c/x e");
        assert_eq!(laid(&below, &[".wh..wh..opq", "z"]), "z");
        assert_eq!(laid(&below, &["a"]), "a e");
    }

    #[test]
    fn other_names_of_a_file_stay() {
        let below = ["a", "b>a", "c>a"];
        assert_eq!(laid(&below, &[".wh.a"]), "b c>b");
        assert_eq!(laid(&below, &["a"]), "a b c>b");
        assert_eq!(laid(&below, &[".wh.a", ".wh.b"]), "c");
    }
}
