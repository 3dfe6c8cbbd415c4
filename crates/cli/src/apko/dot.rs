//! `apko dot`: packages and what they need, as Graphviz draws it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use boltworks_apk::IndexEntry;
use boltworks_factory::single;

use super::given;
use crate::commands::session;
use crate::dialect::flag::Words;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let mut order = given::resolve_order(words)?;
    let image = boltworks_recipe::resolve_image(&order.configuration.image)?;
    if order.architectures.is_empty() {
        order.architectures = order.configuration.architectures()?;
    }
    order.architectures.truncate(1);
    let home = given::home(words)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let all = single::resolved(&home, &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    let wanted: Vec<String> = image
        .packages
        .iter()
        .map(|one| one.name.to_string())
        .collect();
    let chosen = all.iter().flat_map(|resolved| &resolved.solution.packages);
    let entries: Vec<&IndexEntry> = chosen.map(|chosen| &chosen.entry).collect();
    let name = order.configuration.file.display().to_string();
    let is_tree = words.is_on("spanning-tree");
    output.raw(&graph(&name, (&wanted, &entries), is_tree));
    Ok(ExitCode::SUCCESS)
}

/// A graph in Graphviz' language: from the file to what it asks for, and on to what that needs.
fn graph(file: &str, (wanted, entries): (&[String], &[&IndexEntry]), is_tree: bool) -> String {
    let mut providers: BTreeMap<&str, &IndexEntry> = BTreeMap::new();
    for entry in entries {
        for provide in &entry.provides {
            providers.entry(provide.name.as_str()).or_insert(entry);
        }
    }
    for entry in entries {
        providers.insert(entry.name.as_str(), entry);
    }
    let node = |entry: &IndexEntry| quoted(&format!("{}-{}", entry.name, entry.version));
    let mut lines = vec!["digraph {".to_owned(), "  rankdir=LR;".to_owned()];
    let mut seen = BTreeSet::new();
    let mut edge = |from: &str, to: &IndexEntry| {
        let to = node(to);
        if from != to && (!is_tree || seen.insert(to.clone())) {
            lines.push(format!("  {from} -> {to};"));
        }
    };
    let top = quoted(file);
    for name in wanted {
        if let Some(entry) = providers.get(name.as_str()) {
            edge(&top, entry);
        }
    }
    for entry in entries.iter().rev() {
        let mut needed = BTreeMap::new();
        for dependency in entry.depends.iter().filter(|one| !one.conflict) {
            if let Some(entry) = providers.get(dependency.name.as_str()) {
                needed.insert(node(entry), *entry);
            }
        }
        for to in needed.into_values() {
            edge(&node(entry), to);
        }
    }
    lines.push("}\n".to_owned());
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
