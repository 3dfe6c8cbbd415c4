//! What a template can ask of a recipe, under the names that melange's own program has for it.

use std::collections::BTreeMap;

use boltworks_model::Architecture;
use boltworks_recipe::parsed::{self, Text};
use boltworks_recipe::resolved::{self, Dependencies};
use boltworks_recipe::{PipelineLibrary, ResolveOptions, resolve};
use boltworks_version::apk::Dependency;

use super::update;
use crate::dialect::template::Data;
use crate::failure::Failure;

/// A recipe with its variables filled in, as far as that is possible without opening a pipeline:
/// steps are as they are written.
pub(super) fn recipe(mut parsed: parsed::Recipe) -> Result<Data, Failure> {
    let pipeline = steps(&std::mem::take(&mut parsed.pipeline));
    let test = parsed.test.take();
    let targets = std::mem::take(&mut parsed.package.target_architecture);
    let mut below = Vec::new();
    for package in &mut parsed.subpackages {
        below.push(Stanza {
            condition: package.condition.clone(),
            has_options: package.options.is_some(),
            steps: steps(&std::mem::take(&mut package.pipeline)),
            test: package.test.take(),
            dependencies: package.dependencies.clone(),
        });
    }
    let resolved = with_all_packages(&parsed)?;
    let stanzas = stanzas(&parsed);
    let is_whole = stanzas.len() == resolved.subpackages.len();
    let subpackages = resolved
        .subpackages
        .iter()
        .enumerate()
        .map(|(index, package)| {
            let stanza = stanzas.get(index).filter(|_| is_whole);
            let found = stanza.and_then(|stanza| below.get((*stanza)?));
            let steps = found.map(|stanza| stanza.steps.clone());
            let has_options = found.is_some_and(|stanza| stanza.has_options);
            let lists = found.map(|stanza| &stanza.dependencies);
            let test = found.and_then(|stanza| stanza.test.as_ref());
            Data::Record(vec![
                (
                    "If",
                    written(found.and_then(|stanza| stanza.condition.as_ref())),
                ),
                ("Name", text(package.name.as_str())),
                ("Pipeline", steps.unwrap_or_else(|| Data::List(Vec::new()))),
                ("Dependencies", dependencies(&package.dependencies, lists)),
                ("Description", text(&package.description)),
                ("URL", optional(package.url.as_deref())),
                ("Commit", optional(package.commit.as_deref())),
                ("Annotations", map(&package.annotations)),
                ("Checks", checks(&package.checks_disabled)),
                ("Options", only_if(has_options, switches(package.options))),
                ("Test", tests(test)),
            ])
        });
    let subpackages = subpackages.collect();
    Ok(Data::Record(vec![
        (
            "Package",
            package(&resolved.package, &targets, &parsed.package),
        ),
        (
            "Environment",
            environment(&resolved.environment, &parsed.environment.contents),
        ),
        (
            "Capabilities",
            Data::Record(vec![
                ("Add", texts(&parsed.capabilities.add)),
                ("Drop", texts(&parsed.capabilities.drop)),
            ]),
        ),
        ("Pipeline", pipeline),
        ("Subpackages", Data::List(subpackages)),
        // The subpackages that are ranged over it are there in its place.
        ("Data", Data::List(Vec::new())),
        ("Update", update::update(&parsed.update)),
        ("Vars", texts_by_name(&parsed.vars)),
        ("VarTransforms", transforms(&parsed.var_transforms)),
        ("Options", options(&parsed.options)),
        ("Test", tests(test.as_ref())),
    ]))
}

/// What is written of a subpackage and not resolved.
struct Stanza {
    condition: Option<Text>,
    has_options: bool,
    steps: Data,
    test: Option<parsed::Test>,
    dependencies: parsed::Dependencies,
}

/// The stanza that each subpackage comes from; none with `range`, where texts differ from item to item.
fn stanzas(parsed: &parsed::Recipe) -> Vec<Option<usize>> {
    let mut stanzas = Vec::new();
    for (index, package) in parsed.subpackages.iter().enumerate() {
        match package.range.as_ref().filter(|range| !range.is_empty()) {
            None => stanzas.push(Some(index)),
            Some(range) => {
                let set = parsed.data.iter().find(|set| *set.name == **range);
                let items = set.map_or(0, |set| set.items.len());
                stanzas.extend(std::iter::repeat_n(None, items));
            }
        }
    }
    stanzas
}

/// Resolves a recipe with all its subpackages, as melange's own parser gives them; without those whose
/// condition does not hold only where they have the names of others.
fn with_all_packages(parsed: &parsed::Recipe) -> Result<resolved::Recipe, boltworks_recipe::Error> {
    let library = PipelineLibrary::builtin();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    let mut all = parsed.clone();
    all.unconditional();
    resolve(&all, &options).or_else(|_| resolve(parsed, &options))
}

fn package(package: &resolved::Package, targets: &[Text], written: &parsed::Package) -> Data {
    let copyright = package.copyright.iter().map(|copyright| {
        Data::Record(vec![
            ("Paths", list(&copyright.paths)),
            ("Attestation", optional(copyright.attestation.as_deref())),
            ("License", text(&copyright.license)),
            ("LicensePath", optional(copyright.license_path.as_deref())),
        ])
    });
    let resources = |resources: &resolved::Resources| {
        Data::Record(vec![
            ("CPU", optional(resources.cpu.as_deref())),
            ("CPUModel", optional(resources.cpumodel.as_deref())),
            ("Memory", optional(resources.memory.as_deref())),
            ("Disk", optional(resources.disk.as_deref())),
        ])
    };
    Data::Record(vec![
        ("Name", text(package.name.as_str())),
        ("Version", text(&package.version.to_string())),
        (
            "Epoch",
            Data::Number(i64::try_from(package.epoch).unwrap_or(i64::MAX)),
        ),
        ("FullVersion", text(&package.full_version.to_string())),
        ("Description", text(&package.description)),
        ("Annotations", map(&package.annotations)),
        ("URL", optional(package.url.as_deref())),
        ("Commit", optional(package.commit.as_deref())),
        ("TargetArchitecture", texts(targets)),
        ("Copyright", Data::List(copyright.collect())),
        (
            "Dependencies",
            dependencies(&package.dependencies, Some(&written.dependencies)),
        ),
        (
            "Options",
            only_if(written.options.is_some(), switches(package.options)),
        ),
        ("Checks", checks(&package.checks_disabled)),
        ("Resources", resources(&package.resources)),
        (
            "TestResources",
            only_if(
                written.test_resources.is_some(),
                resources(&package.test_resources),
            ),
        ),
    ])
}

/// A list of dependencies, in which melange has those that are written twice; here each is there once
/// where variables are filled in.
fn words(list: &[Dependency], written: Option<&[Text]>) -> Data {
    let is_shorter = |written: &&[Text]| written.len() != list.len();
    let is_plain = |written: &&[Text]| written.iter().all(|one| !one.contains("${{"));
    match written.filter(is_shorter).filter(is_plain) {
        Some(written) => texts(written),
        None => Data::List(list.iter().map(|one| text(&one.to_string())).collect()),
    }
}

fn dependencies(dependencies: &Dependencies, written: Option<&parsed::Dependencies>) -> Data {
    let priority =
        |priority: Option<u32>| optional(priority.map(|number| number.to_string()).as_deref());
    Data::Record(vec![
        (
            "Runtime",
            words(&dependencies.runtime, written.map(|of| &*of.runtime)),
        ),
        (
            "Provides",
            words(&dependencies.provides, written.map(|of| &*of.provides)),
        ),
        (
            "Replaces",
            words(&dependencies.replaces, written.map(|of| &*of.replaces)),
        ),
        ("ProviderPriority", priority(dependencies.provider_priority)),
        ("ReplacesPriority", priority(dependencies.replaces_priority)),
    ])
}

/// What is written; nothing otherwise.
fn only_if(is_written: bool, data: Data) -> Data {
    if is_written { data } else { Data::Nil }
}

fn switches(options: resolved::PackageOptions) -> Data {
    Data::Record(vec![
        ("NoProvides", Data::Bool(options.no_provides)),
        ("NoDepends", Data::Bool(options.no_depends)),
        ("NoCommands", Data::Bool(options.no_commands)),
        (
            "NoVersionedShlibDeps",
            Data::Bool(options.no_versioned_shlib_deps),
        ),
    ])
}

fn checks(disabled: &[String]) -> Data {
    Data::Record(vec![("Disabled", list(disabled))])
}

fn environment(image: &resolved::Image, written: &parsed::Contents) -> Data {
    let contents = Data::Record(vec![
        ("Repositories", list(&image.repositories)),
        ("Keyring", list(&image.keyring)),
        ("Packages", words(&image.packages, Some(&written.packages))),
    ]);
    Data::Record(vec![
        ("Contents", contents),
        ("Environment", map(&image.environment)),
    ])
}

fn transforms(all: &[parsed::VarTransform]) -> Data {
    let transform = |transform: &parsed::VarTransform| {
        Data::Record(vec![
            ("From", text(&transform.from)),
            ("Match", text(&transform.pattern)),
            ("Replace", text(&transform.replace)),
            ("To", text(&transform.to)),
        ])
    };
    Data::List(all.iter().map(transform).collect())
}

fn options(all: &BTreeMap<String, parsed::BuildOption>) -> Data {
    let within = |name: &'static str, value: Data| Data::Record(vec![(name, value)]);
    let option = |option: &parsed::BuildOption| {
        let packages = &option.environment.contents.packages;
        let packages = Data::Record(vec![
            ("Add", texts(&packages.add)),
            ("Remove", texts(&packages.remove)),
        ]);
        Data::Record(vec![
            ("Vars", texts_by_name(&option.vars)),
            (
                "Environment",
                within("Contents", within("Packages", packages)),
            ),
        ])
    };
    let all = all.iter();
    Data::Map(all.map(|(name, one)| (name.clone(), option(one))).collect())
}

fn tests(test: Option<&parsed::Test>) -> Data {
    let Some(test) = test else {
        return Data::Nil;
    };
    let contents = &test.environment.contents;
    let contents = Data::Record(vec![
        ("Repositories", texts(&contents.repositories)),
        ("Keyring", texts(&contents.keyring)),
        ("Packages", texts(&contents.packages)),
    ]);
    let variables = texts_by_name(&test.environment.environment);
    let environment = Data::Record(vec![("Contents", contents), ("Environment", variables)]);
    Data::Record(vec![
        ("Environment", environment),
        ("Pipeline", steps(&test.pipeline)),
    ])
}

fn steps(pipeline: &[parsed::Step]) -> Data {
    let step = |step: &parsed::Step| {
        Data::Record(vec![
            ("If", written(step.condition.as_ref())),
            ("Name", written(step.name.as_ref())),
            ("Uses", written(step.uses.as_ref())),
            ("With", texts_by_name(&step.with)),
            ("Runs", written(step.runs.as_ref())),
            ("Pipeline", steps(&step.pipeline)),
            (
                "Needs",
                Data::Record(vec![("Packages", texts(&step.needs.packages))]),
            ),
            ("Label", written(step.label.as_ref())),
            ("WorkDir", written(step.working_directory.as_ref())),
            ("Environment", texts_by_name(&step.environment)),
        ])
    };
    Data::List(pipeline.iter().map(step).collect())
}

pub(super) fn text(text: &str) -> Data {
    Data::Text(text.to_owned())
}

fn optional(value: Option<&str>) -> Data {
    text(value.unwrap_or_default())
}

pub(super) fn written(value: Option<&Text>) -> Data {
    optional(value.map(Text::as_str))
}

fn list(values: &[String]) -> Data {
    Data::List(values.iter().map(|value| text(value)).collect())
}

pub(super) fn texts(values: &[Text]) -> Data {
    Data::List(values.iter().map(|value| text(value)).collect())
}

fn map(values: &BTreeMap<String, String>) -> Data {
    let values = values.iter();
    Data::Map(
        values
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
    )
}

fn texts_by_name(values: &BTreeMap<String, Text>) -> Data {
    let values = values.iter();
    Data::Map(
        values
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
    )
}
