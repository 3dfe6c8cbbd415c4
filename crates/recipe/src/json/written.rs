//! An image file as apko writes it into the image, in `/etc/apko.json`.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Architecture;
use serde_json::{Map, Value, json};

use crate::parsed::Image;

/// The package that a service bundle brings along.
const SERVICES: &str = "s6";

/// What a build knows beside the file.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The architecture.
    pub architecture: Architecture,
    /// The packages, each in its version, in the order of their texts.
    pub packages: &'a [String],
    /// Repositories of the command line.
    pub repositories: &'a [String],
    /// Repositories of the command line for the build alone.
    pub build_repositories: &'a [String],
    /// Keys of the command line.
    pub keyring: &'a [String],
    /// Annotations of the command line, which win.
    pub annotations: &'a BTreeMap<String, String>,
}

impl Image {
    /// The configuration as an image of one architecture has it. The image must have been
    /// [checked](crate::check_image). Fields are in apko's order, and what says nothing is left out.
    pub fn written(&self, build: &Surroundings<'_>) -> Value {
        let shown = self.shown();
        let mut out = Map::new();
        let contents = shown.get("contents").and_then(Value::as_object);
        let own = contents.cloned().unwrap_or_default();
        out.insert("contents".to_owned(), contents_of(&own, build));
        let pruned = |field: &str, kept: &[&str]| {
            let value = shown.get(field).cloned().unwrap_or_else(|| json!({}));
            prune(value, kept)
        };
        out.insert("entrypoint".to_owned(), pruned("entrypoint", &["services"]));
        for field in ["cmd", "stop-signal", "work-dir"] {
            copy(&shown, &mut out, field);
        }
        out.insert("accounts".to_owned(), pruned("accounts", &["gid"]));
        if let Some(Value::Array(groups)) = out
            .get_mut("accounts")
            .and_then(|accounts| accounts.get_mut("groups"))
        {
            // A user's may be 0 where it is written; a group's is not written then.
            for group in groups.iter_mut().filter_map(Value::as_object_mut) {
                group.retain(|key, value| key != "gid" || *value != json!(0));
            }
        }
        out.insert("archs".to_owned(), json!([build.architecture.oci()]));
        copy(&shown, &mut out, "environment");
        if let Some(paths) = shown.get("paths") {
            out.insert("paths".to_owned(), prune(paths.clone(), &["uid", "gid"]));
        }
        let own = shown.get("annotations").and_then(Value::as_object);
        let mut annotations: BTreeMap<String, Value> =
            own.cloned().unwrap_or_default().into_iter().collect();
        let given = build.annotations.iter();
        annotations.extend(given.map(|(key, text)| (key.clone(), json!(text))));
        if !annotations.is_empty() {
            out.insert("annotations".to_owned(), json!(annotations));
        }
        for field in ["volumes", "layering", "format", "certificates"] {
            copy(&shown, &mut out, field);
        }
        Value::Object(out)
    }
}

fn copy(shown: &Value, out: &mut Map<String, Value>, field: &str) {
    if let Some(value) = shown.get(field) {
        out.insert(field.to_owned(), value.clone());
    }
}

fn contents_of(own: &Map<String, Value>, build: &Surroundings<'_>) -> Value {
    let texts = |field: &str| -> BTreeSet<String> {
        let list = own
            .get(field)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut out = Map::new();
    let mut put = |field: &str, value: Value| {
        if !value.as_array().is_some_and(Vec::is_empty) && !value.is_null() {
            out.insert(field.to_owned(), value);
        }
    };
    let with = |field: &str, given: &[String]| {
        let mut all = texts(field);
        all.extend(given.iter().cloned());
        json!(all)
    };
    put(
        "build_repositories",
        with("build_repositories", build.build_repositories),
    );
    let named = |field: &str| own.get(field).cloned().unwrap_or_default();
    put("runtime_repositories", named("runtime_repositories"));
    put("repositories", with("repositories", build.repositories));
    put("keyring", with("keyring", build.keyring));
    put("runtime_keyring", named("runtime_keyring"));
    // Without a version it is there only because the file asks for services.
    let asked = own.get("packages").and_then(Value::as_array);
    let is_bundle = asked
        .and_then(|packages| packages.last())
        .is_some_and(|last| last == SERVICES);
    let services = is_bundle.then(|| SERVICES.to_owned());
    let packages: Vec<&String> = build.packages.iter().chain(&services).collect();
    put("packages", json!(packages));
    Value::Object(out)
}

/// Takes out what says nothing, at every depth, but fields of these names.
fn prune(value: Value, kept: &[&str]) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| {
                let value = if key == "services" {
                    value
                } else {
                    prune(value, kept)
                };
                (key, value)
            });
            let says = |(key, value): &(String, Value)| {
                let is_empty = match value {
                    Value::Null | Value::Bool(false) => true,
                    Value::Number(number) => number.as_u64() == Some(0),
                    Value::String(text) => text.is_empty(),
                    Value::Array(all) => all.is_empty(),
                    Value::Object(all) => all.is_empty(),
                    Value::Bool(true) => false,
                };
                !is_empty || key != "services" && kept.contains(&key.as_str())
            };
            Value::Object(fields.filter(says).collect())
        }
        Value::Array(all) => all.into_iter().map(|one| prune(one, kept)).collect(),
        other => other,
    }
}
