//! A small factory: real packages, a signed index, an image with documents, real records.

use boltworks_apk::{Control, Index, IndexEntry, Parts, Scripts, WriteOptions, write_package};
use boltworks_crypto::{Keyring, RsaPrivateKey, Signer, sha256};
use boltworks_fsx::{Meta, Node, RelPath, Root, Tree, tar};
use boltworks_gate::{Cleared, Policy, judge};
use boltworks_model::{
    Architecture, Artifact, ArtifactKind, ChannelName, Coordinate, Evidence, EvidenceKind, Sha256,
    Timestamp, Verdict,
};
use boltworks_oci::{ImageParts, ImagePlan, Layer, Process, media_type};
use boltworks_records::Records;
use boltworks_release::{
    Attachment, Candidate, ImageRequest, Inside, Release, RepositoryRequest, publish,
};
use boltworks_store::Store;
use tempfile::TempDir;

/// When everything was made.
pub(crate) const MADE: Timestamp = Timestamp(1_000_000_000);

pub(crate) struct Factory {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) records: Records,
    pub(crate) signer: Signer,
    pub(crate) keys: Keyring,
}

/// An image whose blobs are in the store.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) artifact: Artifact,
    pub(crate) parts: ImageParts,
    pub(crate) documents: Vec<Attachment>,
}

/// A package that is in the store.
#[derive(Clone)]
pub(crate) struct Package {
    pub(crate) artifact: Artifact,
    pub(crate) entry: IndexEntry,
}

impl Factory {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Root::open(folder.path()).unwrap()).unwrap();
        let records = Records::open(&folder.path().join("records.db")).unwrap();
        let signer = Signer {
            name: "web.rsa.pub".to_owned(),
            key: RsaPrivateKey::generate_short().unwrap(),
        };
        let mut keys = Keyring::new();
        keys.insert(signer.name.as_str(), signer.key.public());
        Self {
            folder,
            store,
            records,
            signer,
            keys,
        }
    }

    /// An image of one layer with one file, and an SBOM about it.
    pub(crate) fn image(&self, name: &str, content: &[u8]) -> Image {
        let mut tree = Tree::new();
        let file = Node::file(Meta::new(0o644, MADE.0), content);
        tree.insert(path("hello"), file).unwrap();
        let mut writer = tar::Writer::new(Vec::new());
        writer.append_tree(&tree).unwrap();
        let layer = writer.finish_with_end().unwrap();
        let layer = self.store.put_bytes(&layer).unwrap();
        let plan = ImagePlan {
            architecture: Architecture::X86_64,
            created: MADE,
            author: "test".to_owned(),
            process: Process::default(),
            annotations: [].into(),
            below: Vec::new(),
        };
        let layer = Layer {
            digest: layer.digest,
            size: layer.size,
            diff_id: layer.digest,
            media_type: media_type::LAYER,
            comment: None,
        };
        let parts = ImageParts::new(&plan, vec![layer], sha256).unwrap();
        for document in [&parts.config, &parts.manifest, &parts.index] {
            self.store.put_bytes(&document.bytes).unwrap();
        }
        let about = parts.manifest.digest;
        let sbom = self
            .store
            .put_bytes(format!("{{\"sbom\":\"{about}\"}}").as_bytes())
            .unwrap();
        let documents = vec![Attachment {
            digest: sbom.digest,
            media_type: media_type::SPDX.to_owned(),
            about,
        }];
        let size = parts.manifest.size();
        let artifact = artifact(ArtifactKind::Image, (name, "1"), about, size);
        Image {
            artifact,
            parts,
            documents,
        }
    }

    /// A signed package with one file.
    pub(crate) fn package(&self, name: &str, version: &str, content: &[u8]) -> Package {
        let control = Control::new(name.parse().unwrap(), version.parse().unwrap(), "x86_64");
        let mut tree = Tree::new();
        let file = Node::file(Meta::new(0o644, MADE.0), content);
        tree.insert(path(&format!("usr/share/{name}")), file)
            .unwrap();
        let parts = Parts {
            control: &control,
            scripts: &Scripts::new(),
            embedded: &[],
            tree: &tree,
        };
        let mut bytes = Vec::new();
        let options = WriteOptions::new(MADE.0);
        let written = write_package(&mut bytes, &parts, &self.signer, &options).unwrap();
        let stored = self.store.put_bytes(&bytes).unwrap();
        let artifact = artifact(
            ArtifactKind::Apk,
            (name, version),
            stored.digest,
            stored.size,
        );
        Package {
            artifact,
            entry: IndexEntry::new(&control, &written),
        }
    }

    /// A signed index of packages.
    pub(crate) fn index(&self, packages: &[Package]) -> Artifact {
        let entries = packages
            .iter()
            .map(|package| package.entry.clone())
            .collect();
        let bytes = Index::new("os", entries)
            .write(&self.signer, MADE.0)
            .unwrap();
        let stored = self.store.put_bytes(&bytes).unwrap();
        artifact(
            ArtifactKind::ApkIndex,
            ("os", "1"),
            stored.digest,
            stored.size,
        )
    }

    pub(crate) fn image_candidate(&self, image: &Image) -> Candidate {
        let package = artifact(
            ArtifactKind::Apk,
            ("hello", "1-r0"),
            Sha256::new([1; 32]),
            5,
        );
        let packages = [Inside {
            package,
            repository: "os".to_owned(),
        }];
        let request = ImageRequest {
            artifact: &image.artifact,
            packages: &packages,
            attachments: &image.documents,
            before: None,
        };
        Candidate::image(&self.store, &request).unwrap()
    }

    pub(crate) fn repository_candidate(
        &self,
        channel: &str,
        index: &Artifact,
        packages: &[Package],
    ) -> Result<Candidate, boltworks_release::Error> {
        let packages: Vec<_> = packages
            .iter()
            .map(|package| package.artifact.clone())
            .collect();
        let request = RepositoryRequest {
            channel: &name(channel),
            index,
            packages: &packages,
            keys: &self.keys,
        };
        Candidate::repository(&self.store, &self.records, &request)
    }

    pub(crate) fn release_image(&mut self, channel: &str, image: &Image) -> Release {
        let candidate = self.image_candidate(image);
        self.publish(channel, candidate)
    }

    pub(crate) fn release_repository(&mut self, channel: &str, packages: &[Package]) -> Release {
        let index = self.index(packages);
        let candidate = self
            .repository_candidate(channel, &index, packages)
            .unwrap();
        self.publish(channel, candidate)
    }

    fn publish(&mut self, channel: &str, candidate: Candidate) -> Release {
        let before = self
            .records
            .current(&name(channel))
            .unwrap()
            .map(|now| now.after());
        publish(
            &mut self.records,
            &name(channel),
            before,
            cleared(candidate),
            MADE,
        )
        .unwrap()
    }
}

/// What the gate lets through once there is an SBOM and a signature for everything.
pub(crate) fn cleared(candidate: Candidate) -> Cleared<Candidate> {
    use boltworks_gate::Subject;
    let policy = Policy {
        name: "release".to_owned(),
        require: vec![EvidenceKind::Sbom, EvidenceKind::Signature],
        require_of_itself: Vec::new(),
        forbid_repositories: ["stage0".to_owned()].into(),
    };
    let subjects = std::iter::once(candidate.artifact()).chain(candidate.members());
    let evidence: Vec<Evidence> = subjects
        .flat_map(|subject| {
            policy
                .require
                .iter()
                .map(move |&kind| (subject.clone(), kind))
        })
        .map(|(subject, kind)| Evidence {
            subject,
            kind,
            verdict: Verdict::Pass,
            document: None,
            at: MADE,
        })
        .collect();
    judge(&policy, candidate, &evidence, MADE).unwrap()
}

pub(crate) fn name(channel: &str) -> ChannelName {
    channel.parse().unwrap()
}

fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

fn artifact(
    kind: ArtifactKind,
    (name, version): (&str, &str),
    digest: Sha256,
    size: u64,
) -> Artifact {
    let coordinate = Coordinate {
        kind,
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: Architecture::X86_64,
    };
    Artifact {
        coordinate,
        digest,
        size,
    }
}
