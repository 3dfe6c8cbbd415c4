//! What is run, in order, and which sources must lie ready for it.

use std::collections::BTreeMap;

use boltworks_model::{Checkout, Sha256, Sha512};
use boltworks_yaml::Place;

use crate::parsed::Origin;
use crate::{Error, Problem};

/// A script to run, or steps that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// For people: the step's own name, or that of the pipeline it comes from.
    pub name: Option<String>,
    /// The name as melange prints it: the step's own, and in a pipeline's file with its variables.
    pub written_name: Option<String>,
    /// For programs.
    pub label: Option<String>,
    /// The pipeline it comes from: `autoconf/make`.
    pub uses: Option<String>,
    /// What that pipeline was given: its inputs that are not the default as it is written.
    pub with: BTreeMap<String, String>,
    /// A script for `/bin/sh -c 'set -eo pipefail; …'`.
    pub runs: Option<String>,
    /// The absolute folder in the guest; it is made where it is missing.
    pub working_directory: String,
    /// Variables on top of the environment's, inherited ones included.
    pub environment: BTreeMap<String, String>,
    /// How many of the steps within must run: fewer are refused, so this is for people.
    pub required_steps: u32,
    /// Steps to run after [`runs`](Self::runs), in order.
    pub pipeline: Vec<Self>,
    /// The source whose blob must lie at [`Fetch::guest_path`] before this step runs.
    pub fetch: Option<Fetch>,
    /// The commit whose blob must lie at [`SourceRef::guest_path`] before this step runs.
    pub checkout: Option<SourceRef>,
}

impl Step {
    /// Every step with a script, in the order they run: itself, then what it holds.
    pub fn scripts(&self) -> Vec<&Self> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Self>) {
        if self.runs.is_some() {
            found.push(self);
        }
        for step in &self.pipeline {
            step.collect(found);
        }
    }
}

/// One use of the `fetch` pipeline. Fetching happens outside the guest; the step only unpacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What it fetches: the file name beneath [`SOURCES`](super::guest::SOURCES),
    /// `sha256:HEX` or `sha512:HEX` of the digest *the recipe* expects. The same for two
    /// fetches exactly when they expect the same bytes.
    pub key: String,
    /// The recipe's address.
    pub uri: String,
    /// The expected digest.
    pub expected_sha256: Option<Sha256>,
    /// The expected digest, where upstream publishes this one.
    pub expected_sha512: Option<Sha512>,
    /// How many leading folders are cut from the paths inside.
    pub strip_components: u32,
    /// Whether it is unpacked.
    pub extract: bool,
    /// Whether the archive itself is left out of the step's folder.
    pub delete: bool,
    /// Where it is unpacked, beneath the step's folder unless absolute.
    pub directory: String,
    /// The package's name in the SBOM.
    pub purl_name: String,
    /// The package's version in the SBOM.
    pub purl_version: String,
}

impl Fetch {
    /// Where the blob must lie in the guest.
    pub fn guest_path(&self) -> String {
        format!("{}/{}", super::guest::SOURCES, self.key)
    }
}

/// Upstream bytes a recipe needs, each named once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRef {
    /// The file name beneath [`SOURCES`](super::guest::SOURCES): [`Fetch::key`] of the fetches that use
    /// it, or [`Checkout::key`].
    pub key: String,
    /// The recipe's address: a file's, or a repository's.
    pub uri: String,
    /// What the recipe says it is.
    pub known_by: KnownBy,
    /// Where the recipe gives the address.
    pub written: Written,
}

/// Where something is written; nowhere, where a recipe was read back from its package.
#[derive(Debug, Clone, Default)]
pub struct Written(pub Option<Box<Place>>);

impl PartialEq for Written {
    /// Always equal: where something stands does not change what it says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

/// Where texts are written, by text.
#[derive(Debug, Clone, Default)]
pub struct Places {
    origin: Origin,
    /// Line and column: a place with its line is made for one that is asked for, not for all.
    at: BTreeMap<String, (u32, u32)>,
}

impl Places {
    /// Texts of a file; of several places of one text the first counts.
    pub(crate) fn new(origin: &Origin, texts: impl Iterator<Item = (String, (u32, u32))>) -> Self {
        let mut at = BTreeMap::new();
        for (text, place) in texts {
            at.entry(text).or_insert(place);
        }
        let origin = if at.is_empty() {
            Origin::default()
        } else {
            origin.clone()
        };
        Self { origin, at }
    }

    /// Where a text is written.
    pub fn of(&self, text: &str) -> Option<Place> {
        let (line, column) = self.at.get(text)?;
        Some(self.origin.at(*line, *column))
    }
}

impl PartialEq for Places {
    /// Always equal, as [`Written`] is.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Places {}

/// What a recipe knows a source by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownBy {
    /// A file, by one digest or both.
    Digest {
        /// The expected digest.
        sha256: Option<Sha256>,
        /// The expected digest, where upstream publishes this one.
        sha512: Option<Sha512>,
    },
    /// What is checked out of a repository, by its commit.
    Commit(Box<Checkout>),
    /// Nothing: a recipe like this can be read, and not be built.
    Nothing(Box<Unpinned>),
}

/// Why a git repository cannot be checked out, and where the recipe says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpinned {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub problem: Problem,
}

impl Unpinned {
    /// The error of whoever wants to fetch it.
    pub fn error(&self) -> Error {
        Error::at(self.place.clone(), self.problem.clone())
    }
}

impl SourceRef {
    /// Where the blob must lie in the guest.
    pub fn guest_path(&self) -> String {
        format!("{}/{}", super::guest::SOURCES, self.key)
    }

    /// That nothing can fetch from the address, at its place; nothing where that is not known.
    pub fn unfetchable(&self, reason: &'static str) -> Option<Error> {
        let place = self.written.0.as_deref()?;
        let uri = boltworks_model::visible_start(&self.uri, 160);
        let problem = Problem::Unfetchable { uri, reason };
        Some(Error::at(place.clone(), problem))
    }
}

impl From<&Fetch> for SourceRef {
    fn from(fetch: &Fetch) -> Self {
        Self {
            key: fetch.key.clone(),
            uri: fetch.uri.clone(),
            known_by: KnownBy::Digest {
                sha256: fetch.expected_sha256,
                sha512: fetch.expected_sha512,
            },
            written: Written::default(),
        }
    }
}
