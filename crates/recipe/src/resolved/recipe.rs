//! A recipe as understood.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use boltworks_model::{Architecture, PackageName};
use boltworks_version::apk::{Dependency, Version};

use super::{Image, SourceRef, Step, Update, Written};
use crate::Error;

/// A recipe as understood, for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The architecture it was resolved for.
    pub architecture: Architecture,
    /// The main package.
    pub package: Package,
    /// What the build runs in: accounts and variables. Its packages are those the recipe
    /// lists; what must be installed is [`build_packages`](Self::build_packages).
    pub environment: Image,
    /// The steps of the main package.
    pub pipeline: Vec<Step>,
    /// Packages split off, in the order written.
    pub subpackages: Vec<Subpackage>,
    /// The tests of the main package.
    pub test: Option<Test>,
    /// Upstream bytes the build needs, each once.
    pub sources: Vec<SourceRef>,
    /// What must be in the guest: the environment's packages, then what the pipelines need,
    /// each once.
    pub build_packages: Vec<Dependency>,
    /// The pipelines the build uses, by name.
    pub pipelines_used: Vec<PipelineUse>,
    /// Process capabilities the build asks for.
    pub capabilities_add: Vec<String>,
    /// Process capabilities the build asks to lose.
    pub capabilities_drop: Vec<String>,
    /// How new upstream versions are found.
    pub update: Update,
    /// The recipe's variables; one that nobody uses and that is wrong stays as it is written.
    pub vars: BTreeMap<String, String>,
    /// What makes further variables, as it is written.
    pub var_transforms: Vec<VarTransform>,
    /// What the command line can switch on, as it is written.
    pub options: BTreeMap<String, BuildOption>,
}

impl Recipe {
    /// That guests can be made for its build, and for its tests that have steps, where repositories have
    /// these tags.
    ///
    /// # Errors
    /// At the place of what cannot be had in one.
    pub fn verify_guests(&self, tags: &BTreeSet<String>) -> Result<(), Error> {
        self.environment.verify_guest(tags)?;
        let mut tests = self.tests().filter(|test| !test.pipeline.is_empty());
        tests.try_for_each(|test| test.environment.verify_guest(tags))
    }

    /// Every test: its own, then those of its subpackages.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        let split = self.subpackages.iter();
        let split = split.filter_map(|package| package.test.as_ref());
        self.test.iter().chain(split)
    }

    /// The names of all packages it makes, the main one first.
    pub fn package_names(&self) -> impl Iterator<Item = &PackageName> {
        std::iter::once(&self.package.name).chain(self.subpackages.iter().map(|sub| &sub.name))
    }
}

/// The main package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The name, safe in a file name.
    pub name: PackageName,
    /// Upstream's version.
    pub version: Version,
    /// Counts the builds of one version.
    pub epoch: u64,
    /// `version-rEPOCH`.
    pub full_version: Version,
    /// One line, without line breaks.
    pub description: String,
    /// The project's home page.
    pub url: Option<String>,
    /// The commit of the recipe.
    pub commit: Option<String>,
    /// Where it can be built.
    pub target_architecture: Vec<Architecture>,
    /// Free notes.
    pub annotations: BTreeMap<String, String>,
    /// Licences, each once, in the order written.
    pub licenses: Vec<String>,
    /// Licences with what they hold for.
    pub copyright: Vec<Copyright>,
    /// What it needs and offers.
    pub dependencies: Dependencies,
    /// Switches of the dependency analysis.
    pub options: PackageOptions,
    /// Scripts run around installation.
    pub scriptlets: Scriptlets,
    /// Linters that only warn.
    pub checks_disabled: Vec<String>,
    /// The name in vulnerability databases.
    pub cpe: Cpe,
    /// File capabilities.
    pub setcap: Vec<Capability>,
    /// The longest a build may take.
    pub timeout: Option<Duration>,
    /// What a build takes.
    pub resources: Resources,
    /// What a test takes.
    pub test_resources: Resources,
}

/// A package split off. It has the main package's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subpackage {
    /// The name, safe in a file name.
    pub name: PackageName,
    /// One line, without line breaks.
    pub description: String,
    /// The project's home page.
    pub url: Option<String>,
    /// The commit of the recipe.
    pub commit: Option<String>,
    /// Free notes.
    pub annotations: BTreeMap<String, String>,
    /// Licences, each once, in the order written; the main package's where it has none.
    pub licenses: Vec<String>,
    /// Licences with what they hold for; the main package's where it has none.
    pub copyright: Vec<Copyright>,
    /// What it needs and offers.
    pub dependencies: Dependencies,
    /// Switches of the dependency analysis.
    pub options: PackageOptions,
    /// Scripts run around installation.
    pub scriptlets: Scriptlets,
    /// Linters that only warn.
    pub checks_disabled: Vec<String>,
    /// File capabilities.
    pub setcap: Vec<Capability>,
    /// The steps that fill it.
    pub pipeline: Vec<Step>,
    /// Its tests.
    pub test: Option<Test>,
}

/// Tests of a package, run in a guest of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Accounts and variables of the guest. Its packages are those the test lists; what must
    /// be installed is [`packages`](Self::packages).
    pub environment: Image,
    /// The steps.
    pub pipeline: Vec<Step>,
    /// What must be in the guest: the package under test, the environment's packages, what the
    /// pipelines need, each once.
    pub packages: Vec<Dependency>,
    /// Upstream bytes the tests need, each once.
    pub sources: Vec<SourceRef>,
    /// The pipelines the tests use, by name.
    pub pipelines_used: Vec<PipelineUse>,
}

/// A licence, and what it holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copyright {
    /// An SPDX expression, as written.
    pub license: String,
    /// Which files; all where empty.
    pub paths: Vec<String>,
    /// Who says so.
    pub attestation: Option<String>,
    /// The file that holds the licence's text, in the workspace once all steps are done.
    pub license_path: Option<String>,
    /// Where the recipe names that file.
    pub license_path_written: Written,
    /// What a licence detector should have said.
    pub detection_override: Option<String>,
}

/// The licences of a package, each once, in the order written.
pub(crate) fn licenses(copyright: &[Copyright]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let named = copyright.iter().map(|copyright| copyright.license.as_str());
    let named = named.filter(|license| !license.is_empty() && seen.insert(*license));
    named.map(str::to_owned).collect()
}

/// What a package needs and offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// Needed when it runs, each once.
    pub runtime: Vec<Dependency>,
    /// Offered beside its own name, each once: no operator, or `=`.
    pub provides: Vec<Dependency>,
    /// Whose files it may overwrite, each once.
    pub replaces: Vec<Dependency>,
    /// Which of equal providers is chosen: the greatest.
    pub provider_priority: Option<u32>,
    /// Whose file stays: the greatest.
    pub replaces_priority: Option<u32>,
}

/// Switches of the dependency analysis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the file format has these switches"
)]
pub struct PackageOptions {
    /// It offers nothing found in its files.
    pub no_provides: bool,
    /// It needs nothing found in its files.
    pub no_depends: bool,
    /// It offers no commands.
    pub no_commands: bool,
    /// What it needs is not bound to versions.
    pub no_versioned_shlib_deps: bool,
}

/// Scripts run around installation, each with its interpreter line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scriptlets {
    /// Run when watched folders change.
    pub trigger: Option<Trigger>,
    /// Before installation.
    pub pre_install: Option<String>,
    /// After installation.
    pub post_install: Option<String>,
    /// Before removal.
    pub pre_deinstall: Option<String>,
    /// After removal.
    pub post_deinstall: Option<String>,
    /// Before an upgrade.
    pub pre_upgrade: Option<String>,
    /// After an upgrade.
    pub post_upgrade: Option<String>,
}

/// A script run when watched folders change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trigger {
    /// The script.
    pub script: String,
    /// The folders.
    pub paths: Vec<String>,
}

/// The parts of a CPE 2.3 name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the parts are CPE 2.3's own")]
pub struct Cpe {
    pub part: Option<String>,
    pub vendor: Option<String>,
    pub product: Option<String>,
    pub edition: Option<String>,
    pub language: Option<String>,
    pub sw_edition: Option<String>,
    pub target_sw: Option<String>,
    pub target_hw: Option<String>,
    pub other: Option<String>,
}

/// File capabilities of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// The file.
    pub path: String,
    /// Capability to flags: `cap_net_raw` to `+eip`.
    pub add: BTreeMap<String, String>,
    /// Why.
    pub reason: String,
    /// Where the recipe names the file.
    pub written: Written,
}

impl Capability {
    /// The bits of the file's three sets.
    pub fn sets(&self) -> CapabilitySets {
        let mut sets = CapabilitySets::default();
        for (names, flags) in &self.add {
            let bits = names
                .split(',')
                .filter_map(capability_bit)
                .fold(0, |bits, bit| bits | 1 << bit);
            for (flag, set) in [
                ('e', &mut sets.effective),
                ('p', &mut sets.permitted),
                ('i', &mut sets.inheritable),
            ] {
                if flags.contains(flag) {
                    *set |= bits;
                }
            }
        }
        sets
    }
}

/// Capabilities as bits: bit N is the kernel's capability N.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// In force when the file is executed. The kernel keeps one flag for the whole file.
    pub effective: u64,
    /// May be in force.
    pub permitted: u64,
    /// Kept over an execution.
    pub inheritable: u64,
}

/// The kernel's capabilities by their numbers, without `cap_`.
pub(crate) const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The kernel's number of a capability, by its name in small letters.
pub(crate) fn capability_bit(name: &str) -> Option<u32> {
    let name = name.strip_prefix("cap_")?;
    let at = CAPABILITIES.iter().position(|known| *known == name)?;
    u32::try_from(at).ok()
}

/// A variable computed from another, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VarTransform {
    /// The text to start from.
    pub from: String,
    /// A regular expression of Go's.
    pub pattern: String,
    /// What each match becomes.
    pub replace: String,
    /// The new variable's name.
    pub to: String,
}

/// What the command line can switch on, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOption {
    /// Variables with other values.
    pub vars: BTreeMap<String, String>,
    /// Packages that the environment has too.
    pub packages_add: Vec<String>,
    /// Packages that the environment has not.
    pub packages_remove: Vec<String>,
}

/// What a build or a test takes, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Processors.
    pub cpu: Option<String>,
    /// Their model.
    pub cpumodel: Option<String>,
    /// Memory: `8Gi`.
    pub memory: Option<String>,
    /// Disk: `50Gi`.
    pub disk: Option<String>,
}

/// A pipeline file that a recipe uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineUse {
    /// Its name: `autoconf/make`.
    pub name: String,
    /// Whether it is one of the program's own.
    pub builtin: bool,
    /// The file's text; whoever records it as a material hashes it.
    pub text: Arc<str>,
}
