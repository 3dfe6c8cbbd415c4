//! Manifests and tags (distribution-spec, pushing and pulling manifests), and who refers to whom.

use boltworks_crypto::sha256;
use boltworks_model::Sha256;
use boltworks_net::{Content, Exchange, Method};
use boltworks_oci::{Descriptor, Index, media_type, read_index};

use crate::registry::MAX_ANSWER;
use crate::{Error, Registry};

/// No manifest is larger: the limit registries set.
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;
/// What manifests we read.
const KNOWN: &str =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

/// A manifest or index: its bytes and what names them.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) descriptor: Descriptor,
    pub(crate) bytes: Vec<u8>,
}

impl Document {
    /// Takes bytes for what they say they are.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let is_index = read_index(&bytes).is_ok();
        let kind = if is_index {
            media_type::INDEX
        } else {
            media_type::MANIFEST
        };
        let descriptor = Descriptor::new(kind, sha256(&bytes), bytes.len() as u64);
        Self { descriptor, bytes }
    }

    pub(crate) fn is_index(&self) -> bool {
        self.descriptor.media_type == media_type::INDEX
    }
}

impl Registry<'_> {
    /// Whether the repository has a manifest of this digest.
    pub(crate) fn has_manifest(&self, digest: &Sha256) -> Result<bool, Error> {
        let question = Exchange {
            accept: Some(KNOWN),
            ..Exchange::new(Method::Head, MAX_ANSWER)
        };
        let address = self.at(&format!("manifests/{}", digest.prefixed()))?;
        let answer = self.ask(&address, &question)?;
        let what = "look for the manifest in";
        match answer.status {
            200..=299 => {
                self.verify_said(what, &answer, digest)?;
                Ok(true)
            }
            404 => Ok(false),
            _ => Err(Error::refused(what, &self.name, answer)),
        }
    }

    /// Puts a manifest under its digest, or under a tag.
    pub(crate) fn put_manifest(
        &self,
        document: &Document,
        tag: Option<&str>,
    ) -> Result<Put, Error> {
        let digest = document.descriptor.digest;
        let name = tag.map_or_else(|| digest.prefixed(), str::to_owned);
        let what = match tag {
            None => format!("push the manifest {name} to"),
            Some(tag) => format!("set the tag {tag} in"),
        };
        let open = || -> Box<dyn std::io::Read> { Box::new(document.bytes.as_slice()) };
        let content = Content {
            media_type: &document.descriptor.media_type,
            length: document.descriptor.size,
            range: None,
            open: &open,
        };
        let put = Exchange::new(Method::Put, MAX_ANSWER).with(content);
        let answer = self.ask(&self.at(&format!("manifests/{name}"))?, &put)?;
        if !(200..=299).contains(&answer.status) {
            return Err(Error::refused(what, &self.name, answer));
        }
        self.verify_said(&what, &answer, &digest)?;
        Ok(Put {
            knows_subject: answer.header("oci-subject").is_some(),
        })
    }

    /// The manifest under a digest or a tag, hashed; `None` if there is none.
    pub(crate) fn get_manifest(
        &self,
        name: &str,
        digest: Option<&Sha256>,
    ) -> Result<Option<Document>, Error> {
        let question = Exchange {
            accept: Some(KNOWN),
            ..Exchange::new(Method::Get, MAX_MANIFEST)
        };
        let what = format!("pull {name} from");
        let address = self.at(&format!("manifests/{name}"))?;
        let mut failures = 0;
        let (answer, bytes) = loop {
            let answer = self.ask(&address, &question)?;
            match answer.status {
                200..=299 => {}
                404 => return Ok(None),
                _ => return Err(Error::refused(what, &self.name, answer)),
            }
            let said = answer.header("docker-content-digest");
            // A body that breaks off is asked for again.
            let error = match answer.read_all() {
                Ok(bytes) => break (said, bytes),
                Err(error) => error,
            };
            failures += 1;
            if !self
                .retry
                .pause(error.transience(), failures, &self.ambient)?
            {
                return Err(error.into());
            }
        };
        let found = Document::new(bytes);
        let actual = found.descriptor.digest;
        let lied = |said: String| Error::Lied {
            what: what.clone(),
            registry: self.name.clone(),
            digest: actual,
            said: boltworks_model::visible_start(&said, 160),
        };
        if let Some(wanted) = digest.filter(|wanted| **wanted != actual) {
            return Err(lied(wanted.prefixed()));
        }
        if let Some(said) = answer.filter(|said| said.trim() != actual.prefixed()) {
            return Err(lied(said));
        }
        Ok(Some(found))
    }

    /// What refers to a manifest: from the registry's own list, or from the tag that stands in for it
    /// where the registry has none (distribution-spec, listing referrers).
    ///
    /// # Errors
    /// Those of the way, and [`Error::Oci`] for a list that is no index.
    pub fn referrers(&self, digest: &Sha256) -> Result<Vec<Descriptor>, Error> {
        match self.own_referrers(digest)? {
            Some(index) => Ok(index.manifests),
            None => Ok(self.listed_referrers(digest)?.manifests),
        }
    }

    fn own_referrers(&self, digest: &Sha256) -> Result<Option<Index>, Error> {
        let question = Exchange {
            accept: Some(media_type::INDEX),
            ..Exchange::new(Method::Get, MAX_MANIFEST)
        };
        let address = self.at(&format!("referrers/{}", digest.prefixed()))?;
        let answer = self.ask(&address, &question)?;
        match answer.status {
            200 => Ok(Some(read_index(&answer.read_all()?)?)),
            404 => Ok(None),
            _ => Err(Error::refused("ask for referrers in", &self.name, answer)),
        }
    }

    fn listed_referrers(&self, digest: &Sha256) -> Result<Index, Error> {
        match self.get_manifest(&stand_in(digest), None)? {
            Some(list) => Ok(read_index(&list.bytes)?),
            None => Ok(Index::new(Vec::new())),
        }
    }

    /// Adds a manifest to the tag that stands in for the list of what refers to its subject, where the
    /// registry keeps no such list.
    pub(crate) fn list_referrer(
        &self,
        subject: &Sha256,
        referrer: Descriptor,
    ) -> Result<(), Error> {
        if self.own_referrers(subject)?.is_some() {
            return Ok(());
        }
        let mut list = self.listed_referrers(subject)?;
        if list
            .manifests
            .iter()
            .any(|known| known.digest == referrer.digest)
        {
            return Ok(());
        }
        list.manifests.push(referrer);
        let list = Document::new(list.to_bytes()?);
        self.put_manifest(&list, Some(&stand_in(subject)))?;
        Ok(())
    }
}

/// What is known after a manifest was put.
pub(crate) struct Put {
    /// Whether the registry has understood that the manifest has a subject.
    pub(crate) knows_subject: bool,
}

/// The tag of the list of what refers to a manifest.
fn stand_in(digest: &Sha256) -> String {
    format!("sha256-{digest}")
}
