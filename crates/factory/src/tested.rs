//! What is recorded of tests, and read back: for each the packages of its guest.

use std::collections::BTreeSet;
use std::path::PathBuf;

use boltworks_model::{Artifact, Sha256, Timestamp};
use boltworks_records::ActionRecord;
use boltworks_rootfs::LockedPackage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::planning::TESTS_DOCUMENT;
use crate::recipes::APART;
use crate::testing::Tested;
use crate::{Error, Home};

/// The tests of a run, as a document: the packages of all, each once, and for each test which of
/// them its guest held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    version: u32,
    /// What was tested: `recipe zlib`.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    packages: Vec<Used>,
    tests: Vec<Entry>,
}

/// A package that some test's guest held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Used {
    /// Its name.
    pub name: String,
    /// Its full version.
    pub version: String,
    /// Its file.
    pub sha256: Sha256,
    /// The repository it came from.
    pub repository: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    package: String,
    passed: bool,
    /// Whether a person went on in a shell where a step had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_hand: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    log: Sha256,
    /// Places in the list of packages, in install order.
    packages: Vec<usize>,
}

/// One test of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported<'a> {
    /// The package under test.
    pub package: &'a str,
    /// How it failed, if it did.
    pub fault: Option<&'a str>,
    /// What it printed, in the store.
    pub log: Sha256,
    /// The packages of its guest, in install order.
    pub packages: Vec<&'a Used>,
}

/// The format of reports.
const VERSION: u32 = 1;

impl Report {
    /// Of tests that were run.
    pub fn new(subject: String, at: Timestamp, tests: &[Tested]) -> Self {
        let of = |tested: &Tested| -> Vec<Used> {
            let packages = tested.used.packages.iter();
            packages.map(Used::from).collect()
        };
        let all: BTreeSet<Used> = tests.iter().flat_map(of).collect();
        let packages: Vec<Used> = all.into_iter().collect();
        let entry = |tested: &Tested| Entry {
            package: tested.package.clone(),
            passed: tested.has_passed() && !tested.by_hand,
            by_hand: tested.by_hand,
            fault: tested.fault(),
            log: tested.log,
            packages: of(tested)
                .iter()
                .filter_map(|used| packages.binary_search(used).ok())
                .collect(),
        };
        Self {
            version: VERSION,
            subject,
            at,
            tests: tests.iter().map(entry).collect(),
            packages,
        }
    }

    /// Its tests, in the order they stand in the recipe.
    pub fn tests(&self) -> impl Iterator<Item = Reported<'_>> {
        self.tests.iter().map(|entry| Reported {
            package: &entry.package,
            fault: entry.fault.as_deref(),
            log: entry.log,
            packages: entry
                .packages
                .iter()
                .filter_map(|place| self.packages.get(*place))
                .collect(),
        })
    }
}

impl From<&LockedPackage> for Used {
    fn from(package: &LockedPackage) -> Self {
        Self {
            name: package.name.to_string(),
            version: package.version.to_string(),
            sha256: package.sha256,
            repository: package.repository.clone(),
        }
    }
}

/// A test of a package that was run.
#[derive(Debug, Clone)]
pub struct TestRun {
    /// When.
    pub at: Timestamp,
    /// How it failed, if it did.
    pub fault: Option<String>,
    /// Where what it printed lies on disk.
    pub log: PathBuf,
    /// The packages of its guest, in install order.
    pub packages: Vec<Used>,
}

impl Home {
    /// The tests of a package: the action's, and the last that was run alone.
    pub(crate) fn tests(
        &self,
        artifact: &Artifact,
        record: &ActionRecord,
    ) -> Result<Vec<TestRun>, Error> {
        let recipe = record
            .subject
            .strip_suffix(APART)
            .unwrap_or(&record.subject);
        let alone = self.last_tests(recipe)?;
        let own = record.documents.get(TESTS_DOCUMENT).copied();
        let mut runs = Vec::new();
        for digest in own.into_iter().chain(alone) {
            let Some(report) = self.json::<Report>(&digest)? else {
                continue;
            };
            let is_it = |test: &Reported<'_>| test.package == artifact.coordinate.name;
            runs.extend(report.tests().find(is_it).map(|test| TestRun {
                at: report.at,
                fault: test.fault.map(str::to_owned),
                log: self.blob_path(&test.log),
                packages: test.packages.into_iter().cloned().collect(),
            }));
        }
        Ok(runs)
    }
}

impl TestRun {
    /// For people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let how = self.fault.as_deref().unwrap_or("passed");
        let mut lines = vec![format!("  tested    {}: {how}, with", self.at)];
        lines.extend(self.packages.iter().map(|package| {
            let Used {
                name,
                version,
                sha256,
                repository,
            } = package;
            format!("    package  {name}-{version} sha256:{sha256} ({repository})")
        }));
        lines.push(format!("    log      {}", self.log.display()));
        lines
    }

    /// For machines.
    pub(crate) fn document(&self) -> Value {
        json!({
            "at": self.at.to_string(),
            "passed": self.fault.is_none(),
            "fault": self.fault,
            "log-file": self.log.to_string_lossy(),
            "packages": self.packages,
        })
    }
}
