//! What was chosen of which packages, remembered beside the records.
//!
//! The solver is a pure function, and most of what a plan asks it was asked by the plan before.
//! `choices/<digest>` is the answer to one question. Its name is the digest of all that decides it:
//! the indexes by content, what is asked for, what may be chosen, and the program that answered. It
//! holds the digest of the rest, and the rest: the packages as JSON, each with the name that its
//! index has for it.
//!
//! A note that is damaged, half written or from elsewhere is no error: the solver is asked. It is
//! never waited for either, and that it could not be kept is nobody's concern.

use std::sync::OnceLock;

use boltworks_crypto::sha256;
use boltworks_fsx::{Limit, Meta, Node, RelPath, Root, Tree, WriteOptions};
use boltworks_model::{Sha1, Sha256};
use boltworks_plan::{Pick, Unchosen, World, choose, picks};
use boltworks_solver::{Options, Question};
use boltworks_version::apk::Dependency;

use crate::{Error, Home, Host};

/// The folder in the state.
const FOLDER: &str = "choices";
/// The layout of a note; part of its name.
const FORMAT: u32 = 1;
/// No note is larger: a million packages.
const MAX_NOTE: Limit = Limit::mib(256);
/// With more notes than these, all are forgotten.
const MAX_NOTES: usize = 20_000;

/// The folder of notes.
pub(crate) struct Choices {
    state: Root,
    /// Opened at the first question; nothing, where that is not possible.
    folder: OnceLock<Option<Root>>,
    /// The program that answers, by all that tells it from another one.
    program: String,
}

/// A package of an answer, and the name that its index has for it.
type Chosen = (Pick, Sha1);

impl Choices {
    pub(crate) fn new(state: &Root, host: &Host) -> Result<Self, Error> {
        let parts = (host.exe.parent(), host.exe.file_name());
        let file = match parts {
            (Some(folder), Some(name)) => Root::open(folder)
                .and_then(|folder| folder.stat(&RelPath::new(name.as_encoded_bytes())?))
                .unwrap_or_default(),
            _ => None,
        };
        Ok(Self {
            state: state.try_clone()?,
            folder: OnceLock::new(),
            program: format!("{} {file:?}", host.program),
        })
    }

    fn folder(&self) -> Option<&Root> {
        let open = || {
            let path = RelPath::try_from(FOLDER).ok()?;
            let folder = self.state.make_dir(&path).ok()?;
            if folder.list().ok()?.len() > MAX_NOTES {
                self.state.remove_tree(&path).ok()?;
                return self.state.make_dir(&path).ok();
            }
            Some(folder)
        };
        self.folder.get_or_init(open).as_ref()
    }

    fn read(&self, name: &RelPath) -> Option<Vec<Chosen>> {
        let bytes = self.folder()?.read_vec(name, MAX_NOTE).ok()?;
        let (expected, rest) = bytes.split_first_chunk::<32>()?;
        let is_whole = sha256(rest) == Sha256::new(*expected);
        is_whole.then(|| serde_json::from_slice(rest).ok())?
    }

    /// Not durable: what a crash leaves of it is not believed.
    fn write(&self, name: &RelPath, chosen: &[Chosen]) -> Option<()> {
        let rest = serde_json::to_vec(chosen).ok()?;
        let bytes = [sha256(&rest).as_bytes().as_slice(), &rest].concat();
        let folder = self.folder()?;
        // One that is there is damaged, or somebody else's who was as fast.
        folder.remove_tree(name).ok()?;
        let mut tree = Tree::new();
        let node = Node::file(Meta::new(0o644, 0), bytes);
        tree.insert(name.clone(), node).ok()?;
        tree.write_to(folder, WriteOptions::default()).ok()
    }
}

impl Home {
    /// Chooses packages as [`choose`] does, or remembers what it chose.
    pub(crate) fn choose(
        &self,
        world: &World,
        wanted: &[Dependency],
        options: &Options,
    ) -> Result<Vec<Pick>, Unchosen> {
        let question = Question::new(&world.universe, wanted, options);
        let name = question.text().and_then(|question| {
            let program = &self.choices.program;
            let text = format!("choice {FORMAT} {program}\n{question}");
            RelPath::new(sha256(text.as_bytes()).to_string()).ok()
        });
        let Some(name) = name else {
            return choose(world, wanted, options);
        };
        let is_here = |(pick, identity): &Chosen| world.files.get(identity) == Some(&pick.sha256);
        let known = self.choices.read(&name);
        if let Some(known) = known.filter(|known| known.iter().all(is_here)) {
            return Ok(known.into_iter().map(|(pick, _)| pick).collect());
        }
        let solution = question.solve();
        let solution =
            solution.map_err(|unsolvable| Unchosen::Unsolvable(unsolvable.to_string()))?;
        let chosen = picks(&solution, &world.files).map_err(Unchosen::Unknown)?;
        let identities = solution.packages.iter().map(|one| one.entry.identity);
        let note: Vec<Chosen> = chosen.iter().cloned().zip(identities).collect();
        if self.choices.write(&name, &note).is_none() {
            tracing::debug!("what was chosen could not be noted");
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_note_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let choices = Choices {
            state: Root::open(folder.path()).unwrap(),
            folder: OnceLock::new(),
            program: String::new(),
        };
        let name = RelPath::try_from("note").unwrap();
        assert!(choices.read(&name).is_none());
        let pick = Pick {
            name: "zlib".into(),
            version: "1.3.1-r0".into(),
            repository: "os".into(),
            sha256: Sha256::new([7; 32]),
        };
        let chosen = [(pick, Sha1::new([9; 20]))];
        for _ in 0..2 {
            choices.write(&name, &chosen).unwrap();
            assert_eq!(choices.read(&name).unwrap(), chosen);
        }
        let notes = choices.folder().unwrap();
        let whole = notes.read_vec(&name, MAX_NOTE).unwrap();
        for length in [0, 31, 32, whole.len() - 1] {
            let (part, _) = whole.split_at(length);
            notes.write(&name, part, 0o644).unwrap();
            assert!(choices.read(&name).is_none());
        }
        let mut other = whole;
        *other.last_mut().unwrap() ^= 1;
        notes.write(&name, &other, 0o644).unwrap();
        assert!(choices.read(&name).is_none());
    }
}
