//! `boltworks recipe graph`: who needs whom, and in which order recipes can be built.

use std::process::ExitCode;
use std::sync::Arc;

use boltworks_factory::graph::{self, GraphOrder, Link, Node};
use serde_json::{Value, json};

use crate::arguments::{Arguments, Graph};
use crate::commands::{given, session};
use crate::failure::{Failure, USAGE};
use crate::output::{Output, shown};
use crate::table::count;
use crate::terminal::hung;

pub(crate) fn run(
    arguments: &Arguments,
    graph: &Graph,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let order = GraphOrder {
        folders: graph.folders.clone(),
        pipelines: given::pipelines(&graph.pipelines.pipeline_dir, output),
        architecture: graph.arch,
        memory: session::memory(arguments),
    };
    let found = graph::graph(&order)?;
    let code = if found.unread.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    };
    if output.is_json() {
        output.json(&document(&found));
        return Ok(code);
    }
    output.text(&if graph.dot { dot(&found) } else { text(&found) });
    output.note(&notes(&found));
    Ok(code)
}

fn text(graph: &graph::Graph) -> String {
    let mut text = String::new();
    for node in &graph.recipes {
        text.push_str(&node.name);
        for (number, name) in node.needs.iter().enumerate() {
            text.push_str(if number == 0 { ": " } else { " " });
            text.push_str(name);
        }
        for (number, name) in node.tests.iter().enumerate() {
            text.push_str(if number == 0 { " (tests: " } else { " " });
            text.push_str(name);
        }
        text.push_str(if node.tests.is_empty() { "\n" } else { ")\n" });
    }
    text
}

fn dot(graph: &graph::Graph) -> String {
    let mut lines = vec!["digraph recipes {".to_owned()];
    for node in &graph.recipes {
        // Names of packages have no quotes in them.
        lines.push(format!("  \"{}\";", node.name));
        let needs = node.needs.iter();
        lines.extend(needs.map(|other| format!("  \"{}\" -> \"{other}\";", node.name)));
        let tests = node.tests.iter();
        let dashed = |other| format!("  \"{}\" -> \"{other}\" [style=dashed];", node.name);
        lines.extend(tests.map(dashed));
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

/// What a person must know beside the order.
fn notes(graph: &graph::Graph) -> String {
    let mut lines = Vec::new();
    for circle in &graph.circles {
        lines.push(format!(
            "! {} need one another:",
            count(circle.len(), "recipe")
        ));
        lines.extend(circle.iter().map(|link| format!("    {}", explained(link))));
    }
    lines.extend(
        graph
            .faults
            .iter()
            .map(|(name, why)| hung(&format!("! {name}: {why}"))),
    );
    let unread = graph.unread.iter();
    lines.extend(unread.map(|(_, why)| hung(&format!("! {why}"))));
    lines.push(format!(
        "{} in order, {} for other architectures, {} not understood",
        count(graph.recipes.len(), "recipe"),
        graph.elsewhere.len(),
        graph.unread.len()
    ));
    lines.join("\n")
}

/// Through which packages a recipe comes to need the next of its circle.
fn explained(link: &Link) -> String {
    format!(
        "{} builds with {}",
        link.recipe,
        link.packages.join(", which needs ")
    )
}

fn document(graph: &graph::Graph) -> Value {
    let recipe = |node: &Node| {
        let names = |names: &[Arc<str>]| -> Value { names.iter().map(|name| &**name).collect() };
        json!({
            "name": &*node.name,
            "file": shown(&node.file),
            "needs": names(&node.needs),
            "tests": names(&node.tests),
        })
    };
    let circle = |circle: &Vec<Link>| -> Value {
        let link = |link: &Link| json!({"recipe": link.recipe, "packages": link.packages});
        circle.iter().map(link).collect()
    };
    let unread = graph.unread.iter();
    json!({
        "recipes": graph.recipes.iter().map(recipe).collect::<Vec<_>>(),
        "circles": graph.circles.iter().map(circle).collect::<Vec<_>>(),
        "faults": graph.faults,
        "unread": unread
            .map(|(file, why)| json!({"file": shown(file), "why": why}))
            .collect::<Vec<_>>(),
        "elsewhere": graph.elsewhere.iter().map(|file| shown(file)).collect::<Vec<_>>(),
    })
}
