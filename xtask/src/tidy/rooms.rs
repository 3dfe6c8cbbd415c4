//! The rooms and their edges: the table in the root manifest against what crates really use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Repository;

/// The floors of ARCHITECTURE.md, lowest first. An arrow may point down or along.
const FLOORS: &[&[&str]] = &[
    &["fsx", "model", "crypto", "yaml"],
    &["apk", "oci", "sbom", "version"],
    &["store", "records", "net"],
    &["config", "recipe", "solver", "source", "rootfs", "sandbox"],
    &["package", "image", "stage0"],
    &["plan", "gate"],
    &["release", "registry", "factory"],
    &["serve", "cli"],
];

/// Rooms that take everything: the door has no entry in the table.
const DOORS: &[&str] = &["cli"];

type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let allowed = table(&repository.metadata);
    let used = used(&repository.metadata);
    let mut faults = Vec::new();
    for (room, edges) in &used {
        if DOORS.contains(&room.as_str()) {
            continue;
        }
        let Some(may) = allowed.get(room) else {
            faults.push(format!(
                "'{room}' is missing from [workspace.metadata.rooms]"
            ));
            continue;
        };
        for edge in edges.difference(may) {
            faults.push(format!(
                "'{room}' uses '{edge}', which [workspace.metadata.rooms] does not allow"
            ));
        }
        for edge in may.difference(edges) {
            faults.push(format!(
                "'{room}' may use '{edge}' and does not: take it from the table"
            ));
        }
    }
    faults.extend(
        allowed
            .keys()
            .filter(|room| !used.contains_key(*room))
            .map(|room| format!("'{room}' is in [workspace.metadata.rooms] and not in crates/")),
    );
    faults.extend(floors(&used));
    faults.extend(named(repository, &used));
    faults
}

fn table(metadata: &Value) -> Edges {
    let rooms = metadata["metadata"]["rooms"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let names = |list: Value| {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    rooms
        .into_iter()
        .map(|(room, list)| (room, names(list)))
        .collect()
}

fn used(metadata: &Value) -> Edges {
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let room = |name: &str| name.strip_prefix("boltworks-").map(str::to_owned);
    packages
        .iter()
        .filter(|package| package["source"].is_null())
        .filter(|package| {
            package["manifest_path"]
                .as_str()
                .is_some_and(|path| path.contains("/crates/"))
        })
        .filter_map(|package| {
            let dependencies = package["dependencies"].as_array()?;
            let edges = dependencies
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .filter_map(|dependency| room(dependency["name"].as_str()?))
                .collect();
            Some((room(package["name"].as_str()?)?, edges))
        })
        .collect()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

fn floors(used: &Edges) -> Vec<String> {
    let mut faults = Vec::new();
    for (room, edges) in used {
        let Some(here) = floor(room) else {
            faults.push(format!("'{room}' stands on no floor"));
            continue;
        };
        faults.extend(
            edges
                .iter()
                .filter(|edge| floor(edge).is_none_or(|there| there > here))
                .map(|edge| format!("'{room}' points up, at '{edge}'")),
        );
    }
    faults
}

/// Every room has its row in ARCHITECTURE.md, and every row its room.
fn named(repository: &Repository, used: &Edges) -> Vec<String> {
    let text = repository.text("ARCHITECTURE.md".as_ref());
    let rows: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(room, _)| room.to_owned())
        .collect();
    let rooms: BTreeSet<String> = used.keys().cloned().collect();
    let missing = rooms
        .difference(&rows)
        .map(|room| format!("ARCHITECTURE.md has no row for '{room}'"));
    let gone = rows
        .difference(&rooms)
        .map(|room| format!("ARCHITECTURE.md has a row for '{room}', which is gone"));
    missing.chain(gone).collect()
}
