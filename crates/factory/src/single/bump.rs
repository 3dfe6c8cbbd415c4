//! A recipe moved to another version of upstream: of its text changes what must, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use boltworks_model::{Ambient, Architecture, chain};
use boltworks_recipe::bump::{Known, KnownKind, known_as, known_by, version};
use boltworks_recipe::resolved::{KnownBy, Recipe, SourceRef};
use boltworks_recipe::{PipelineLibrary, parse_recipe, parsed};
use boltworks_source::Discovered;
use boltworks_version::apk::Version;

use super::reading::Reading;
use crate::catalog;
use crate::equipment::Reach;
use crate::files::{Place, TEXT_LIMIT};
use crate::{Error, Home};

/// One recipe to move.
#[derive(Debug, Clone)]
pub struct BumpOrder {
    /// Its file.
    pub file: PathBuf,
    /// The new version.
    pub version: String,
    /// The new commit, of recipes that check one out.
    pub commit: Option<String>,
    /// How the recipe is understood.
    pub reading: Reading,
}

/// A recipe that was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bumped {
    /// The version before.
    pub before: String,
    /// The version now.
    pub version: String,
    /// What its sources are known by now.
    pub renewed: Vec<Renewed>,
    /// Digests that stayed: their address is the same for both versions, or none is found.
    pub left: Vec<String>,
}

/// A digest or commit that was written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// `expected-sha256`, `expected-sha512`, `expected-commit`.
    pub input: &'static str,
    /// What stood there.
    pub before: String,
    /// What stands there.
    pub now: String,
    /// Where the file came from, where one was fetched.
    pub from: Option<String>,
}

/// Moves a recipe: version, epoch 0, and the digests of what it fetches, which is fetched for that
/// as it is now. The file is replaced at once, or not at all.
pub fn bump(home: &Home, order: &BumpOrder, ambient: &Ambient<'_>) -> Result<Bumped, Error> {
    if let Err(error) = order.version.parse::<Version>() {
        return Err(Error::asked(
            error.to_string(),
            "write digits and dots, then perhaps a letter, or _rc, _p or another word with digits: \
             1.2.3_rc1",
        ));
    }
    let place = Place::of(&order.file)?;
    let text = place.read_text(TEXT_LIMIT)?;
    let name = order.file.to_string_lossy();
    let before = parse_recipe(&name, &text)?;
    let unmoved = text;
    let text = version(&before, &unmoved, &order.version)?;
    let parsed = parse_recipe(&name, &text)?;
    let library = order
        .reading
        .library(catalog::pipelines(home)?, &order.file)?
        .passing_over_unknown();
    let readers = Readers {
        order,
        library: &library,
        own: home.architecture(),
    };
    let known = known_by(&parsed)?;
    verify_commits(&known, order.commit.as_deref())?;
    let (addresses, unmarked) = addresses(&parsed, &text, &known, &readers)?;
    let earlier = known_by(&before)?;
    let (earlier, unmarked_before) = self::addresses(&before, &unmoved, &earlier, &readers)?;
    if let Some(uri) = unmarked.iter().find(|uri| !unmarked_before.contains(uri)) {
        return Err(Error::asked(
            format!("what {uri} is known by does not stand in the recipe as an expected-… input"),
            "change version, epoch and digest by hand; nothing was changed in the recipe",
        ));
    }
    let mut renewal = Renewal {
        home,
        order,
        fetched: BTreeMap::new(),
        ambient,
    };
    let mut values = Vec::new();
    let mut bumped = Bumped {
        before: before.package.version.to_string(),
        version: order.version.clone(),
        renewed: Vec::new(),
        left: Vec::new(),
    };
    for ((known, address), earlier) in known.into_iter().zip(addresses).zip(earlier) {
        let is_left = known.kind != KnownKind::Commit && (address.is_none() || address == earlier);
        if is_left {
            // The address does not change with the version, or nobody would fetch it.
            bumped.left.push(known.value.to_string());
            continue;
        }
        let renewed = renewal.renewed(&known, address.as_deref())?;
        values.push((known, renewed.now.clone()));
        bumped.renewed.push(renewed);
    }
    let text = known_as(&parsed, &text, &values)?;
    readers.here(&text)?;
    place.write(
        text.as_bytes(),
        place.stat()?.map_or(0o644, |stat| stat.mode),
    )?;
    Ok(bumped)
}

/// A commit is written where exactly one is.
fn verify_commits(known: &[Known], commit: Option<&str>) -> Result<(), Error> {
    let commits = known.iter().filter(|one| one.kind == KnownKind::Commit);
    let commits: BTreeSet<&str> = commits.map(|one| one.value.as_str()).collect();
    match (commits.len(), commit) {
        (0, Some(commit)) => Err(Error::asked(
            format!("the recipe checks nothing out, and '{commit}' would stand nowhere"),
            "leave `--expected-commit` out",
        )),
        (2.., _) => Err(Error::asked(
            "the recipe checks several commits out, and it is not told which are of this version",
            "change version, epoch and commits by hand",
        )),
        _ => Ok(()),
    }
}

/// How a recipe is understood.
struct Readers<'a> {
    order: &'a BumpOrder,
    library: &'a PipelineLibrary,
    own: Architecture,
}

impl Readers<'_> {
    /// For this machine.
    fn here(&self, text: &str) -> Result<Recipe, Error> {
        let reading = &self.order.reading;
        reading.resolve(&self.order.file, text, self.own, self.library)
    }

    /// For all others, as far as it is understood for them; last with every step, whatever its `if` says.
    fn elsewhere(&self, text: &str) -> Result<Vec<Recipe>, Error> {
        let parsed = parse_recipe(&self.order.file.to_string_lossy(), text)?;
        let mut all = parsed.clone();
        all.unconditional();
        let others = Architecture::ALL.iter().copied();
        let others = others.filter(|architecture| *architecture != self.own);
        let read = |parsed: parsed::Recipe, architecture| {
            let reading = &self.order.reading;
            let read = reading.resolve_parsed(parsed, architecture, self.library);
            read.inspect_err(|reason| tracing::debug!(%reason, "not understood for {architecture}"))
        };
        let others = others.filter_map(|architecture| read(parsed.clone(), architecture).ok());
        let mut others: Vec<Recipe> = others.collect();
        others.extend(read(all, self.own).ok());
        Ok(others)
    }
}

/// What is behind each of what sources are known by, none where no step is found; and the addresses that
/// none of them is about.
type Addresses = (Vec<Option<String>>, Vec<String>);

/// Finds the addresses. Each known thing is given a digest of its own first, since two may have the
/// same.
fn addresses(
    recipe: &parsed::Recipe,
    text: &str,
    known: &[Known],
    readers: &Readers<'_>,
) -> Result<Addresses, Error> {
    let marked = |(number, one): (usize, &Known)| {
        let seed = format!("{number}");
        let mark = match one.kind {
            KnownKind::Sha256 => boltworks_crypto::sha256(seed.as_bytes()).to_string(),
            KnownKind::Sha512 => boltworks_crypto::sha512(seed.as_bytes()).to_string(),
            KnownKind::Commit => one.value.to_string(),
        };
        (one.clone(), mark)
    };
    let marked: Vec<(Known, String)> = known.iter().enumerate().map(marked).collect();
    let text = known_as(recipe, text, &marked)?;
    let recipe = readers.here(&text)?;
    let sources = sources(&recipe);
    let is_about =
        |(one, mark): &(Known, String), source: &SourceRef| match (one.kind, &source.known_by) {
            (KnownKind::Sha256, KnownBy::Digest { sha256, .. }) => mark.parse().ok() == *sha256,
            (KnownKind::Sha512, KnownBy::Digest { sha512, .. }) => mark.parse().ok() == *sha512,
            (KnownKind::Commit, KnownBy::Commit(checkout)) => mark.parse() == Ok(checkout.commit),
            _ => false,
        };
    let find = |one, sources: &[&SourceRef]| {
        let found = sources.iter().find(|source| is_about(one, source));
        found.map(|source| source.uri.clone())
    };
    let mut found: Vec<Option<String>> = marked.iter().map(|one| find(one, &sources)).collect();
    if found.contains(&None) {
        for recipe in readers.elsewhere(&text)? {
            let sources = self::sources(&recipe);
            for (one, found) in marked.iter().zip(&mut found) {
                *found = found.take().or_else(|| find(one, &sources));
            }
        }
    }
    let unmarked = sources
        .iter()
        .filter(|source| !marked.iter().any(|one| is_about(one, source)));
    Ok((found, unmarked.map(|source| source.uri.clone()).collect()))
}

/// The sources of a recipe and of its tests. What is known by nothing does not change with the version.
fn sources(recipe: &Recipe) -> Vec<&SourceRef> {
    let of_tests = recipe.tests().flat_map(|test| &test.sources);
    let all = recipe.sources.iter().chain(of_tests);
    all.filter(|source| !matches!(source.known_by, KnownBy::Nothing(_)))
        .collect()
}

struct Renewal<'a> {
    home: &'a Home,
    order: &'a BumpOrder,
    /// By address.
    fetched: BTreeMap<String, Discovered>,
    ambient: &'a Ambient<'a>,
}

impl Renewal<'_> {
    fn renewed(&mut self, known: &Known, address: Option<&str>) -> Result<Renewed, Error> {
        let before = known.value.to_string();
        let (KnownKind::Sha256 | KnownKind::Sha512, Some(address)) = (known.kind, address) else {
            let commit = self.order.commit.as_ref().ok_or_else(|| {
                Error::asked(
                    format!("the recipe checks out the commit {before}"),
                    "name that of the new version with `--expected-commit`",
                )
            })?;
            return Ok(Renewed {
                input: "expected-commit",
                before,
                now: commit.clone(),
                from: None,
            });
        };
        let found = self.fetch(address)?;
        let (input, now) = match known.kind {
            KnownKind::Sha512 => ("expected-sha512", found.sha512.to_string()),
            _ => ("expected-sha256", found.sha256.to_string()),
        };
        Ok(Renewed {
            input,
            before,
            now,
            from: Some(found.from),
        })
    }

    fn fetch(&mut self, uri: &str) -> Result<Discovered, Error> {
        if let Some(found) = self.fetched.get(uri) {
            return Ok(found.clone());
        }
        let reach = Reach::new(self.home)?;
        let found = reach.fetcher(self.home).discover(uri, self.ambient);
        let found = found.map_err(|error| match error {
            boltworks_source::Error::Cancelled(cancelled) => cancelled.into(),
            error => Error::asked(
                format!("the new version's source is not there: {}", chain(&error)),
                "check the version; nothing was changed in the recipe",
            ),
        })?;
        self.fetched.insert(uri.to_owned(), found.clone());
        Ok(found)
    }
}
