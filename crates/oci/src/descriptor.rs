//! A blob named by media type, digest and size, and the platform it is for.

use std::collections::BTreeMap;

use boltworks_model::{Architecture, Sha256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, media_type};

/// Where a blob's bytes are and what they must be (image-spec 1.1, content descriptors).
///
/// Only SHA-256 digests are known here: another algorithm is refused, not passed on unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// The digest of its bytes.
    #[serde(with = "prefixed")]
    pub digest: Sha256,
    /// How many bytes it has.
    pub size: u64,
    /// The platform an index's manifest is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The type of an artifact's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor without platform and annotations.
    pub fn new(media_type: impl Into<String>, digest: Sha256, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            platform: None,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    pub(crate) fn verify(&self, what: &'static str) -> Result<(), Error> {
        if !media_type::is_media_type(&self.media_type) {
            return Err(Error::rule(
                what,
                format!("'{}' is no media type", self.media_type),
            ));
        }
        if i64::try_from(self.size).is_err() {
            return Err(Error::rule(what, format!("a size of {} bytes", self.size)));
        }
        Ok(())
    }
}

/// What an image runs on (image-spec 1.1, image index).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The processor, under Go's name: `amd64`.
    pub architecture: String,
    /// The system: `linux`.
    pub os: String,
    /// What the system must be able to do: `erofs`, where layers are of that.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "list_or_null",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// The processor's variant: `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Whether both are the same system on the same processor, whatever it must be able to do.
    pub fn is_like(&self, other: &Self) -> bool {
        let parts = |one: &Self| {
            (
                one.architecture.clone(),
                one.os.clone(),
                one.variant.clone(),
            )
        };
        parts(self) == parts(other)
    }

    /// The architecture as a part of a tag: `amd64`, `arm_v7`.
    pub fn suffix(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}_{variant}", self.architecture),
            None => self.architecture.clone(),
        }
    }
}

impl From<Architecture> for Platform {
    fn from(architecture: Architecture) -> Self {
        Self {
            architecture: architecture.go().to_owned(),
            os: "linux".to_owned(),
            os_features: Vec::new(),
            variant: architecture.variant().map(str::to_owned),
        }
    }
}

/// A list; some writers put `null` where there is none.
pub(crate) fn list_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// `sha256:<64 lower-case hexadecimal digits>`, and nothing else.
pub(crate) mod prefixed {
    use super::{Deserialize, Deserializer, Serializer, Sha256, de};

    pub(crate) fn serialize<S: Serializer>(digest: &Sha256, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&digest.prefixed())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sha256, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| {
            de::Error::custom(format_args!(
                "'{}' is no sha256 digest",
                text.escape_debug()
            ))
        })
    }

    pub(crate) fn parse(text: &str) -> Option<Sha256> {
        let digest: Sha256 = text.strip_prefix("sha256:")?.parse().ok()?;
        (digest.prefixed() == text).then_some(digest)
    }
}

/// A list of [`prefixed`] digests.
pub(crate) mod prefixed_list {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Sha256, prefixed};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Item(#[serde(with = "prefixed")] Sha256);

    pub(crate) fn serialize<S: Serializer>(list: &[Sha256], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(list.iter().copied().map(Item))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Sha256>, D::Error> {
        let items = Vec::<Item>::deserialize(from)?;
        Ok(items.into_iter().map(|Item(digest)| digest).collect())
    }
}
