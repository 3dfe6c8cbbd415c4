//! The files as one layer that a kernel mounts: an EROFS image as it is (erofs-image-spec, a draft; its
//! digest is that of the layer, before and after).
//!
//! Whoever starts a container may lay it beneath another with overlayfs. What that takes for something else
//! than it is, is refused.

use boltworks_fsx::{Kind, Node, RelPath, Tree, erofs};
use boltworks_oci::{Layer, media_type};
use boltworks_store::{Batch, Store};

use crate::Error;
use crate::layer::StoredLayer;

/// How extended attributes begin that are overlayfs' own: they hide files and take contents from elsewhere.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// Writes the files beneath a root as a layer that becomes durable with the batch. The time, in seconds since
/// 1970, is said to be the image's.
pub(crate) fn write<'a>(
    (tree, root): (&Tree, &Node),
    time: i64,
    (store, batch): (&'a Store, &mut Batch<'a>),
) -> Result<StoredLayer, Error> {
    for (path, node) in tree.iter() {
        verify(path, node)?;
    }
    let (blob, size) = erofs::write(tree, root, time, store.begin()?)?;
    let digest = batch.add(blob)?;
    Ok(StoredLayer {
        layer: Layer {
            digest,
            size,
            diff_id: digest,
            media_type: media_type::LAYER_EROFS,
            comment: None,
        },
        unpacked: size,
        pieces: Vec::new(),
    })
}

fn verify(path: &RelPath, node: &Node) -> Result<(), Error> {
    let refused = |reason| {
        let path = path.clone();
        Err(Error::Path { path, reason })
    };
    if matches!(node.kind, Kind::CharDevice { major: 0, minor: 0 }) {
        return refused(
            "a layer of EROFS cannot have the device 0:0: overlayfs takes it for a removal",
        );
    }
    let mut names = node.meta.xattrs.keys();
    if names.any(|name| OVERLAY.iter().any(|own| name.starts_with(own))) {
        return refused("a layer of EROFS cannot have attributes that are overlayfs' own");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::Meta;

    use super::*;

    #[test]
    fn what_overlayfs_takes_for_something_else_is_refused() {
        let path = RelPath::try_from("a").unwrap();
        let said = |node: &Node| verify(&path, node).map_err(|error| error.to_string());
        let mut folder = Node::dir(Meta::new(0o755, 0));
        assert_eq!(said(&folder), Ok(()));
        let opaque = b"trusted.overlay.opaque".to_vec();
        folder.meta.xattrs.insert(opaque, b"y".to_vec());
        assert!(said(&folder).unwrap_err().contains("overlayfs' own"));
        let device = |minor| Node {
            meta: Meta::new(0o644, 0),
            kind: Kind::CharDevice { major: 0, minor },
        };
        assert_eq!(said(&device(1)), Ok(()));
        assert!(said(&device(0)).unwrap_err().contains("for a removal"));
    }
}
