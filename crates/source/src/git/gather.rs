//! A checkout brought here: its repository and those within it, each in a folder of its own.

use std::num::NonZeroU32;
use std::time::Duration;

use boltworks_fsx::{RelPath, Root, Tree};
use boltworks_model::{Checkout, Depth, ObjectId, Pick, RefName, Remote};

use super::objects::Objects;
use super::submodules::{Submodule, links, refused, submodules};
use super::tool::{Git, Opening};
use super::walk;
use crate::error::Attempts;
use crate::{Error, Mirror};

/// The deepest nesting of submodules.
const MAX_DEPTH: usize = 16;
/// The most submodules of one checkout.
const MAX_SUBMODULES: usize = 1000;
/// The waits between attempts.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];
/// A commit that is applied on top, with the one it changes.
const WITH_PARENT: Depth = Depth::Last(NonZeroU32::MIN.saturating_add(1));
/// Where branches and tags are kept.
const KEPT: &str = "refs/kept";
/// Where the tag is kept.
const TAG: &str = "refs/kept/tag";

/// A repository with what is wanted of it.
pub(super) struct Part<'a> {
    pub(super) git: Git<'a>,
    /// The commit, or the tag that names it.
    pub(super) object: ObjectId,
    /// Commits, each with how much before it is wanted.
    pub(super) roots: Vec<(ObjectId, Depth)>,
    /// Where it belongs in another one, which has this number.
    pub(super) place: Option<(usize, Submodule)>,
    /// Where it came from.
    pub(super) from: Remote,
}

/// What is needed to bring repositories here.
pub(super) struct Gathering<'a> {
    /// An empty folder.
    pub(super) folder: &'a Root,
    pub(super) mirrors: &'a [Mirror],
    /// A blob that was made before, and is taken in place of servers: what is in it is named anew.
    pub(super) packs: Option<&'a Tree>,
    /// How each repository is opened.
    pub(super) opening: &'a dyn Fn(u64) -> Opening<'a>,
}

impl<'a> Gathering<'a> {
    /// Brings a repository with its submodules.
    pub(super) fn gather(
        &self,
        remote: &Remote,
        checkout: &Checkout,
    ) -> Result<Vec<Part<'a>>, Error> {
        let (git, from) = self.bring(remote, (0, 0), &checkout.commit, |git, remote| {
            main(git, remote, checkout)
        })?;
        let picks = checkout.picks.iter();
        let picks = picks.map(|pick| (pick.commit, WITH_PARENT));
        // An annotated tag comes with its commit: programs ask git what the version is.
        let tag = checkout.tag.as_ref().map(|_| git.named(TAG));
        let object = tag.transpose()?.flatten().unwrap_or(checkout.commit);
        let commit = git.objects(|objects| {
            let absent = || absent(&from, &checkout.commit);
            let (_, commit) = walk::peel(objects, checkout.commit)?.ok_or_else(absent)?;
            let (_, tagged) = walk::peel(objects, object)?.ok_or_else(absent)?;
            if tagged != commit {
                return Err(absent());
            }
            for pick in &checkout.picks {
                verify_pick(objects, &from, pick)?;
            }
            Ok(commit)
        })?;
        let mut parts = vec![Part {
            git,
            object,
            roots: std::iter::once((commit, checkout.depth))
                .chain(picks)
                .collect(),
            place: None,
            from,
        }];
        if checkout.submodules {
            self.submodules(remote, commit, &mut parts)?;
        }
        Ok(parts)
    }

    /// Brings what is within, and what is within that.
    fn submodules(
        &self,
        remote: &Remote,
        commit: ObjectId,
        parts: &mut Vec<Part<'a>>,
    ) -> Result<(), Error> {
        // Number, address and commit of what is looked into next, and how deep it is.
        let mut open = vec![(0, remote.clone(), commit, 0)];
        while let Some((number, remote, commit, depth)) = open.pop() {
            let Some(part) = parts.get(number) else {
                continue;
            };
            for submodule in within(&part.git, &commit, &remote)? {
                if depth >= MAX_DEPTH || parts.len() > MAX_SUBMODULES {
                    return Err(refused(&submodule.path, "there are too many submodules"));
                }
                let before = parts.iter().map(|part| part.git.size()).sum();
                let number_of_new = parts.len();
                let wanted = submodule.commit;
                let opened = (number_of_new, before);
                let (git, from) =
                    self.bring(&submodule.remote, opened, &wanted, |git, remote| {
                        by_name(git, remote, &wanted, Depth::ONE)
                    })?;
                open.push((number_of_new, submodule.remote.clone(), wanted, depth + 1));
                parts.push(Part {
                    git,
                    object: wanted,
                    roots: vec![(wanted, Depth::ONE)],
                    place: Some((number, submodule)),
                    from,
                });
            }
        }
        Ok(())
    }

    /// Brings a repository from upstream or the first mirror that has it.
    fn bring(
        &self,
        remote: &Remote,
        (number, before): (usize, u64),
        like: &ObjectId,
        fetch: impl Fn(&Git<'a>, &Remote) -> Result<(), Error>,
    ) -> Result<(Git<'a>, Remote), Error> {
        let folder = RelPath::try_from(number.to_string())?;
        if let Some(packs) = self.packs {
            self.folder.remove_tree(&folder)?;
            let opening = (self.opening)(before);
            let git = Git::init(self.folder.make_dir(&folder)?, like, opening)?;
            let part = |name| super::content(packs, number, name);
            git.take(part("pack").ok_or_else(|| absent(remote, like))?)?;
            let object = super::text(packs, number, "object")?;
            if let Ok(object) = object.parse() {
                git.name(TAG, &object)?;
            }
            return Ok((git, remote.clone()));
        }
        let mirrored = self.mirrors.iter();
        let mirrored = mirrored.filter_map(|mirror| mirror.translate(remote.as_str()));
        let mirrored =
            mirrored.map(|address| super::remote(&address).map_err(|error| (address, error)));
        let places = std::iter::once(Ok(remote.clone())).chain(mirrored);
        let mut tried = Vec::new();
        for place in places {
            let place = match place {
                Ok(place) => place,
                // Why it is not upstream is not hidden by a mirror that is of no use.
                Err(unusable) => {
                    tried.push(unusable);
                    continue;
                }
            };
            self.folder.remove_tree(&folder)?;
            let opening = (self.opening)(before);
            let git = Git::init(self.folder.make_dir(&folder)?, like, opening)?;
            match patiently(&git, || fetch(&git, &place)) {
                Ok(()) => return Ok((git, place)),
                Err(error) if error.is_about_this_place() => {
                    tracing::info!(%place, %error, "not here");
                    tried.push((place.to_string(), error));
                }
                Err(error) => return Err(error),
            }
        }
        match <[_; 1]>::try_from(tried) {
            Ok([(_, error)]) => Err(error),
            Err(several) => Err(Error::Unavailable {
                uri: remote.to_string(),
                tried: Attempts(several),
            }),
        }
    }
}

/// Tries again where a server or the way to it was only disturbed.
fn patiently(git: &Git<'_>, fetch: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    for wait in WAITS {
        match fetch() {
            Err(error) if is_disturbance(&error) => {
                tracing::info!(%error, ?wait, "trying again");
                git.job.ambient.clock.sleep(wait);
                git.job.ambient.cancel.check()?;
            }
            other => return other,
        }
    }
    fetch()
}

fn is_disturbance(error: &Error) -> bool {
    const WORDS: [&str; 7] = [
        "Connection reset",
        "RPC failed",
        "early EOF",
        "hung up unexpectedly",
        "returned error: 429",
        "returned error: 5",
        "timed out",
    ];
    matches!(error, Error::Failed { said, .. } if WORDS.iter().any(|words| said.contains(words)))
}

/// The submodules of a commit.
fn within(git: &Git<'_>, commit: &ObjectId, remote: &Remote) -> Result<Vec<Submodule>, Error> {
    let (links, modules) = links(&git.listing(commit)?)?;
    let Some(modules) = modules.filter(|_| !links.is_empty()) else {
        return match links.first() {
            None => Ok(Vec::new()),
            Some((path, _)) => Err(refused(
                path,
                "there is no .gitmodules that says where it is",
            )),
        };
    };
    submodules(links, &git.configuration(&modules)?, remote)
}

/// Fetches the commit of a checkout and what is applied on top, after the branch or tag was held against
/// it.
fn main(git: &Git<'_>, remote: &Remote, checkout: &Checkout) -> Result<(), Error> {
    match (&checkout.tag, &checkout.branch) {
        (Some(tag), _) => tagged(git, remote, checkout, tag)?,
        (None, Some(branch)) => on_branch(git, remote, checkout, branch)?,
        (None, None) => by_name(git, remote, &checkout.commit, checkout.depth)?,
    }
    for pick in &checkout.picks {
        picked(git, remote, pick)?;
    }
    Ok(())
}

/// The commit must be the one that the tag names, or the tag itself.
fn tagged(git: &Git<'_>, remote: &Remote, checkout: &Checkout, tag: &RefName) -> Result<(), Error> {
    let name = format!("refs/tags/{tag}");
    let peeled = format!("{name}^{{}}");
    let refs = git.refs(remote, &[name.clone(), peeled.clone()])?;
    let object = refs
        .get(&name)
        .ok_or_else(|| nameless("tag", tag, remote))?;
    let commit = refs.get(&peeled).unwrap_or(object);
    if checkout.commit != *commit && checkout.commit != *object {
        return Err(Error::OtherCommit {
            what: format!("the tag {tag}"),
            repository: remote.to_string(),
            expected: checkout.commit,
            found: *commit,
        });
    }
    let wanted = [format!("+{name}:{TAG}")];
    deepened(git, remote, checkout, &wanted)
}

/// The commit must be on the branch, at its end if that is asked for.
fn on_branch(
    git: &Git<'_>,
    remote: &Remote,
    checkout: &Checkout,
    branch: &RefName,
) -> Result<(), Error> {
    let name = format!("refs/heads/{branch}");
    let refs = git.refs(remote, std::slice::from_ref(&name))?;
    let tip = refs
        .get(&name)
        .ok_or_else(|| nameless("branch", branch, remote))?;
    if checkout.is_tip && checkout.commit != *tip {
        return Err(Error::OtherCommit {
            what: format!("the end of the branch {branch}"),
            repository: remote.to_string(),
            expected: checkout.commit,
            found: *tip,
        });
    }
    let wanted = [format!("+{name}:{KEPT}/branch")];
    let elsewhere = || Error::OtherBranch {
        branch: branch.clone(),
        repository: remote.to_string(),
        commit: checkout.commit,
    };
    match deepened(git, remote, checkout, &wanted) {
        Ok(()) if checkout.commit == *tip || git.is_before(&checkout.commit, tip)? => Ok(()),
        Ok(()) | Err(Error::NoCommit { .. }) => Err(elsewhere()),
        Err(error) => Err(error),
    }
}

/// The commit is asked for by its name, or where a server does not take that is looked for on every
/// branch and tag.
fn by_name(git: &Git<'_>, remote: &Remote, commit: &ObjectId, depth: Depth) -> Result<(), Error> {
    let wanted = [format!("{commit}:{KEPT}/commit")];
    match git.fetch(remote, depth, &wanted) {
        Err(error) if is_refusal(&error) => everything(git, remote, commit),
        other => other,
    }
}

/// A commit with the one before it.
fn picked(git: &Git<'_>, remote: &Remote, pick: &Pick) -> Result<(), Error> {
    let wanted = [format!("{}:{KEPT}/pick", pick.commit)];
    match git.fetch(remote, WITH_PARENT, &wanted) {
        Err(error) if is_refusal(&error) => match &pick.branch {
            Some(branch) => {
                let wanted = [format!("+refs/heads/{branch}:{KEPT}/pick")];
                git.fetch(remote, Depth::All, &wanted)
            }
            None => everything(git, remote, &pick.commit),
        },
        other => other,
    }
}

/// Every branch and tag, among which the commit must be.
fn everything(git: &Git<'_>, remote: &Remote, commit: &ObjectId) -> Result<(), Error> {
    let wanted = ["heads", "tags"].map(|sort| format!("+refs/{sort}/*:{KEPT}/{sort}/*"));
    git.fetch(remote, Depth::All, &wanted)?;
    if git.objects(|objects| Ok(walk::peel(objects, *commit)?.is_some()))? {
        Ok(())
    } else {
        Err(absent(remote, commit))
    }
}

/// Fetches a branch or tag, deeper and deeper, until the commit is there with all that is wanted before
/// it.
fn deepened(
    git: &Git<'_>,
    remote: &Remote,
    checkout: &Checkout,
    wanted: &[String],
) -> Result<(), Error> {
    let mut depth = checkout.depth;
    loop {
        git.fetch(remote, depth, wanted)?;
        let is_whole = git.objects(|objects| is_whole(objects, checkout, git))?;
        depth = match depth {
            _ if is_whole => return Ok(()),
            Depth::All => return Err(absent(remote, &checkout.commit)),
            Depth::Last(count) => deeper(count),
        };
    }
}

fn is_whole(objects: &mut Objects<'_>, checkout: &Checkout, git: &Git<'_>) -> Result<bool, Error> {
    let Some((_, commit)) = walk::peel(objects, checkout.commit)? else {
        return Ok(false);
    };
    let roots = [(commit, checkout.depth)];
    Ok(walk::select(objects, &roots, git.job.ambient)?
        .missing
        .is_none())
}

/// The next depth to try.
fn deeper(count: NonZeroU32) -> Depth {
    const ENOUGH: u32 = 10_000;
    match count.get().saturating_mul(10) {
        more if more > ENOUGH => Depth::All,
        more => NonZeroU32::new(more).map_or(Depth::All, Depth::Last),
    }
}

/// Whether a server only does not give commits by their names.
fn is_refusal(error: &Error) -> bool {
    let Error::Failed { said, .. } = error else {
        return false;
    };
    ["unadvertised object", "not our ref", "remote ref"]
        .iter()
        .any(|words| said.contains(words))
}

/// A commit that is applied on top is a change of one other.
fn verify_pick(objects: &mut Objects<'_>, remote: &Remote, pick: &Pick) -> Result<(), Error> {
    let parents = walk::parents(objects, pick.commit)?;
    let parents = parents.ok_or_else(|| absent(remote, &pick.commit))?;
    match parents.as_slice() {
        [] | [_] => Ok(()),
        _ => Err(Error::BadObject {
            kind: "commit".to_owned(),
            id: pick.commit,
            reason: "it joins branches, and cannot be applied on top: name the commits it joins",
        }),
    }
}

fn absent(remote: &Remote, commit: &ObjectId) -> Error {
    Error::NoCommit {
        repository: remote.to_string(),
        commit: *commit,
    }
}

fn nameless(what: &'static str, name: &RefName, remote: &Remote) -> Error {
    Error::NotFound {
        what: format!("the {what} {name}"),
        index: remote.to_string(),
        reason: format!("it has no such {what}"),
    }
}
