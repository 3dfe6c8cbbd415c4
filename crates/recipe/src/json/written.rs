//! An image file as apko writes it into the image, in `/etc/apko.json`.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Architecture;
use serde_json::{Map, Value, json};

use super::is_empty;
use super::shown::{SCANNER, put, redacted};
use crate::parsed::Image;

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
        let mut written = contents_of(&own, build);
        let services = self.has_services().then(|| SCANNER.1.to_owned());
        // That of a bundle has no version: only the file asks for it.
        let packages: Vec<&String> = build.packages.iter().chain(&services).collect();
        put(&mut written, "packages", json!(packages));
        if let Some(base) = own.get("baseimage") {
            put(&mut written, "baseimage", base.clone());
        }
        out.insert("contents".to_owned(), Value::Object(written));
        let pruned = |field: &str, kept: &[&str]| {
            let value = shown.get(field).cloned().unwrap_or_else(|| json!({}));
            prune(value, kept)
        };
        out.insert("entrypoint".to_owned(), pruned("entrypoint", &[]));
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

fn contents_of(own: &Map<String, Value>, build: &Surroundings<'_>) -> Map<String, Value> {
    let texts = |field: &str| -> BTreeSet<String> {
        let list = own
            .get(field)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut out = Map::new();
    let with = |field: &str, given: &[String]| {
        let mut all = texts(field);
        all.extend(given.iter().map(|text| redacted(text)));
        json!(all)
    };
    put(
        &mut out,
        "build_repositories",
        with("build_repositories", build.build_repositories),
    );
    let named = |field: &str| own.get(field).cloned().unwrap_or_default();
    put(
        &mut out,
        "runtime_repositories",
        named("runtime_repositories"),
    );
    put(
        &mut out,
        "repositories",
        with("repositories", build.repositories),
    );
    put(&mut out, "keyring", with("keyring", build.keyring));
    put(&mut out, "runtime_keyring", named("runtime_keyring"));
    out
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
                let says_nothing = is_empty(value) || *value == json!(false) || *value == json!(0);
                !says_nothing || kept.contains(&key.as_str())
            };
            Value::Object(fields.filter(says).collect())
        }
        Value::Array(all) => all.into_iter().map(|one| prune(one, kept)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_image;

    fn written(text: &str) -> String {
        let given = ["https://me:secret@os.example/x".to_owned()];
        let packages = ["a=1-r0", "s6=2-r0"].map(str::to_owned);
        let build = Surroundings {
            architecture: Architecture::X86_64,
            packages: &packages,
            repositories: &given,
            build_repositories: &given,
            keyring: &given,
            annotations: &BTreeMap::new(),
        };
        parse_image("web.yaml", text)
            .unwrap()
            .written(&build)
            .to_string()
    }

    #[test]
    fn what_is_given_is_there_without_passwords() {
        let text = written("contents: {packages: [a, s6], repositories: ['https://os.example']}\n");
        insta::assert_snapshot!(text, @r#"{"contents":{"build_repositories":["https://me:xxxxx@os.example/x"],"repositories":["https://me:xxxxx@os.example/x","https://os.example"],"keyring":["https://me:xxxxx@os.example/x"],"packages":["a=1-r0","s6=2-r0"]},"entrypoint":{},"accounts":{},"archs":["amd64"]}"#);
    }

    #[test]
    fn a_bundle_of_services_names_its_package() {
        let text = written(
            "contents: {packages: [a]}\nentrypoint: {type: service-bundle, services: {x: ''}}\naccounts: {groups: [{groupname: g, gid: 0}], users: [{username: u, uid: 5, gid: 0}]}\n",
        );
        insta::assert_snapshot!(text, @r#"{"contents":{"build_repositories":["https://me:xxxxx@os.example/x"],"repositories":["https://me:xxxxx@os.example/x"],"keyring":["https://me:xxxxx@os.example/x"],"packages":["a=1-r0","s6=2-r0","s6"]},"entrypoint":{"type":"service-bundle","command":"/bin/s6-svscan /sv","services":{"x":""}},"accounts":{"users":[{"username":"u","uid":5,"gid":0,"homedir":"/home/u"}],"groups":[{"groupname":"g"}]},"archs":["amd64"]}"#);
    }
}
