//! Documents: links lead somewhere, named tests exist, nothing names a registry or this machine.

use std::path::Path;

use super::{Repository, output};

/// ARCHITECTURE.md, at most.
const ARCHITECTURE_LINES: usize = 250;

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let mut faults = Vec::new();
    for file in repository.with_ending("md") {
        faults.extend(links(repository, file));
    }
    let architecture = repository.text("ARCHITECTURE.md".as_ref());
    let lines = architecture.lines().count();
    if lines > ARCHITECTURE_LINES {
        faults.push(format!(
            "ARCHITECTURE.md has {lines} lines, {ARCHITECTURE_LINES} is the limit"
        ));
    }
    faults.extend(proofs(repository, &architecture));
    faults.extend(hosts(repository));
    faults
}

/// Relative links and the files they name.
fn links(repository: &Repository, file: &Path) -> Vec<String> {
    let text = repository.text(file);
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .filter(|target| !repository.root.join(folder).join(target).exists())
        .map(|target| format!("{}: the link to '{target}' leads nowhere", file.display()))
        .collect()
}

/// Every `test name` that an invariant gives as its proof is a function somewhere.
fn proofs(repository: &Repository, architecture: &str) -> Vec<String> {
    let sources: Vec<String> = repository
        .with_ending("rs")
        .map(|file| repository.text(file))
        .collect();
    architecture
        .split("test `")
        .skip(1)
        .filter_map(|rest| rest.split('`').next())
        .filter(|name| {
            !sources
                .iter()
                .any(|text| text.contains(&format!("fn {name}(")))
        })
        .map(|name| format!("ARCHITECTURE.md names the test '{name}', which does not exist"))
        .collect()
}

/// The hosts this machine's own package clients use stand in no tracked file: users have others.
fn hosts(repository: &Repository) -> Vec<String> {
    let mut hosts = Vec::new();
    let question = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
    let answers = [
        output(&repository.root, "python3", &["-c", question]),
        output(&repository.root, "npm", &["config", "get", "registry"]),
        output(
            &repository.root,
            "apt-get",
            &["indextargets", "--format", "$(SITE)"],
        ),
    ];
    for answer in answers.into_iter().flatten() {
        hosts.extend(answer.lines().filter_map(host));
    }
    hosts.sort();
    hosts.dedup();
    let mut faults = Vec::new();
    for file in &repository.files {
        if file.extension().is_some_and(|ending| ending == "lock") {
            continue;
        }
        let text = repository.text(file);
        let named = hosts.iter().filter(|host| text.contains(host.as_str()));
        faults
            .extend(named.map(|host| format!("{} names the registry host {host}", file.display())));
    }
    faults
}

fn host(address: &str) -> Option<String> {
    let (_, rest) = address.trim().split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    (host.contains('.') && !host.starts_with("127.")).then(|| host.to_owned())
}
