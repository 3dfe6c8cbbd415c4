//! Dependencies: licences, bans, the losers of each job, how many there are, and that each is used.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{Repository, output};

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
    ("async-trait", "traits have async functions"),
];

/// Packages in the program, at most.
const MOST: usize = 300;

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let packages = match linked(repository) {
        Ok(packages) => packages,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut faults = Vec::new();
    for (name, licence) in &packages {
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| banned == name) {
            faults.push(format!("'{name}' is banned: {why}"));
        }
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
    faults.extend(unused(repository));
    faults
}

/// Dependencies of our own crates that none of their sources names.
fn unused(repository: &Repository) -> Vec<String> {
    let packages = repository.metadata["packages"].as_array();
    let own = packages
        .into_iter()
        .flatten()
        .filter(|package| package["source"].is_null());
    own.flat_map(|package| unused_by(repository, package))
        .collect()
}

fn unused_by(repository: &Repository, package: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&package["manifest_path"]);
    let Some(folder) = Path::new(&manifest)
        .parent()
        .and_then(|folder| folder.strip_prefix(&repository.root).ok())
    else {
        return Vec::new();
    };
    let sources: Vec<String> = repository
        .with_ending("rs")
        .filter(|file| file.starts_with(folder))
        .map(|file| repository.text(file))
        .collect();
    let dependencies = package["dependencies"].as_array();
    // Tests may share files with another crate's, which are not looked at here.
    let names = dependencies
        .into_iter()
        .flatten()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| text(&dependency["name"]));
    names
        .filter(|name| {
            let word = name.replace('-', "_");
            !sources.iter().any(|source| source.contains(&word))
        })
        .map(|name| {
            format!(
                "'{}' depends on '{name}' and does not use it",
                text(&package["name"])
            )
        })
        .collect()
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

/// Name and licence of everything the program is linked from, in every version.
fn linked(repository: &Repository) -> Result<Vec<(String, String)>> {
    let arguments = [
        "tree",
        "--locked",
        "-p",
        "boltworks-cli",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
        "-f",
        "{p}\t{l}",
    ];
    let listing = output(&repository.root, "cargo", &arguments)?;
    let lines: BTreeSet<&str> = listing.lines().collect();
    Ok(lines
        .into_iter()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(package, licence)| {
            Some((package.split(' ').next()?.to_owned(), licence.to_owned()))
        })
        .collect())
}
