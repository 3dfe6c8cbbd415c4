//! Everything a release would make public.

use boltworks_gate::{Origin, Subject};
use boltworks_model::{Artifact, ChannelName, Sha256};
use boltworks_records::{PublicBlob, Records, ReleasedBlob, Role};
use boltworks_store::Store;

use crate::image::Documents;
use crate::{Error, ImageRequest};

/// Something that could be released: every blob of it was found in the store, and hashed now or when it
/// became public.
///
/// Made by [`Candidate::image`] and [`Candidate::repository`]; what it says of itself to the gate
/// is read from those bytes, but for the packages inside an image: those come from the record of
/// the action that assembled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub(crate) artifact: Artifact,
    pub(crate) members: Vec<Artifact>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) blobs: Vec<ReleasedBlob>,
}

/// A package inside an image, from the record of the action that assembled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The package: it is judged like the image itself.
    pub package: Artifact,
    /// The repository it came from.
    pub repository: String,
}

impl Inside {
    pub(crate) fn origin(&self) -> Origin {
        let coordinate = &self.package.coordinate;
        Origin {
            package: format!("{}-{}", coordinate.name, coordinate.version),
            sha256: self.package.digest,
            repository: self.repository.clone(),
        }
    }
}

/// A document about an image that is released with it: an SBOM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The document.
    pub digest: Sha256,
    /// What it is: `application/spdx+json`. Clients choose by this.
    pub media_type: String,
    /// The manifest it speaks about.
    pub about: Sha256,
}

impl Candidate {
    /// The artifact.
    pub const fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// Every blob that would be public.
    pub fn blobs(&self) -> &[ReleasedBlob] {
        &self.blobs
    }
}

impl Subject for Candidate {
    fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    fn members(&self) -> &[Artifact] {
        &self.members
    }

    fn origins(&self) -> Option<&[Origin]> {
        Some(&self.origins)
    }
}

/// An image that a channel points at already, with everything that is said of it: it can be judged
/// again, and there is nothing to release. None of its layers was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    artifact: Artifact,
    members: Vec<Artifact>,
    origins: Vec<Origin>,
    size: u64,
}

impl Standing {
    /// What is asked for, if it is what was there before, and all its attachments are public.
    pub fn image(
        (store, records): (&Store, &Records),
        channel: &ChannelName,
        request: &ImageRequest<'_>,
    ) -> Result<Option<Self>, Error> {
        if request.before != Some(request.artifact) {
            return Ok(None);
        }
        for attachment in request.attachments {
            let blobs = records.released(channel.repository(), &attachment.digest)?;
            let is_it = |public: &PublicBlob| {
                public.blob.role == Role::Attachment
                    && public.blob.media_type == attachment.media_type
            };
            if !blobs.iter().any(is_it) {
                return Ok(None);
            }
        }
        Ok(Some(Self {
            artifact: request.artifact.clone(),
            members: request.members(),
            origins: request.origins(),
            size: Documents::read(store, request.artifact)?.download(),
        }))
    }

    /// How many bytes a client fetches that has nothing yet.
    pub const fn download(&self) -> u64 {
        self.size
    }
}

impl Subject for Standing {
    fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    fn members(&self) -> &[Artifact] {
        &self.members
    }

    fn origins(&self) -> Option<&[Origin]> {
        Some(&self.origins)
    }
}
