//! Dependencies: licences, bans, the losers of each job, and how many there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Repository;

/// Licences that may be linked.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "MIT-0",
    "Unlicense",
    "Unicode-3.0",
    "MPL-2.0",
];

/// One library for each job: these lost, and why.
const BANNED: &[(&str, &str)] = &[
    ("ring", "aws-lc-rs is the one crypto stack"),
    ("openssl-sys", "aws-lc-rs is the one crypto stack"),
    ("chrono", "jiff is the one date library"),
    ("time", "jiff is the one date library"),
    ("reqwest", "ureq is the one HTTP client"),
    ("serde_yaml", "serde-saphyr is the one YAML reader"),
    ("sqlx", "rusqlite is the one database driver"),
    ("lazy_static", "std::sync::LazyLock does it"),
    ("async-trait", "traits have async functions"),
];

/// Packages in the program, at most.
const MOST: usize = 300;

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let packages = linked(&repository.metadata);
    let mut faults = Vec::new();
    for (id, package) in &packages {
        let name = package["name"].as_str().unwrap_or(id);
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            faults.push(format!("'{name}' is banned: {why}"));
        }
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_allowed(licence) {
            faults.push(format!("'{name}' has the licence '{licence}'"));
        }
    }
    if packages.len() > MOST {
        faults.push(format!(
            "{} packages are linked, {MOST} is the limit",
            packages.len()
        ));
    }
    faults
}

/// Whether one alternative of an SPDX expression is wholly on the list.
fn is_allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    if expression.contains('(') {
        return flat.split(" AND ").all(|part| {
            part.split(" OR ")
                .any(|licence| LICENCES.contains(&licence.trim()))
        });
    }
    flat.split(" OR ").any(|part| {
        part.split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    })
}

/// Everything the program is linked from on Linux, found from its crate along normal edges.
fn linked(metadata: &Value) -> BTreeMap<String, Value> {
    let empty = Vec::new();
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .filter_map(|package| Some((package["id"].as_str()?.to_owned(), package)))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .filter_map(|node| Some((node["id"].as_str()?.to_owned(), node)))
        .collect();
    let start = packages
        .iter()
        .find(|(_, package)| package["name"] == "boltworks-cli");
    let mut open: Vec<String> = start.map(|(id, _)| id.clone()).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let dependencies = nodes
            .get(&id)
            .and_then(|node| node["deps"].as_array())
            .unwrap_or(&empty);
        open.extend(
            dependencies
                .iter()
                .filter(|dependency| list(&dependency["dep_kinds"]).iter().any(is_linked))
                .filter_map(|dependency| dependency["pkg"].as_str().map(str::to_owned)),
        );
    }
    packages
        .into_iter()
        .filter(|(id, _)| seen.contains(id))
        .collect()
}

fn is_linked(kind: &Value) -> bool {
    let target = kind["target"].as_str().unwrap_or("");
    let elsewhere = [
        "windows", "wasm", "macos", "apple", "hermit", "wasi", "android", "redox", "uefi", "miri",
    ];
    kind["kind"].is_null() && !elsewhere.iter().any(|word| target.contains(word))
}
