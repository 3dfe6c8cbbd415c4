//! A commit laid out for a person to change, and what they changed as patches.
//!
//! A build never sees this: it makes its own repository in the guest. Here too nothing of a repository
//! is run: no hooks, no filters, no programs of its configuration.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use boltworks_fsx::tar::{Policy, read_tree};
use boltworks_fsx::{Limit, RelPath, Root, Tree};
use boltworks_model::{Checkout, ObjectId};
use boltworks_store::BlobFile;

use super::tool::base;
use super::{content, text};
use crate::{Error, Program};

/// No answer of git is longer.
const MAX_ANSWER: Limit = Limit::mib(16);
/// What a person's own commits come after.
const BASE: &str = "refs/boltworks/base";
/// Who commits what is applied on top.
const COMMITTER: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "build"),
    ("GIT_AUTHOR_EMAIL", "build@localhost"),
    ("GIT_COMMITTER_NAME", "build"),
    ("GIT_COMMITTER_EMAIL", "build@localhost"),
];

/// A repository with its files, in somebody's folder.
#[derive(Debug)]
pub struct Worktree {
    path: PathBuf,
}

/// A patch that a recipe applies.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Its file, absolute.
    pub file: PathBuf,
    /// What it is called, without a folder.
    pub name: String,
    /// How many leading folders are cut from the paths in it.
    pub strip: u32,
    /// How many lines around a change may differ.
    pub fuzz: u32,
}

impl Worktree {
    /// Makes a repository of a commit's blob in a folder that is not there yet, or empty, with what is
    /// applied on top.
    pub fn make(
        blob: &BlobFile,
        (address, checkout): (&str, &Checkout),
        path: &Path,
    ) -> Result<Self, Error> {
        let folder = Root::create(path)?;
        if !folder.list()?.is_empty() {
            return Err(Error::Occupied {
                path: path.to_owned(),
            });
        }
        let parts = read_tree(blob.file(), Policy::default())?;
        let worktree = Self {
            path: path.to_owned(),
        };
        worktree.repository(&Repository {
            parts: &parts,
            number: 0,
            at: String::new(),
            own: ".git".to_owned(),
            url: address,
        })?;
        worktree.point(
            checkout,
            &text(&parts, 0, "commit")?,
            &text(&parts, 0, "object")?,
        )?;
        worktree.git(".", &["reset", "--quiet", "--hard"])?;
        worktree.submodules(&parts)?;
        for pick in &checkout.picks {
            let commit = pick.commit.to_string();
            worktree.git(".", &["cherry-pick", "--no-gpg-sign", "-x", &commit])?;
        }
        worktree.mark()?;
        Ok(worktree)
    }

    /// Opens one that was made before.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Root::open(path)?;
        let path = path.to_owned();
        Ok(Self { path })
    }

    /// Applies a patch and commits it: as a mail, or else as a difference, under the patch's name.
    pub fn apply(&self, patch: &Patch) -> Result<(), Error> {
        let (strip, file) = (format!("-p{}", patch.strip), patch.file.as_os_str());
        let mail = self
            .program(".")
            .args(["am", "--no-gpg-sign", "--quiet", &strip]);
        if mail.arg("--").arg(file).output(MAX_ANSWER).is_ok() {
            return Ok(());
        }
        // There may be none to abort.
        drop(self.git(".", &["am", "--abort"]));
        let plain = self.program(".").args(["apply", "--index", &strip, "--"]);
        if plain.arg(file).output(MAX_ANSWER).is_err() {
            let fuzzy = Program::new("patch", "patch").directory(&self.path);
            let fuzz = format!("--fuzz={}", patch.fuzz);
            let fuzzy = fuzzy.args([
                "--batch",
                "--forward",
                "--no-backup-if-mismatch",
                &strip,
                &fuzz,
            ]);
            fuzzy.arg("-i").arg(file).output(MAX_ANSWER)?;
            self.git(".", &["add", "--all"])?;
        }
        let subject = patch.name.strip_suffix(".patch").unwrap_or(&patch.name);
        let commit = ["commit", "--no-gpg-sign", "--quiet", "--message", subject];
        self.git(".", &commit).map(drop)
    }

    /// Writes each commit since the recipe's own as a patch into a folder; their names, in order.
    ///
    /// # Errors
    /// [`Error::Unfinished`] if something is changed and not committed, or nothing is committed.
    pub fn patches(&self, commit: &ObjectId, folder: &Path) -> Result<Vec<String>, Error> {
        let unfinished = |reason| Error::Unfinished {
            path: self.path.clone(),
            reason,
        };
        if !self
            .git(".", &["status", "--porcelain", "--untracked-files=no"])?
            .is_empty()
        {
            return Err(unfinished("something is changed and not committed"));
        }
        let commit = commit.to_string();
        let base = match self.git(".", &["rev-parse", "--quiet", "--verify", BASE]) {
            Ok(base) => base,
            Err(_) => commit.clone(),
        };
        let range = format!("{base}..HEAD");
        if !self
            .git(".", &["rev-list", "--max-count=1", &commit, "^HEAD", "--"])?
            .is_empty()
        {
            return Err(unfinished(
                "the recipe's commit is not before what is committed",
            ));
        }
        Root::create(folder)?;
        let program = self.program(".").args([
            "format-patch",
            "--no-signature",
            "--no-ext-diff",
            "--no-textconv",
            "--output-directory",
        ]);
        let written = program
            .arg(folder.as_os_str())
            .arg(range)
            .text(MAX_ANSWER)?;
        let name = |line: &str| line.rsplit('/').next().unwrap_or(line).to_owned();
        let names: Vec<String> = written.lines().map(name).collect();
        if names.is_empty() {
            return Err(unfinished(
                "nothing is committed on top of the recipe's commit",
            ));
        }
        Ok(names)
    }

    /// What is committed from here on is a person's own.
    fn mark(&self) -> Result<(), Error> {
        self.git(".", &["update-ref", BASE, "HEAD"]).map(drop)
    }

    /// Branch, tag and where it came from, as after cloning.
    fn point(&self, checkout: &Checkout, commit: &str, object: &str) -> Result<(), Error> {
        if let Some(tag) = &checkout.tag {
            self.git(".", &["update-ref", &format!("refs/tags/{tag}"), object])?;
        }
        let Some(branch) = &checkout.branch else {
            return self
                .git(".", &["update-ref", "--no-deref", "HEAD", commit])
                .map(drop);
        };
        let (own, theirs) = (
            format!("refs/heads/{branch}"),
            format!("refs/remotes/origin/{branch}"),
        );
        self.git(".", &["symbolic-ref", "HEAD", &own])?;
        self.git(".", &["update-ref", &theirs, commit])?;
        self.git(".", &["update-ref", "HEAD", commit]).map(drop)
    }

    fn submodules(&self, parts: &Tree) -> Result<(), Error> {
        // Where each repository is, and where it keeps its own files.
        let mut places = vec![(String::new(), ".git".to_owned())];
        while let Ok(parent) = text(parts, places.len(), "parent") {
            let number = places.len();
            let above = parent
                .parse()
                .ok()
                .and_then(|parent: usize| places.get(parent));
            let Some((above, own)) = above.cloned() else {
                return Err(super::submodules::refused(
                    &parent,
                    "it is in no repository",
                ));
            };
            let [name, path, url, commit] =
                ["name", "path", "url", "commit"].map(|what| text(parts, number, what));
            let (name, path, url, commit) = (name?, path?, url?, commit?);
            let at = format!("{above}{path}/");
            let own = format!("{own}/modules/{name}");
            self.repository(&Repository {
                parts,
                number,
                at: at.clone(),
                own: own.clone(),
                url: &url,
            })?;
            self.git(&at, &["update-ref", "--no-deref", "HEAD", &commit])?;
            self.git(&at, &["reset", "--quiet", "--hard"])?;
            let above = if above.is_empty() { "." } else { &above };
            self.git(above, &["config", &format!("submodule.{name}.url"), &url])?;
            self.git(
                above,
                &["config", &format!("submodule.{name}.active"), "true"],
            )?;
            places.push((at, own));
        }
        Ok(())
    }

    /// Makes a repository with a part's objects.
    fn repository(&self, repository: &Repository<'_>) -> Result<(), Error> {
        let Repository {
            parts,
            number,
            at,
            own,
            url,
        } = repository;
        let folder = Root::open(&self.path)?;
        let mut words = vec!["init", "--quiet", "--template="];
        if text(parts, *number, "commit")?.len() > 40 {
            words.push("--object-format=sha256");
        }
        let tree = if at.is_empty() {
            self.git(".", &words)?;
            "."
        } else {
            let path = RelPath::try_from(at.trim_end_matches('/'))?;
            folder.make_dir(&RelPath::try_from(own.as_str())?)?;
            words.push("--bare");
            self.git(own, &words)?;
            let back = format!("gitdir: {}{own}\n", "../".repeat(path.components().count()));
            folder
                .make_dir(&path)?
                .write(&RelPath::try_from(".git")?, back.as_bytes(), 0o644)?;
            let there = format!("{}{path}", "../".repeat(own.split('/').count()));
            self.git(own, &["config", "core.bare", "false"])?;
            self.git(own, &["config", "core.worktree", &there])?;
            at
        };
        let pack = content(parts, *number, "pack")
            .ok_or_else(|| super::submodules::refused(at, "it has no pack"))?;
        let program = self.program(tree).args(["index-pack", "--stdin"]);
        program.talk(|mut input, output| {
            pack.copy_to(&mut input).map_err(super::writing)?;
            drop(input);
            io::copy(output, &mut io::sink()).map_err(super::writing)?;
            Ok::<_, Error>(())
        })?;
        if let Some(shallow) = content(parts, *number, "shallow") {
            let bytes = shallow.read_vec(MAX_ANSWER).map_err(super::writing)?;
            folder.write(&RelPath::try_from(format!("{own}/shallow"))?, &bytes, 0o644)?;
        }
        self.git(tree, &["remote", "add", "origin", url]).map(drop)
    }

    /// Runs git in a folder of the repository; what it printed, without the line's end.
    fn git(&self, folder: &str, words: &[&str]) -> Result<String, Error> {
        let text = self
            .program(folder)
            .args(words.iter().copied())
            .text(MAX_ANSWER)?;
        Ok(text.trim_end().to_owned())
    }

    fn program(&self, folder: &str) -> Program {
        let nothing = BTreeMap::new();
        let mut program = base(&nothing, None).args(["-c", "safe.directory=*"]);
        for (name, value) in COMMITTER {
            program = program.env(name, value);
        }
        // A repository that somebody keeps this folder in is none of ours.
        if let Some(above) = self.path.parent().and_then(Path::to_str) {
            program = program.env("GIT_CEILING_DIRECTORIES", above);
        }
        program.directory(&self.path.join(folder))
    }
}

/// A repository that is made of a part of a blob.
struct Repository<'a> {
    parts: &'a Tree,
    number: usize,
    /// Where its files are, with a slash at the end; nothing for the first.
    at: String,
    /// Where it keeps its own.
    own: String,
    url: &'a str,
}
