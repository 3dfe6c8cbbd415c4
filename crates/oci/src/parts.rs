//! The documents of one image, made from its layers.

use std::collections::BTreeMap;

use boltworks_model::{Architecture, Sha256, Timestamp};

use crate::config::RootFs;
use crate::{
    Config, Descriptor, Error, Hash, History, Index, Manifest, Platform, Process, json, media_type,
};

/// What a system must be able to do that is to read layers of EROFS.
const EROFS: &str = "erofs";

/// A layer as it lies in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the compressed bytes.
    pub digest: Sha256,
    /// How many compressed bytes there are.
    pub size: u64,
    /// The digest of what it is before compression.
    pub diff_id: Sha256,
    /// What it is, and how it is compressed.
    pub media_type: &'static str,
    /// What is in it, for the image's history.
    pub comment: Option<String>,
}

/// A document and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Sha256,
}

impl Document {
    fn new(media_type: &'static str, bytes: Vec<u8>, hash: Hash) -> Self {
        let digest = hash(&bytes);
        Self {
            media_type,
            bytes,
            digest,
        }
    }

    /// The document as another one names it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type, self.digest, self.size())
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// What an image is to be, but for its layers.
#[derive(Debug, Clone)]
pub struct ImagePlan {
    /// The processor it runs on.
    pub architecture: Architecture,
    /// When it is said to be made.
    pub created: Timestamp,
    /// Who is said to make it: author and `created_by` of the history.
    pub author: String,
    /// What runs in it.
    pub process: Process,
    /// Said of the manifest and of the index.
    pub annotations: BTreeMap<String, String>,
    /// How the lowest layers came about, where somebody else made them.
    pub below: Vec<History>,
}

/// Everything of one image but the layers' bytes. The image's name is the manifest's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageParts {
    /// What it runs on.
    pub platform: Platform,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// How it starts.
    pub config: Document,
    /// What it consists of.
    pub manifest: Document,
    /// An index of this one manifest.
    pub index: Document,
}

impl ImageParts {
    /// Makes configuration, manifest and index. Equal arguments give equal bytes.
    pub fn new(plan: &ImagePlan, layers: Vec<Layer>, hash: Hash) -> Result<Self, Error> {
        let is_erofs = |layer: &Layer| layer.media_type == media_type::LAYER_EROFS;
        let features = layers.iter().any(is_erofs).then(|| EROFS.to_owned());
        let platform = Platform {
            os_features: features.into_iter().collect(),
            ..Platform::from(plan.architecture)
        };
        let created = plan.created.to_string();
        let history = |layer: &Layer| History {
            created: Some(created.clone()),
            author: Some(plan.author.clone()),
            created_by: Some(plan.author.clone()),
            comment: layer.comment.clone(),
            empty_layer: None,
        };
        let made = |entry: &&History| entry.empty_layer != Some(true);
        let made_before = plan.below.iter().filter(made).count();
        let config = Config {
            created: Some(created.clone()),
            author: Some(plan.author.clone()),
            architecture: platform.architecture.clone(),
            variant: platform.variant.clone(),
            os: platform.os.clone(),
            os_features: platform.os_features.clone(),
            process: plan.process.clone(),
            rootfs: RootFs::layers(layers.iter().map(|layer| layer.diff_id).collect()),
            history: plan
                .below
                .iter()
                .cloned()
                .chain(layers.iter().skip(made_before).map(history))
                .collect(),
        };
        let config = Document::new(
            media_type::CONFIG,
            json::write("configuration", &config)?,
            hash,
        );
        let descriptors = layers
            .iter()
            .map(|layer| Descriptor::new(layer.media_type, layer.digest, layer.size))
            .collect();
        let mut manifest = Manifest::new(config.descriptor(), descriptors);
        manifest.annotations.clone_from(&plan.annotations);
        let manifest = Document::new(media_type::MANIFEST, manifest.to_bytes()?, hash);
        let parts = Unindexed {
            platform,
            layers,
            config,
            manifest,
        };
        parts.indexed(&plan.annotations, hash)
    }

    /// The parts of an image that was made before, from its manifest and its configuration.
    ///
    /// An error where the two do not belong together, or a layer's type is not known here.
    pub fn from_documents(manifest: Vec<u8>, config: Vec<u8>, hash: Hash) -> Result<Self, Error> {
        const WHAT: &str = "manifest";
        let read = crate::read_manifest(&manifest)?;
        let settings = crate::read_config(&config)?;
        let config = Document::new(media_type::CONFIG, config, hash);
        if read.config != config.descriptor() {
            return Err(Error::rule(WHAT, "it names another configuration"));
        }
        let diff_ids = &settings.rootfs.diff_ids;
        if diff_ids.len() != read.layers.len() {
            return Err(Error::rule(
                WHAT,
                "it has another number of layers than its configuration",
            ));
        }
        let made = settings
            .history
            .iter()
            .filter(|entry| entry.empty_layer != Some(true));
        let comments = made
            .map(|entry| entry.comment.clone())
            .chain(std::iter::repeat(None));
        let mut layers = Vec::new();
        for ((layer, diff_id), comment) in read.layers.iter().zip(diff_ids).zip(comments) {
            let known = [
                media_type::LAYER_GZIP,
                media_type::LAYER_ZSTD,
                media_type::LAYER,
                media_type::LAYER_EROFS,
            ];
            let media_type = known.into_iter().find(|known| *known == layer.media_type);
            let media_type = media_type
                .ok_or_else(|| Error::rule(WHAT, format!("a layer is '{}'", layer.media_type)))?;
            let (digest, size, diff_id) = (layer.digest, layer.size, *diff_id);
            layers.push(Layer {
                digest,
                size,
                diff_id,
                media_type,
                comment,
            });
        }
        let platform = Platform {
            architecture: settings.architecture,
            os: settings.os,
            os_features: settings.os_features,
            variant: settings.variant,
        };
        let manifest = Document::new(media_type::MANIFEST, manifest, hash);
        let parts = Unindexed {
            platform,
            layers,
            config,
            manifest,
        };
        parts.indexed(&read.annotations, hash)
    }

    /// The bytes of the image as it is kept: documents and compressed layers.
    pub fn size(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(|layer| layer.size).sum();
        layers + self.config.size() + self.manifest.size()
    }
}

/// An index of images for one platform each, in their order.
pub fn common_index(images: &[&ImageParts]) -> Result<Index, Error> {
    let mut common = Index::new(Vec::new());
    for image in images {
        let index = crate::read_index(&image.index.bytes)?;
        common.manifests.extend(index.manifests);
        common.annotations.extend(index.annotations);
    }
    Ok(common)
}

/// An image's parts before there is an index of its manifest.
struct Unindexed {
    platform: Platform,
    layers: Vec<Layer>,
    config: Document,
    manifest: Document,
}

impl Unindexed {
    fn indexed(
        self,
        annotations: &BTreeMap<String, String>,
        hash: Hash,
    ) -> Result<ImageParts, Error> {
        let mut index = Index::new(vec![Descriptor {
            platform: Some(self.platform.clone()),
            ..self.manifest.descriptor()
        }]);
        index.annotations.clone_from(annotations);
        Ok(ImageParts {
            platform: self.platform,
            layers: self.layers,
            config: self.config,
            manifest: self.manifest,
            index: Document::new(media_type::INDEX, index.to_bytes()?, hash),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{read_config, read_index, read_manifest};

    /// Good enough to tell documents apart; the real one comes from `crypto`.
    pub(crate) fn toy_hash(bytes: &[u8]) -> Sha256 {
        let mut state = [0x5a_u8; 32];
        for (at, byte) in bytes.iter().enumerate() {
            let slot = &mut state[at % 32];
            *slot = slot.rotate_left(3) ^ byte.wrapping_mul(31);
        }
        Sha256::new(state)
    }

    pub(crate) fn plan() -> ImagePlan {
        ImagePlan {
            architecture: Architecture::X86_64,
            created: Timestamp(1_767_225_600),
            author: "boltworks".into(),
            process: Process {
                user: Some("65532".into()),
                ..Process::default()
            },
            annotations: [(
                "org.opencontainers.image.title".to_owned(),
                "web".to_owned(),
            )]
            .into(),
            below: Vec::new(),
        }
    }

    pub(crate) fn parts() -> ImageParts {
        parts_of(Architecture::X86_64)
    }

    pub(crate) fn parts_of(architecture: Architecture) -> ImageParts {
        let layer = Layer {
            digest: Sha256::new([0xab; 32]),
            size: 1234,
            diff_id: Sha256::new([0xcd; 32]),
            media_type: media_type::LAYER_GZIP,
            comment: None,
        };
        let plan = ImagePlan {
            architecture,
            ..plan()
        };
        ImageParts::new(&plan, vec![layer], toy_hash).unwrap()
    }

    #[test]
    fn the_documents_name_each_other() {
        let parts = parts();
        let index = read_index(&parts.index.bytes).unwrap();
        assert_eq!(index.manifests[0].digest, toy_hash(&parts.manifest.bytes));
        assert_eq!(
            index.manifests[0].platform.as_ref().unwrap().architecture,
            "amd64"
        );
        let manifest = read_manifest(&parts.manifest.bytes).unwrap();
        assert_eq!(manifest.config, parts.config.descriptor());
        assert_eq!(manifest.layers[0].size, 1234);
        let config = read_config(&parts.config.bytes).unwrap();
        assert_eq!(config.rootfs.diff_ids, [Sha256::new([0xcd; 32])]);
        assert_eq!(
            parts.size(),
            1234 + parts.config.size() + parts.manifest.size()
        );
    }

    #[test]
    fn an_image_is_read_back_from_its_documents() {
        let parts = parts();
        let (manifest, config) = (parts.manifest.bytes.clone(), parts.config.bytes.clone());
        let again = ImageParts::from_documents(manifest.clone(), config.clone(), toy_hash);
        assert_eq!(again.unwrap(), parts);
        let mut other = config;
        other.push(b' ');
        let refused = ImageParts::from_documents(manifest, other, toy_hash).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "manifest: it names another configuration"
        );
    }

    #[test]
    fn who_cannot_read_erofs_is_told() {
        let mut layers = parts().layers;
        layers[0].media_type = media_type::LAYER_EROFS;
        let parts = ImageParts::new(&plan(), layers, toy_hash).unwrap();
        let config = read_config(&parts.config.bytes).unwrap();
        assert_eq!(config.os_features, ["erofs"]);
        let index = read_index(&parts.index.bytes).unwrap();
        let platform = index.manifests[0].platform.as_ref().unwrap();
        assert_eq!(platform.os_features, ["erofs"]);
        assert!(platform.is_like(&Platform::from(Architecture::X86_64)));
        let (manifest, config) = (parts.manifest.bytes.clone(), parts.config.bytes.clone());
        let again = ImageParts::from_documents(manifest, config, toy_hash);
        assert_eq!(again.unwrap(), parts);
    }

    #[test]
    fn the_configuration_is_canonical() {
        insta::assert_snapshot!(String::from_utf8(parts().config.bytes).unwrap(), @r#"{"created":"2026-01-01T00:00:00Z","author":"boltworks","architecture":"amd64","os":"linux","config":{"User":"65532"},"rootfs":{"type":"layers","diff_ids":["sha256:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"]},"history":[{"created":"2026-01-01T00:00:00Z","author":"boltworks","created_by":"boltworks"}]}"#);
    }
}
