//! The private configuration, and running apt with it.

use std::fmt::Write as _;
use std::path::Path;

use boltworks_fsx::Limit;

use super::{DebianArchive, Settings, relative};
use crate::{Error, Program};

/// What apt prints of an update or a download stays far below this.
const MAX_OUTPUT: Limit = Limit::mib(64);

/// Settings of the machine's apt that are about reaching servers, and are taken over.
const TAKEN_OVER: &[&str] = &[
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
];

impl DebianArchive {
    /// Writes the configuration and makes the folders.
    pub(super) fn configure(&self) -> Result<(), Error> {
        for folder in [
            "lists/partial",
            "cache/archives/partial",
            "origs",
            "debs",
            "empty",
        ] {
            self.root.make_dir(&relative(folder)?)?;
        }
        let Settings {
            suite,
            mirror,
            keyring,
            ..
        } = &self.settings;
        let keyring = keyring.display();
        let sources = format!(
            "deb [signed-by={keyring}] {mirror} {suite} main\n\
             deb-src [signed-by={keyring}] {mirror} {suite} main\n"
        );
        self.root
            .write(&relative("sources.list")?, sources.as_bytes(), 0o644)?;
        self.root.write(&relative("status")?, b"", 0o644)?;
        let text = self.configuration(&taken_over());
        self.root
            .write(&relative("apt.conf")?, text.as_bytes(), 0o644)?;
        Ok(())
    }

    fn configuration(&self, taken_over: &str) -> String {
        let folder = self.path.display();
        let mut text = String::from(taken_over);
        let paths = [
            ("Dir::Etc::main", "empty/apt.conf"),
            ("Dir::Etc::parts", "empty"),
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "empty"),
            ("Dir::Etc::trusted", "empty/trusted.gpg"),
            ("Dir::Etc::trustedparts", "empty"),
            ("Dir::Etc::preferences", "empty/preferences"),
            ("Dir::Etc::preferencesparts", "empty"),
            ("Dir::State", "."),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::State::extended_states", "extended_states"),
            ("Dir::Cache", "cache"),
            ("Dir::Log", "."),
        ];
        for (key, path) in paths {
            writeln!(text, "{key} \"{folder}/{path}\";").ok();
        }
        let architecture = &self.settings.architecture;
        let values = [
            ("APT::Architecture", architecture.as_str()),
            ("APT::Install-Recommends", "false"),
            ("APT::Install-Suggests", "false"),
            ("APT::Sandbox::User", ""),
            ("APT::Update::Error-Mode", "any"),
            ("APT::Get::AllowUnauthenticated", "false"),
            ("APT::Color", "false"),
            ("Acquire::AllowInsecureRepositories", "false"),
            ("Acquire::AllowWeakRepositories", "false"),
            ("Acquire::AllowDowngradeToInsecureRepositories", "false"),
            ("Acquire::Languages", "none"),
            ("Acquire::Check-Valid-Until", "true"),
            ("Dpkg::Use-Pty", "false"),
        ];
        if !taken_over.contains("Acquire::Retries") {
            text.push_str("Acquire::Retries \"3\";\n");
        }
        for (key, value) in values {
            writeln!(text, "{key} \"{value}\";").ok();
        }
        writeln!(
            text,
            "#clear APT::Architectures;\nAPT::Architectures {{ \"{architecture}\"; }};"
        )
        .ok();
        text
    }

    pub(super) fn run_update(&self) -> Result<(), Error> {
        self.program("apt-get")
            .args(["-q", "update"])
            .output(MAX_OUTPUT)
            .map(drop)
    }

    /// apt with the private configuration and the proxies.
    pub(super) fn program(&self, name: &'static str) -> Program {
        let configuration = self.file("apt.conf").display().to_string();
        Program::new(name, "apt")
            .envs(&self.settings.environment)
            .env("APT_CONFIG", configuration)
            .env("DEBIAN_FRONTEND", "noninteractive")
    }
}

/// How the machine's apt reaches servers. What cannot be asked is not taken over.
fn taken_over() -> String {
    let dump = Program::new("apt-config", "apt")
        .arg("dump")
        .text(MAX_OUTPUT);
    let dump = match dump {
        Ok(dump) => dump,
        Err(error) => {
            tracing::debug!(%error, "the apt configuration of the machine was not read");
            return String::new();
        }
    };
    dump.lines()
        .filter(|line| TAKEN_OVER.iter().any(|prefix| line.starts_with(prefix)))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// Whether apt's files can hold these values, and the keyring is there.
pub(super) fn check_settings(settings: &Settings, folder: &Path) -> Result<(), Error> {
    let refuse = |what, value: &str, reason| {
        Err(Error::Unspeakable {
            what,
            value: value.to_owned(),
            reason,
        })
    };
    let folder = folder.display().to_string();
    if folder.contains(['"', '\\', '\n']) {
        return refuse(
            "the folder",
            &folder,
            "quotation marks and backslashes cannot stand in it (name another folder as `state` in \
             boltworks.yaml; it may be absolute)",
        );
    }
    let keyring = settings.keyring.display().to_string();
    if keyring.contains([' ', '\t', '\n', ',', ']', '"']) || !settings.keyring.is_absolute() {
        return refuse(
            "the keyring",
            &keyring,
            "it must be an absolute path without spaces (correct `stage0.debian.keyring` in \
             boltworks.yaml)",
        );
    }
    let mirror = settings.mirror.as_str();
    let has_scheme = mirror
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.is_empty());
    if !has_scheme
        || mirror
            .bytes()
            .any(|byte| !byte.is_ascii_graphic() || b"\"[]#".contains(&byte))
    {
        return refuse(
            "the mirror",
            mirror,
            "it must be an address (correct `stage0.debian.mirror` in boltworks.yaml)",
        );
    }
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if !is_word(&settings.suite) {
        return refuse(
            "the suite",
            &settings.suite,
            "it must be a suite's name, like trixie (correct `stage0.debian.suite` in boltworks.yaml)",
        );
    }
    if !is_word(&settings.architecture) {
        return refuse(
            "the architecture",
            &settings.architecture,
            "it must be a name, like amd64",
        );
    }
    Ok(())
}

/// Debian's rule for names of packages (Policy 5.6.1); nothing apt could take for an option.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let mut bytes = name.bytes();
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_rest = |byte: u8| is_first(byte) || b"+-.".contains(&byte);
    if bytes.next().is_some_and(is_first) && bytes.all(is_rest) && !name.ends_with('-') {
        return Ok(());
    }
    Err(Error::Unspeakable {
        what: "the package",
        value: boltworks_model::visible_start(name, 160),
        reason: "a name has lower-case letters, digits and + - . only (correct `stage0.packages`, or \
                 `debian` under `sources`, in boltworks.yaml)",
    })
}

/// Debian's rule for versions (Policy 5.6.12).
pub(super) fn check_version(version: &str) -> Result<(), Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+-:~".contains(&byte);
    if version
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit())
        && version.bytes().all(is_allowed)
    {
        return Ok(());
    }
    Err(Error::Unspeakable {
        what: "the version",
        value: boltworks_model::visible_start(version, 160),
        reason: "a version begins with a digit and has letters, digits and . + - : ~ only (correct \
                 `debian` under `sources` in boltworks.yaml)",
    })
}
