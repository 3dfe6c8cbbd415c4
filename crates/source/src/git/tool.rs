//! The git program: on a bare repository of ours, without anybody's configuration, hooks and filters,
//! and with no way to a server but those that are named here.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use boltworks_fsx::{Bounded, Content, Limit, RelPath, Root};
use boltworks_model::{Depth, ObjectId, Remote};

use super::objects::Objects;
use crate::job::Job;
use crate::{Error, GitLimits, Program};

/// No list of branches and tags is larger.
const MAX_REFS: Limit = Limit::mib(64);
/// No list of a commit's files is larger.
const MAX_LISTING: Limit = Limit::mib(512);
/// No `.gitmodules` is larger.
const MAX_MODULES: Limit = Limit::mib(1);

/// What is switched off, and what is held against what servers send.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsync=none",
    "core.askPass=",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "transfer.fsckObjects=true",
];

/// Faults of old commits that do no harm, and that no repository gets rid of: dates and names of people
/// that are not of today's form, modes with a zero in front.
const OLD_FAULTS: &[&str] = &[
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingAuthor",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingTaggerEntry",
    "multipleAuthors",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
];

/// A bare repository in a folder that is thrown away.
pub(super) struct Git<'a> {
    folder: Root,
    path: PathBuf,
    environment: &'a BTreeMap<String, String>,
    limits: GitLimits,
    /// Bytes that other repositories of the same source have taken.
    before: u64,
    pub(super) job: &'a Job<'a>,
}

/// What a repository is opened with.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    /// What git sees of the environment.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// What it may take.
    pub(super) limits: GitLimits,
    /// Bytes that were taken before.
    pub(super) before: u64,
    /// As whom it is seen.
    pub(super) job: &'a Job<'a>,
}

impl<'a> Git<'a> {
    /// Makes an empty repository for objects with names like this one.
    pub(super) fn init(folder: Root, like: &ObjectId, opening: Opening<'a>) -> Result<Self, Error> {
        let path = folder.path_for_children()?;
        let git = Self {
            folder,
            path,
            environment: opening.environment,
            limits: opening.limits,
            before: opening.before,
            job: opening.job,
        };
        let mut program = git
            .program(None)
            .args(["init", "--quiet", "--bare", "--template="]);
        if like.is_long() {
            program = program.arg("--object-format=sha256");
        }
        program.output(Limit::kib(64))?;
        Ok(git)
    }

    /// Which objects names stand for at a server: `refs/heads/main`, and `refs/tags/v1^{}` for what an
    /// annotated tag names.
    pub(super) fn refs(
        &self,
        remote: &Remote,
        names: &[String],
    ) -> Result<BTreeMap<String, ObjectId>, Error> {
        let program = self
            .program(Some(remote))
            .args(["ls-remote", "--", remote.as_str()]);
        let output = self.watched(&program.args(names.iter().cloned()), MAX_REFS)?;
        let text = String::from_utf8_lossy(&output);
        let line = |line: &str| {
            let (id, name) = line.split_once('\t')?;
            Some((name.to_owned(), id.parse().ok()?))
        };
        // A server is asked for ends of names, too.
        Ok(text
            .lines()
            .filter_map(line)
            .filter(|(name, _)| names.contains(name))
            .collect())
    }

    /// Fetches what the names or objects stand for, with so much of what is before it.
    pub(super) fn fetch(
        &self,
        remote: &Remote,
        depth: Depth,
        wanted: &[String],
    ) -> Result<(), Error> {
        let mut program = self.program(Some(remote)).args([
            "fetch",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-gc",
            "--no-recurse-submodules",
            "--force",
        ]);
        match depth {
            Depth::Last(count) => program = program.arg(format!("--depth={count}")),
            Depth::All if self.is_shallow()? => program = program.arg("--unshallow"),
            Depth::All => {}
        }
        let program = program.args(["--", remote.as_str()]);
        self.watched(&program.args(wanted.iter().cloned()), Limit::mib(1))
            .map(drop)
    }

    /// What a name stands for here.
    pub(super) fn named(&self, name: &str) -> Result<Option<ObjectId>, Error> {
        let program = self
            .program(None)
            .args(["for-each-ref", "--format=%(objectname)"]);
        let output = self.watched(&program.arg(name), Limit::kib(64))?;
        let text = String::from_utf8_lossy(&output);
        Ok(text.lines().next().and_then(|id| id.parse().ok()))
    }

    /// Gives an object a name.
    pub(super) fn name(&self, name: &str, object: &ObjectId) -> Result<(), Error> {
        let program = self.program(None).args(["update-ref", name]);
        self.watched(&program.arg(object.to_string()), Limit::kib(64))
            .map(drop)
    }

    /// Whether every commit before the first one is before the second, or is it.
    pub(super) fn is_before(&self, first: &ObjectId, second: &ObjectId) -> Result<bool, Error> {
        let program = self.program(None).args(["rev-list", "--max-count=1"]);
        let program = program.args([first.to_string(), format!("^{second}"), "--".to_owned()]);
        Ok(self.watched(&program, Limit::kib(64))?.is_empty())
    }

    /// Everything in a commit's folder and below, as `git ls-tree -r -z` lists it.
    pub(super) fn listing(&self, commit: &ObjectId) -> Result<Vec<u8>, Error> {
        let program = self
            .program(None)
            .args(["ls-tree", "-r", "-z", "--full-tree"]);
        self.watched(&program.arg(commit.to_string()), MAX_LISTING)
    }

    /// What a file of configuration says, as `git config --list -z` lists it.
    pub(super) fn configuration(&self, blob: &ObjectId) -> Result<Vec<u8>, Error> {
        let program = self
            .program(None)
            .args(["config", "--no-includes", "--list", "-z"]);
        self.watched(&program.args(["--blob", &blob.to_string()]), MAX_MODULES)
    }

    /// Takes a pack in.
    pub(super) fn take(&self, pack: &Content) -> Result<(), Error> {
        // It reports what it does, and is silent only where nothing goes on.
        let arguments = ["index-pack", "--stdin", "--fsck-objects", "-v"];
        let program = self.program(None).args(arguments);
        self.talked(&program, |mut input, output| {
            pack.copy_to(&mut input).map_err(super::writing)?;
            drop(input);
            let answer = Bounded::new(output, Limit::kib(64)).read_all();
            answer.map(drop).map_err(super::writing)
        })
    }

    /// Speaks with it about its objects.
    pub(super) fn objects<T>(
        &self,
        talk: impl FnOnce(&mut Objects<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let program = self.program(None).args(["cat-file", "--batch"]);
        self.talked(&program, |input, output| {
            talk(&mut Objects::new(input, output))
        })
    }

    /// How many bytes it takes.
    pub(super) fn size(&self) -> u64 {
        let size = |folder: &Root| {
            let names = folder.list().unwrap_or_default().into_iter();
            let sizes = names.filter_map(|entry| {
                let path = RelPath::new(entry.name).ok()?;
                Some(folder.stat(&path).ok()??.size)
            });
            sizes.sum::<u64>()
        };
        let packs = RelPath::try_from("objects/pack").ok();
        packs
            .and_then(|packs| self.folder.dir(&packs).ok())
            .map_or(0, |packs| size(&packs))
    }

    /// A file in the repository's folder that has no name.
    pub(super) fn scratch(&self) -> Result<std::fs::File, Error> {
        Ok(self.folder.scratch()?)
    }

    fn is_shallow(&self) -> Result<bool, Error> {
        Ok(self.folder.exists(&RelPath::try_from("shallow")?)?)
    }

    /// Git on this repository.
    fn program(&self, remote: Option<&Remote>) -> Program {
        let folder = format!("--git-dir={}", self.path.display());
        let program = base(self.environment, remote).memory(self.limits.memory);
        program.arg(folder)
    }

    /// Speaks with it; it is stopped on request, and when it keeps us waiting for too long.
    fn talked<T>(
        &self,
        program: &Program,
        talk: impl FnOnce(Box<dyn Write>, &mut dyn Read) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (clock, cancel) = (self.job.ambient.clock, self.job.ambient.cancel);
        let quiet = self.limits.quiet;
        let (mut heard, mut since) = (0, clock.elapsed());
        let mut look = |moved| {
            cancel.check()?;
            if heard != moved {
                (heard, since) = (moved, clock.elapsed());
            }
            silent_for(clock.elapsed().saturating_sub(since), quiet)
        };
        program.talk_watched(clock, &mut look, talk)
    }

    /// Runs it while progress is told; it is stopped on request, when it takes too much room, and when
    /// it neither says nor brings anything for too long.
    fn watched(&self, program: &Program, limit: Limit) -> Result<Vec<u8>, Error> {
        let clock = self.job.ambient.clock;
        let (mut heard, mut since) = ((0, 0), clock.elapsed());
        program.watched(limit, clock, &mut |said| {
            self.job.ambient.cancel.check()?;
            let size = self.size();
            if self.before + size > self.limits.bytes {
                return Err(Error::TooLarge {
                    limit: self.limits.bytes,
                });
            }
            if heard.1 != size {
                self.job.progress(self.before + size);
            }
            if heard != (said, size) {
                (heard, since) = ((said, size), clock.elapsed());
            }
            silent_for(clock.elapsed().saturating_sub(since), self.limits.quiet)
        })
    }
}

/// Whether somebody may be silent for so long.
fn silent_for(silence: Duration, most: Duration) -> Result<(), Error> {
    if silence > most {
        return Err(Error::Silent {
            seconds: most.as_secs(),
        });
    }
    Ok(())
}

/// Git with nothing but what is set here, and no way to a server but this one's.
pub(super) fn base(environment: &BTreeMap<String, String>, remote: Option<&Remote>) -> Program {
    let fixed = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_PROTOCOL_FROM_USER", "0"),
    ];
    let mut program = Program::new("git", "git").envs(environment);
    for (name, value) in fixed {
        program = program.env(name, value);
    }
    let protocols = remote.map_or("none", Remote::protocols);
    program = program.env("GIT_ALLOW_PROTOCOL", protocols);
    for setting in SETTINGS {
        program = program.args(["-c", setting]);
    }
    for fault in OLD_FAULTS {
        program = program.args(["-c".to_owned(), format!("fetch.fsck.{fault}=ignore")]);
    }
    program
}

/// What git sees of the machine: its proxies and certificate authorities, under the names that it knows.
pub(super) fn environment(network: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let renamed = [
        ("SSL_CERT_FILE", "GIT_SSL_CAINFO"),
        ("SSL_CERT_DIR", "GIT_SSL_CAPATH"),
    ];
    let mut environment = network;
    for (name, known_as) in renamed {
        if let Some(value) = environment.get(name).cloned() {
            environment.insert(known_as.to_owned(), value);
        }
    }
    environment
}

impl Default for GitLimits {
    fn default() -> Self {
        Self {
            bytes: crate::fetcher::MAX_SOURCE,
            quiet: Duration::from_mins(5),
            memory: 4 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn git_knows_proxies_and_authorities_by_its_own_names() {
        let given = [("https_proxy", "http://p:1"), ("SSL_CERT_FILE", "/ca.pem")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let names = environment(given.into()).into_keys().collect::<Vec<_>>();
        assert_eq!(names, ["GIT_SSL_CAINFO", "SSL_CERT_FILE", "https_proxy"]);
    }

    #[test]
    fn git_sees_nobodys_configuration() {
        let nothing = BTreeMap::new();
        let folder = tempfile::tempdir().unwrap();
        let listed = base(&nothing, None).args(["config", "--list", "--show-origin"]);
        let listed = listed
            .directory(folder.path())
            .text(Limit::kib(64))
            .unwrap();
        let foreign = listed
            .lines()
            .find(|line| !line.starts_with("command line:"));
        assert_eq!(foreign, None);
    }

    /// A pack with zeros and a change that makes so many megabytes of them.
    fn bomb(megabytes: usize) -> Vec<u8> {
        const ZEROS: usize = 1 << 20;
        let seven = |mut size: usize, mut bytes: Vec<u8>| {
            while size > 0x7f {
                bytes.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
                size >>= 7;
            }
            bytes.push(u8::try_from(size).unwrap());
            bytes
        };
        let header = |number: u8, size: usize| {
            let low = u8::try_from(size & 0xf).unwrap();
            seven(size >> 4, vec![number << 4 | low | 0x80])
        };
        let packed = |bytes: &[u8]| {
            let mut encoder =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let mut change = seven(megabytes * ZEROS, seven(ZEROS, Vec::new()));
        // Copy from the start so many bytes: the third byte of the number alone is not zero.
        change.extend([0x80 | 0x40, 0x10].repeat(megabytes));
        let mut pack = b"PACK\0\0\0\x02\0\0\0\x02".to_vec();
        let base = [header(3, ZEROS), packed(&vec![0; ZEROS])].concat();
        pack.extend(&base);
        pack.extend(header(6, change.len()));
        let distance = base.len();
        pack.push(u8::try_from((distance >> 7) - 1).unwrap() | 0x80);
        pack.push(u8::try_from(distance & 0x7f).unwrap());
        pack.extend(packed(&change));
        let mut naming = super::super::object::Naming::new(&like());
        naming.update(&pack);
        pack.extend(naming.finish());
        pack
    }

    fn like() -> ObjectId {
        "0000000000000000000000000000000000000000".parse().unwrap()
    }

    /// No time passes, and nothing is random.
    struct Nothing;

    impl boltworks_model::Clock for Nothing {
        fn now(&self) -> boltworks_model::Timestamp {
            boltworks_model::Timestamp(0)
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, duration: Duration) {
            std::thread::sleep(duration);
        }
    }

    impl boltworks_model::Entropy for Nothing {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    #[test]
    fn a_small_change_makes_no_giant() {
        let cancel = boltworks_model::Cancel::default();
        let ambient = boltworks_model::Ambient {
            clock: &Nothing,
            entropy: &Nothing,
            sink: &(),
            cancel: &cancel,
        };
        let job = Job::new("bomb", &ambient);
        let nothing = BTreeMap::new();
        let taken = |megabytes: usize, memory: u64| {
            let folder = tempfile::tempdir().unwrap();
            let limits = GitLimits {
                memory,
                ..GitLimits::default()
            };
            let opening = Opening {
                environment: &nothing,
                limits,
                before: 0,
                job: &job,
            };
            let git = Git::init(Root::open(folder.path()).unwrap(), &like(), opening).unwrap();
            let pack = bomb(megabytes);
            assert!(pack.len() < 10_000, "it is {} bytes", pack.len());
            git.take(&Content::Bytes(pack.into()))
        };
        taken(200, GitLimits::default().memory).unwrap();
        let refused = taken(200, 100 << 20).unwrap_err().to_string();
        assert!(
            refused.to_lowercase().contains("out of memory"),
            "{refused}"
        );
    }
}
