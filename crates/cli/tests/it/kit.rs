//! A folder to work in, the program, and packages to feed it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use boltworks_apk::{Control, Index, IndexEntry, Parts, Scripts, WriteOptions, write_package};
use boltworks_crypto::{RsaPrivateKey, Signer};
use boltworks_fsx::{Meta, Node, Tree};
use serde_json::Value;
use tempfile::TempDir;

/// The time in all packages: 2026-01-01.
pub(crate) const EPOCH: i64 = 1_767_225_600;

/// Keys of 2048 bits: those of 4096 take seconds to make.
static KEYS: LazyLock<[RsaPrivateKey; 2]> =
    LazyLock::new(|| [(), ()].map(|()| RsaPrivateKey::generate_short().unwrap()));

/// A folder that is gone at the end, with the keys `web.rsa` and `stranger.rsa` in it.
pub(crate) struct Desk(TempDir);

/// What the program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Itself, if it ended with this code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, key) in ["web", "stranger"].iter().zip(&*KEYS) {
            let pem = key.to_pem().unwrap();
            desk.write(&format!("{name}.rsa"), pem.expose());
            desk.write(&format!("{name}.rsa.pub"), key.public().to_pem().unwrap());
        }
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs the program in the folder; its words are parted by white space.
    pub(crate) fn run(&self, words: &str) -> Answer {
        self.run_with(words, &[])
    }

    /// Runs the program with further variables.
    pub(crate) fn run_with(&self, words: &str, variables: &[(&str, &str)]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_boltworks"))
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env_remove("SOURCE_DATE_EPOCH")
            .env_remove("BOLTWORKS_LOG")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Every name in the folder and beneath, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        fn walk(folder: &Path, above: &str, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let name = format!("{above}{}", entry.file_name().to_string_lossy());
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), names);
                }
                names.push(name);
            }
        }
        let mut names = Vec::new();
        walk(self.0.path(), "", &mut names);
        names.sort();
        names
    }

    /// Writes packages and their signed index into `repo/x86_64`. Each line describes one:
    /// `name version [needs …] [provides …] [arch a]`.
    pub(crate) fn repository(&self, repo: &str, key: &str, lines: &[&str]) {
        self.repository_for("x86_64", repo, key, lines);
    }

    /// The same for another architecture.
    pub(crate) fn repository_for(&self, arch: &str, repo: &str, key: &str, lines: &[&str]) {
        let signer = signer(key);
        let mut entries = Vec::new();
        for line in lines {
            let (control, bytes, entry) = package(line, &signer);
            let name = format!("{repo}/{arch}/{}-{}.apk", control.name, control.version);
            self.write(&name, bytes);
            entries.push(entry);
        }
        let index = Index::new(repo, entries).write(&signer, EPOCH).unwrap();
        self.write(&format!("{repo}/{arch}/APKINDEX.tar.gz"), index);
    }

    /// Writes one package into a file.
    pub(crate) fn package(&self, file: &str, key: &str, line: &str) {
        self.write(file, package(line, &signer(key)).1);
    }
}

pub(crate) fn signer(name: &str) -> Signer {
    let key = if name == "web" { &KEYS[0] } else { &KEYS[1] };
    Signer {
        name: format!("{name}.rsa.pub"),
        key: RsaPrivateKey::from_pem(key.to_pem().unwrap().expose().as_bytes()).unwrap(),
    }
}

fn package(line: &str, signer: &Signer) -> (Control, Vec<u8>, IndexEntry) {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap_or_else(|| panic!("{line}"));
    let (name, version) = (next().parse().unwrap(), next().parse().unwrap());
    let mut control = Control::new(name, version, "x86_64");
    control.description = format!("about {}", control.name);
    control.licenses = vec!["MIT".into()];
    control.build_date = Some(EPOCH);
    let mut field = "";
    for word in words {
        match (field, word) {
            (_, "needs" | "provides" | "arch") => field = word,
            ("needs", word) => control.depends.push(word.parse().unwrap()),
            ("provides", word) => control.provides.push(word.parse().unwrap()),
            ("arch", word) => word.clone_into(&mut control.arch),
            _ => panic!("{line}"),
        }
    }
    let mut tree = Tree::new();
    let file = format!("usr/share/{}", control.name);
    let node = Node::file(Meta::new(0o644, EPOCH), line.as_bytes());
    tree.insert(file.as_str().parse().unwrap(), node).unwrap();
    tree.ensure_dirs(&Meta::new(0o755, EPOCH));
    let parts = Parts {
        control: &control,
        scripts: &Scripts::new(),
        embedded: &[],
        tree: &tree,
    };
    let mut bytes = Vec::new();
    let options = WriteOptions::new(EPOCH);
    let written = write_package(&mut bytes, &parts, signer, &options).unwrap();
    let entry = IndexEntry::new(&control, &written);
    (control, bytes, entry)
}

/// What a command shows on standard error at a terminal of so many columns.
pub(crate) fn at_terminal(command: &mut Command, columns: u16) -> String {
    use std::io::Read as _;
    let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
    let person = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&person).unwrap();
    rustix::pty::unlockpt(&person).unwrap();
    let size = rustix::termios::Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&person, size).unwrap();
    let name = rustix::pty::ptsname(&person, Vec::new()).unwrap();
    let options = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let theirs = rustix::fs::open(&name, options, rustix::fs::Mode::empty()).unwrap();
    command.stderr(theirs).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    // The terminal has an end when nobody holds its other side.
    command.stderr(std::process::Stdio::null());
    let mut shown = Vec::new();
    let end = std::fs::File::from(person).read_to_end(&mut shown);
    assert!(end.is_err_and(|error| error.raw_os_error() == Some(5)));
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}
