//! What `recipe compile` prints and what an action digest hashes.
//!
//! Both are JSON with keys in an order fixed here and maps sorted, so that equal values are
//! equal bytes. They differ in what they hold:
//!
//! | | `compile_json` | `canonical_json` |
//! |---|---|---|
//! | for | people, and comparing with melange | action digests |
//! | scripts, folders, variables, fetches | as a recipe would write them | all |
//! | names and labels of steps, nesting without meaning | yes | no: they change no byte |
//! | commands, modes, keys and certificates of an image | as an image file has them | as lists and numbers |
//! | packages of the environment | in order | sorted: an order changes no byte |
//! | time limits, resources, disabled checks | yes | no: they change no byte |
//! | tests | yes | no: they are an action of their own, [`Test::canonical_json`] |
//! | comments, paths, pipelines' texts before filling in | no | no |

mod block;
mod image;
mod read;
mod shown;
mod update;
mod written;

use std::collections::BTreeMap;

use boltworks_model::{Depth, RefName};
use boltworks_version::apk::Dependency;
use serde_json::{Map, Value, json};

pub use self::block::to_yaml;
use self::image::{contents, image};
pub use self::written::Surroundings;
use crate::resolved::{
    BuildOption, Capability, Copyright, Cpe, Dependencies, Fetch, KnownBy, Package, PackageOptions,
    Recipe, Resources, Scriptlets, SourceRef, Step, Subpackage, Test, VarTransform,
};

/// Counts the forms of the canonical documents. A new form rebuilds everything.
const FORM: u32 = 1;

/// Who reads the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Compile,
    Action,
}

impl Recipe {
    /// Everything that decides the bytes of the packages, as one canonical JSON document:
    /// what an action digest hashes, beside the digest of the locked environment.
    pub fn canonical_json(&self) -> Vec<u8> {
        let view = View::Action;
        let mut object = Object::default();
        object.put("form", FORM);
        object.put("architecture", self.architecture.apk());
        object.put("package", package(&self.package, view));
        object.put("packages", sorted(&self.build_packages));
        object.put("environment", image(&self.environment, view));
        object.put("capabilities-add", self.capabilities_add.as_slice());
        object.put("capabilities-drop", self.capabilities_drop.as_slice());
        object.put("pipeline", steps(&self.pipeline, view));
        object.put(
            "subpackages",
            list(&self.subpackages, |sub| subpackage(sub, view)),
        );
        object.into_bytes()
    }

    /// The whole resolved recipe as one line of JSON, with the keys of the file format.
    pub fn compile_json(&self) -> String {
        let view = View::Compile;
        let mut environment = Object(image(&self.environment, view));
        environment.put(
            "contents",
            contents(&self.environment, &self.build_packages),
        );
        let mut capabilities = Object::default();
        capabilities.put("add", self.capabilities_add.as_slice());
        capabilities.put("drop", self.capabilities_drop.as_slice());
        let mut object = Object::default();
        object.put("package", package(&self.package, view));
        object.put("environment", environment.0);
        object.put("capabilities", capabilities.0);
        object.put("pipeline", steps(&self.pipeline, view));
        object.put(
            "subpackages",
            list(&self.subpackages, |sub| subpackage(sub, view)),
        );
        object.put("update", update::update(&self.update));
        object.put("vars", map(&self.vars));
        object.put("var-transforms", list(&self.var_transforms, var_transform));
        let options = self.options.iter();
        let options = options.map(|(name, option)| (name.clone(), build_option(option)));
        object.put("options", options.collect::<Value>());
        object.put("test", self.test.as_ref().map(test).unwrap_or_default());
        object.into_text()
    }
}

impl Test {
    /// Everything that decides the outcome of the tests, as one canonical JSON document.
    pub fn canonical_json(&self) -> Vec<u8> {
        let mut object = Object::default();
        object.put("form", FORM);
        object.put("packages", sorted(&self.packages));
        object.put("environment", image(&self.environment, View::Action));
        object.put("pipeline", steps(&self.pipeline, View::Action));
        object.into_bytes()
    }
}

/// Whether a value is a text, list or map of nothing, or `null`.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A JSON object that leaves out what is empty: `null`, `false`, `""`, `[]`, `{}`.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        if !is_empty(&value) && value != Value::Bool(false) {
            self.0.insert(key.to_owned(), value);
        }
    }

    /// JSON that is YAML too: that takes fewer characters as they are (YAML 1.2, 5.1).
    fn into_text(self) -> String {
        let json = Value::Object(self.0).to_string();
        let is_kept = |c: char| {
            !matches!(
                c,
                '\u{7f}'
                    ..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
        };
        let is_plain = json.is_ascii() && !json.contains('\u{7f}');
        if is_plain || json.chars().all(is_kept) {
            return json;
        }
        let shown = |c| {
            if is_kept(c) {
                String::from(c)
            } else {
                format!("\\u{:04x}", u32::from(c))
            }
        };
        json.chars().map(shown).collect()
    }

    fn into_bytes(self) -> Vec<u8> {
        Value::Object(self.0).to_string().into_bytes()
    }
}

fn map(map: &BTreeMap<String, String>) -> Value {
    map.iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect()
}

fn list<T>(all: &[T], one: impl Fn(&T) -> Map<String, Value>) -> Value {
    all.iter().map(|item| Value::Object(one(item))).collect()
}

fn texts<T: ToString>(all: &[T]) -> Value {
    all.iter()
        .map(|item| Value::String(item.to_string()))
        .collect()
}

fn sorted(all: &[Dependency]) -> Value {
    let mut all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.sort_unstable();
    all.dedup();
    Value::from(all)
}

fn package(package: &Package, view: View) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("name", package.name.as_str());
    object.put("version", package.version.as_str());
    object.put("epoch", package.epoch);
    object.put("description", package.description.as_str());
    object.put("url", package.url.as_deref());
    object.put("commit", package.commit.as_deref());
    object.put("annotations", map(&package.annotations));
    if view == View::Compile {
        let architectures = package.target_architecture.iter().map(|arch| arch.apk());
        object.put("target-architecture", architectures.collect::<Value>());
    }
    object.put("copyright", list(&package.copyright, copyright));
    object.put("dependencies", dependencies(&package.dependencies));
    object.put("options", options(package.options));
    object.put("scriptlets", scriptlets(&package.scriptlets));
    object.put("cpe", cpe(&package.cpe));
    object.put("setcap", list(&package.setcap, capability));
    if view == View::Compile {
        object.put("checks", checks(&package.checks_disabled));
        object.put(
            "timeout",
            package.timeout.map(|timeout| match timeout.subsec_nanos() {
                0 => format!("{}s", timeout.as_secs()),
                _ => format!("{}ns", timeout.as_nanos()),
            }),
        );
        object.put("resources", resources(&package.resources));
        object.put("test-resources", resources(&package.test_resources));
    }
    object.0
}

fn subpackage(subpackage: &Subpackage, view: View) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("name", subpackage.name.as_str());
    object.put("pipeline", steps(&subpackage.pipeline, view));
    object.put("dependencies", dependencies(&subpackage.dependencies));
    object.put("options", options(subpackage.options));
    object.put("scriptlets", scriptlets(&subpackage.scriptlets));
    object.put("description", subpackage.description.as_str());
    object.put("annotations", map(&subpackage.annotations));
    object.put("url", subpackage.url.as_deref());
    object.put("commit", subpackage.commit.as_deref());
    object.put("copyright", list(&subpackage.copyright, copyright));
    object.put("setcap", list(&subpackage.setcap, capability));
    if view == View::Compile {
        object.put("checks", checks(&subpackage.checks_disabled));
        object.put(
            "test",
            subpackage.test.as_ref().map(test).unwrap_or_default(),
        );
    }
    object.0
}

fn test(test: &Test) -> Map<String, Value> {
    let mut environment = Object(image(&test.environment, View::Compile));
    environment.put("contents", contents(&test.environment, &test.packages));
    let mut object = Object::default();
    object.put("environment", environment.0);
    object.put("pipeline", steps(&test.pipeline, View::Compile));
    object.0
}

fn checks(disabled: &[String]) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("disabled", disabled);
    object.0
}

fn steps(all: &[Step], view: View) -> Value {
    let all = all.iter().map(|one| step(one, view));
    all.filter(|step| !step.is_empty())
        .map(Value::Object)
        .collect()
}

fn step(step: &Step, view: View) -> Map<String, Value> {
    let mut object = Object::default();
    if view == View::Compile {
        object.put("name", step.written_name.as_deref());
        object.put("label", step.label.as_deref());
        object.put("uses", step.uses.as_deref());
        object.put("with", map(&step.with));
    } else {
        object.put("fetch", step.fetch.as_ref().map(fetch));
        object.put("checkout", step.checkout.as_ref().and_then(checkout));
    }
    let inner = steps(&step.pipeline, view);
    if view == View::Compile && step.uses.is_some() && step.runs.is_some() {
        // As a recipe would write it: what a pipeline became is steps of its own.
        let mut script = Object::default();
        script.put("runs", step.runs.as_deref());
        put_surroundings(step, &mut script);
        let inner = inner.as_array().cloned().unwrap_or_default();
        let all = std::iter::once(Value::Object(script.0)).chain(inner);
        object.put("pipeline", all.collect::<Value>());
    } else {
        object.put("runs", step.runs.as_deref());
        object.put("pipeline", inner);
        put_surroundings(step, &mut object);
    }
    if view == View::Compile && step.required_steps > 0 {
        object.put("assertions", json!({"required-steps": step.required_steps}));
    }
    object.0
}

/// Where and with what a script runs. Where none runs, folder and variables are those of the
/// steps within.
fn put_surroundings(step: &Step, into: &mut Object) {
    if step.runs.is_some() {
        into.put("working-directory", step.working_directory.as_str());
        into.put("environment", map(&step.environment));
    }
}

fn var_transform(transform: &VarTransform) -> Map<String, Value> {
    // All four belong there, an empty replacement too.
    [
        ("from", &transform.from),
        ("match", &transform.pattern),
        ("replace", &transform.replace),
        ("to", &transform.to),
    ]
    .into_iter()
    .map(|(key, text)| (key.to_owned(), Value::from(text.as_str())))
    .collect()
}

fn build_option(option: &BuildOption) -> Map<String, Value> {
    let mut packages = Object::default();
    packages.put("add", option.packages_add.as_slice());
    packages.put("remove", option.packages_remove.as_slice());
    let mut contents = Object::default();
    contents.put("packages", packages.0);
    let mut environment = Object::default();
    environment.put("contents", contents.0);
    let mut object = Object::default();
    object.put("vars", map(&option.vars));
    object.put("environment", environment.0);
    object.0
}

fn fetch(fetch: &Fetch) -> Value {
    json!({
        "key": fetch.key,
        "uri": fetch.uri,
        "sha256": fetch.expected_sha256.map(|digest| digest.to_string()),
        "sha512": fetch.expected_sha512.map(|digest| digest.to_string()),
        "strip-components": fetch.strip_components,
        "extract": fetch.extract,
        "delete": fetch.delete,
        "directory": fetch.directory,
        "purl-name": fetch.purl_name,
        "purl-version": fetch.purl_version,
    })
}

/// What is checked out; nothing of what cannot be.
fn checkout(source: &SourceRef) -> Option<Value> {
    let KnownBy::Commit(checkout) = &source.known_by else {
        return None;
    };
    let name = |name: &Option<RefName>| name.as_ref().map(|name| name.as_str().to_owned());
    let picks = checkout.picks.iter();
    let picks =
        picks.map(|pick| json!({"branch": name(&pick.branch), "commit": pick.commit.to_string()}));
    Some(json!({
        "key": source.key,
        "repository": source.uri,
        "commit": checkout.commit.to_string(),
        "branch": name(&checkout.branch),
        "is-tip": checkout.is_tip,
        "tag": name(&checkout.tag),
        "depth": match checkout.depth {
            Depth::All => "all".to_owned(),
            Depth::Last(count) => count.to_string(),
        },
        "submodules": checkout.submodules,
        "picks": picks.collect::<Value>(),
    }))
}

fn dependencies(dependencies: &Dependencies) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("runtime", texts(&dependencies.runtime));
    object.put("provides", texts(&dependencies.provides));
    object.put("replaces", texts(&dependencies.replaces));
    let priority = |priority: Option<u32>| priority.map(|number| number.to_string());
    object.put(
        "provider-priority",
        priority(dependencies.provider_priority),
    );
    object.put(
        "replaces-priority",
        priority(dependencies.replaces_priority),
    );
    object.0
}

fn options(options: PackageOptions) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("no-provides", options.no_provides);
    object.put("no-depends", options.no_depends);
    object.put("no-commands", options.no_commands);
    object.put("no-versioned-shlib-deps", options.no_versioned_shlib_deps);
    object.0
}

fn scriptlets(scriptlets: &Scriptlets) -> Map<String, Value> {
    let mut trigger = Object::default();
    if let Some(watch) = &scriptlets.trigger {
        trigger.put("script", watch.script.as_str());
        trigger.put("paths", watch.paths.as_slice());
    }
    let mut object = Object::default();
    object.put("trigger", trigger.0);
    object.put("pre-install", scriptlets.pre_install.as_deref());
    object.put("post-install", scriptlets.post_install.as_deref());
    object.put("pre-deinstall", scriptlets.pre_deinstall.as_deref());
    object.put("post-deinstall", scriptlets.post_deinstall.as_deref());
    object.put("pre-upgrade", scriptlets.pre_upgrade.as_deref());
    object.put("post-upgrade", scriptlets.post_upgrade.as_deref());
    object.0
}

fn copyright(copyright: &Copyright) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("paths", copyright.paths.as_slice());
    object.put("attestation", copyright.attestation.as_deref());
    object.put("license", copyright.license.as_str());
    object.put("license-path", copyright.license_path.as_deref());
    object.put(
        "detection-override",
        copyright.detection_override.as_deref(),
    );
    object.0
}

fn capability(capability: &Capability) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("path", capability.path.as_str());
    object.put("add", map(&capability.add));
    object.put("reason", capability.reason.as_str());
    object.0
}

fn cpe(cpe: &Cpe) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("part", cpe.part.as_deref());
    object.put("vendor", cpe.vendor.as_deref());
    object.put("product", cpe.product.as_deref());
    object.put("edition", cpe.edition.as_deref());
    object.put("language", cpe.language.as_deref());
    object.put("sw_edition", cpe.sw_edition.as_deref());
    object.put("target_sw", cpe.target_sw.as_deref());
    object.put("target_hw", cpe.target_hw.as_deref());
    object.put("other", cpe.other.as_deref());
    object.0
}

fn resources(resources: &Resources) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("cpu", resources.cpu.as_deref());
    object.put("cpumodel", resources.cpumodel.as_deref());
    object.put("memory", resources.memory.as_deref());
    object.put("disk", resources.disk.as_deref());
    object.0
}
