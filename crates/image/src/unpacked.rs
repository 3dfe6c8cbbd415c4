//! An image's files as a client finds them: its layers, one laid over the other.

use std::io::{self, BufReader, Read, Seek};
use std::sync::Arc;

use boltworks_fsx::tar::{Policy, read_tree};
use boltworks_fsx::{Bounded, Kind, Limit, RelPath, Root, Tree};
use boltworks_oci::{Descriptor, media_type};
use boltworks_store::Store;
use flate2::bufread::MultiGzDecoder;
use zstd::Decoder;

use crate::Error;

/// How the name begins of what hides a path of a layer below.
const WHITEOUT: &[u8] = b".wh.";
/// The most that one layer has unpacked.
const MOST: Limit = Limit(64 << 30);

/// The files of layers in a store, the lowest first. Contents lie in files of `scratch` that have no
/// name.
pub fn unpacked(layers: &[Descriptor], store: &Store, scratch: &Root) -> Result<Tree, Error> {
    let mut whole = Tree::new();
    for layer in layers {
        let blob = store.open_blob(&layer.digest)?;
        let packed = BufReader::new(blob.reader());
        let plain: Box<dyn Read + '_> = match layer.media_type.as_str() {
            media_type::LAYER => Box::new(packed),
            media_type::LAYER_GZIP => Box::new(MultiGzDecoder::new(packed)),
            media_type::LAYER_ZSTD => Box::new(Decoder::with_buffer(packed).map_err(failed)?),
            other => {
                let what = format!("layer {}", layer.digest.prefixed());
                return Err(Error::refused(what, format!("'{other}' is not read")));
            }
        };
        let mut file = scratch.scratch()?;
        let copied = io::copy(&mut Bounded::new(plain, MOST), &mut file);
        copied.and_then(|_| file.rewind()).map_err(failed)?;
        let policy = Policy {
            devices: true,
            ..Policy::default()
        };
        lay(&mut whole, &read_tree(&Arc::new(file), policy)?)?;
    }
    Ok(whole)
}

fn failed(source: io::Error) -> Error {
    Error::Write {
        action: "unpack a layer",
        source,
    }
}

/// Lays a layer over what there is, as the image specification has it (`layer.md`, "Applying
/// Changesets").
fn lay(whole: &mut Tree, layer: &Tree) -> Result<(), Error> {
    for (path, node) in layer.iter() {
        if let Some(hidden) = path.file_name().strip_prefix(WHITEOUT) {
            let hidden = match path.parent() {
                Some(parent) => RelPath::new([parent.as_bytes(), b"/", hidden].concat())?,
                None => RelPath::new(hidden.to_vec())?,
            };
            remove(whole, &hidden);
            continue;
        }
        let stays = node.is_dir() && whole.get(path).is_some_and(boltworks_fsx::Node::is_dir);
        if !stays {
            remove(whole, path);
        }
        whole.insert(path.clone(), node.clone())?;
    }
    Ok(())
}

/// Removes a path and all beneath it. Other names of a file stay.
fn remove(tree: &mut Tree, path: &RelPath) {
    let beneath: Vec<RelPath> = tree.beneath(path).map(|(path, _)| path.clone()).collect();
    for gone in beneath.iter().chain([path]) {
        let content = match tree.get(gone).map(|node| &node.kind) {
            Some(Kind::File(content)) => Some(content.clone()),
            _ => None,
        };
        tree.remove(gone);
        let Some(content) = content else { continue };
        let mut names = tree.iter().filter_map(|(name, node)| match &node.kind {
            Kind::Hardlink(first) if first == gone => Some(name.clone()),
            _ => None,
        });
        let next = names.next();
        let others: Vec<RelPath> = names.collect();
        let Some(next) = next else { continue };
        for other in others {
            if let Some(node) = tree.get_mut(&other) {
                node.kind = Kind::Hardlink(next.clone());
            }
        }
        if let Some(node) = tree.get_mut(&next) {
            node.kind = Kind::File(content);
        }
    }
}
