//! melange's build file.

use std::collections::BTreeMap;

use boltworks_yaml::{Spanned, or_default};
use serde::Deserialize;

use super::{Image, Origin, Step, Text, Update};

/// How packages are made.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The main package.
    pub package: Package,
    /// What the build runs in.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: Image,
    /// Process capabilities the build asks for.
    #[serde(default, deserialize_with = "or_default")]
    pub capabilities: Capabilities,
    /// The steps of the main package.
    #[serde(default, deserialize_with = "or_default")]
    pub pipeline: Vec<Step>,
    /// Packages split off.
    #[serde(default, deserialize_with = "or_default")]
    pub subpackages: Vec<Subpackage>,
    /// Named lists that subpackages can be ranged over.
    #[serde(default, deserialize_with = "or_default")]
    pub data: Vec<DataSet>,
    /// How new upstream versions are found.
    #[serde(default, deserialize_with = "or_default")]
    pub update: Update,
    /// `${{vars.NAME}}`.
    #[serde(default, deserialize_with = "or_default")]
    pub vars: BTreeMap<String, Text>,
    /// Variables computed from others.
    #[serde(default, deserialize_with = "or_default")]
    pub var_transforms: Vec<VarTransform>,
    /// Deviations that the command line can switch on.
    #[serde(default, deserialize_with = "or_default")]
    pub options: BTreeMap<String, BuildOption>,
    /// The tests of the main package.
    #[serde(default)]
    pub test: Option<Test>,
    /// The file this was read from.
    #[serde(skip)]
    pub origin: Origin,
}

impl Recipe {
    /// Every test: its own, then those of its subpackages.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        let split = self.subpackages.iter();
        let split = split.filter_map(|package| package.test.as_ref());
        self.test.iter().chain(split)
    }

    /// Takes every `if` away: what is left says all that the recipe can do.
    pub fn unconditional(&mut self) {
        fn all(steps: &mut [Step]) {
            for step in steps {
                step.condition = None;
                all(&mut step.pipeline);
            }
        }
        all(&mut self.pipeline);
        for package in &mut self.subpackages {
            package.condition = None;
            all(&mut package.pipeline);
        }
        let split = self.subpackages.iter_mut();
        let split = split.filter_map(|package| package.test.as_mut());
        for test in self.test.iter_mut().chain(split) {
            all(&mut test.pipeline);
        }
    }
}

/// The main package.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Package {
    /// The name.
    pub name: Text,
    /// Upstream's version.
    pub version: Text,
    /// Counts the builds of one version.
    #[serde(default, deserialize_with = "or_default")]
    pub epoch: Spanned<u64>,
    /// One line.
    #[serde(default)]
    pub description: Option<Text>,
    /// Free notes.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, Text>,
    /// The project's home page.
    #[serde(default)]
    pub url: Option<Text>,
    /// The commit of the recipe.
    #[serde(default)]
    pub commit: Option<Text>,
    /// Where it can be built; nothing means everywhere.
    #[serde(default, deserialize_with = "or_default")]
    pub target_architecture: Vec<Text>,
    /// Licences.
    #[serde(default, deserialize_with = "or_default")]
    pub copyright: Vec<Copyright>,
    /// What it needs and offers.
    #[serde(default, deserialize_with = "or_default")]
    pub dependencies: Dependencies,
    /// Switches of the dependency analysis.
    #[serde(default)]
    pub options: Option<PackageOptions>,
    /// Scripts run around installation.
    #[serde(default, deserialize_with = "or_default")]
    pub scriptlets: Scriptlets,
    /// Which linters only warn.
    #[serde(default, deserialize_with = "or_default")]
    pub checks: Checks,
    /// The name in vulnerability databases.
    #[serde(default, deserialize_with = "or_default")]
    pub cpe: Cpe,
    /// File capabilities.
    #[serde(default, deserialize_with = "or_default")]
    pub setcap: Vec<Capability>,
    /// The longest a build may take: `1h30m`.
    #[serde(default)]
    pub timeout: Option<Text>,
    /// What a build takes.
    #[serde(default, deserialize_with = "or_default")]
    pub resources: Resources,
    /// What a test takes.
    #[serde(default)]
    pub test_resources: Option<Resources>,
}

/// A licence, and what it holds for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Copyright {
    /// Which files; all by default.
    #[serde(default, deserialize_with = "or_default")]
    pub paths: Vec<Text>,
    /// Who says so.
    #[serde(default)]
    pub attestation: Option<Text>,
    /// An SPDX expression.
    #[serde(default, deserialize_with = "or_default")]
    pub license: Text,
    /// The file that holds the licence's text.
    #[serde(default)]
    pub license_path: Option<Text>,
    /// What a licence detector should have said.
    #[serde(default)]
    pub detection_override: Option<Text>,
}

/// What a package needs and offers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dependencies {
    /// Needed when it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub runtime: Vec<Text>,
    /// Offered beside its own name.
    #[serde(default, deserialize_with = "or_default")]
    pub provides: Vec<Text>,
    /// Whose files it may overwrite.
    #[serde(default, deserialize_with = "or_default")]
    pub replaces: Vec<Text>,
    /// Which of equal providers is chosen: the greatest.
    #[serde(default)]
    pub provider_priority: Option<Text>,
    /// Whose file stays: the greatest.
    #[serde(default)]
    pub replaces_priority: Option<Text>,
}

/// Switches of the dependency analysis.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the file format has these switches"
)]
pub struct PackageOptions {
    /// It offers nothing found in its files.
    #[serde(default, deserialize_with = "or_default")]
    pub no_provides: bool,
    /// It needs nothing found in its files.
    #[serde(default, deserialize_with = "or_default")]
    pub no_depends: bool,
    /// It offers no commands.
    #[serde(default, deserialize_with = "or_default")]
    pub no_commands: bool,
    /// What it needs is not bound to versions.
    #[serde(default, deserialize_with = "or_default")]
    pub no_versioned_shlib_deps: bool,
}

/// Scripts run around installation, each with its interpreter line.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scriptlets {
    /// Run when watched folders change.
    #[serde(default, deserialize_with = "or_default")]
    pub trigger: Trigger,
    /// Before installation.
    #[serde(default)]
    pub pre_install: Option<Text>,
    /// After installation.
    #[serde(default)]
    pub post_install: Option<Text>,
    /// Before removal.
    #[serde(default)]
    pub pre_deinstall: Option<Text>,
    /// After removal.
    #[serde(default)]
    pub post_deinstall: Option<Text>,
    /// Before an upgrade.
    #[serde(default)]
    pub pre_upgrade: Option<Text>,
    /// After an upgrade.
    #[serde(default)]
    pub post_upgrade: Option<Text>,
}

/// A script run when watched folders change.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The script.
    #[serde(default)]
    pub script: Option<Text>,
    /// The folders.
    #[serde(default, deserialize_with = "or_default")]
    pub paths: Vec<Text>,
}

/// Which linters only warn.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Their names.
    #[serde(default, deserialize_with = "or_default")]
    pub disabled: Vec<Text>,
}

/// The parts of a CPE 2.3 name.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the parts are CPE 2.3's own")]
pub struct Cpe {
    #[serde(default)]
    pub part: Option<Text>,
    #[serde(default)]
    pub vendor: Option<Text>,
    #[serde(default)]
    pub product: Option<Text>,
    #[serde(default)]
    pub edition: Option<Text>,
    #[serde(default)]
    pub language: Option<Text>,
    #[serde(default)]
    pub sw_edition: Option<Text>,
    #[serde(default)]
    pub target_sw: Option<Text>,
    #[serde(default)]
    pub target_hw: Option<Text>,
    #[serde(default)]
    pub other: Option<Text>,
}

/// File capabilities of one file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// The file.
    pub path: Text,
    /// Capability to flags: `cap_net_raw: +eip`.
    #[serde(default, deserialize_with = "or_default")]
    pub add: BTreeMap<String, Text>,
    /// Why. Needed.
    #[serde(default)]
    pub reason: Option<Text>,
}

/// What a build or a test takes, for schedulers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Processors.
    #[serde(default)]
    pub cpu: Option<Text>,
    /// Their model.
    #[serde(default)]
    pub cpumodel: Option<Text>,
    /// Memory: `8Gi`.
    #[serde(default)]
    pub memory: Option<Text>,
    /// Disk: `50Gi`.
    #[serde(default)]
    pub disk: Option<Text>,
}

/// Process capabilities a build asks for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// To add.
    #[serde(default, deserialize_with = "or_default")]
    pub add: Vec<Text>,
    /// To drop.
    #[serde(default, deserialize_with = "or_default")]
    pub drop: Vec<Text>,
}

/// A package split off the main one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Subpackage {
    /// Only when this holds.
    #[serde(default, rename = "if")]
    pub condition: Option<Text>,
    /// Once for each item of this data.
    #[serde(default)]
    pub range: Option<Text>,
    /// The name.
    pub name: Text,
    /// The steps that fill it.
    #[serde(default, deserialize_with = "or_default")]
    pub pipeline: Vec<Step>,
    /// What it needs and offers.
    #[serde(default, deserialize_with = "or_default")]
    pub dependencies: Dependencies,
    /// Switches of the dependency analysis.
    #[serde(default)]
    pub options: Option<PackageOptions>,
    /// Scripts run around installation.
    #[serde(default, deserialize_with = "or_default")]
    pub scriptlets: Scriptlets,
    /// One line.
    #[serde(default)]
    pub description: Option<Text>,
    /// Free notes.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, Text>,
    /// Its own home page; none by default.
    #[serde(default)]
    pub url: Option<Text>,
    /// The commit of the recipe; the main package's by default.
    #[serde(default)]
    pub commit: Option<Text>,
    /// Licences; the main package's by default.
    #[serde(default, deserialize_with = "or_default")]
    pub copyright: Vec<Copyright>,
    /// Which linters only warn.
    #[serde(default, deserialize_with = "or_default")]
    pub checks: Checks,
    /// Its tests.
    #[serde(default)]
    pub test: Option<Test>,
    /// File capabilities.
    #[serde(default, deserialize_with = "or_default")]
    pub setcap: Vec<Capability>,
}

/// Tests of a package, run in a guest of their own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What the tests run in, beside the package.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: Image,
    /// The steps.
    #[serde(default, deserialize_with = "or_default")]
    pub pipeline: Vec<Step>,
}

/// A named list that subpackages can be ranged over.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// The name a `range` uses.
    pub name: Text,
    /// `${{range.key}}` to `${{range.value}}`.
    #[serde(default, deserialize_with = "or_default")]
    pub items: BTreeMap<String, Text>,
}

/// A variable computed from another.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VarTransform {
    /// The text to start from: `${{package.version}}`.
    pub from: Text,
    /// A regular expression.
    #[serde(rename = "match")]
    pub pattern: Text,
    /// What each match becomes.
    #[serde(default, deserialize_with = "or_default")]
    pub replace: Text,
    /// The new variable's name.
    pub to: Text,
}

/// A deviation that the command line can switch on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildOption {
    /// Variables with other values.
    #[serde(default, deserialize_with = "or_default")]
    pub vars: BTreeMap<String, Text>,
    /// Another environment.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: OptionEnvironment,
}

/// How an option changes the environment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionEnvironment {
    /// Its packages.
    #[serde(default, deserialize_with = "or_default")]
    pub contents: OptionContents,
}

/// How an option changes the environment's contents.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionContents {
    /// The packages.
    #[serde(default, deserialize_with = "or_default")]
    pub packages: ListChange,
}

/// How an option changes a list.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListChange {
    /// To add.
    #[serde(default, deserialize_with = "or_default")]
    pub add: Vec<Text>,
    /// To remove.
    #[serde(default, deserialize_with = "or_default")]
    pub remove: Vec<Text>,
}
