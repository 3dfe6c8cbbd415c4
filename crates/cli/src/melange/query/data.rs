//! What a template can ask of a recipe, under the names that melange's own program has for it.

use std::collections::BTreeMap;
use std::time::Duration;

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
                ("Scriptlets", scriptlets(&package.scriptlets)),
                ("SetCap", capabilities(&package.setcap)),
                ("Range", text("")),
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
            (
                "DetectionOverride",
                optional(copyright.detection_override.as_deref()),
            ),
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
    let mut fields = vec![
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
        ("Scriptlets", scriptlets(&package.scriptlets)),
        ("Checks", checks(&package.checks_disabled)),
        ("CPE", cpe(&package.cpe)),
        ("SetCap", capabilities(&package.setcap)),
        ("Timeout", duration(package.timeout.unwrap_or_default())),
        ("Resources", resources(&package.resources)),
        (
            "TestResources",
            only_if(
                written.test_resources.is_some(),
                resources(&package.test_resources),
            ),
        ),
        ("LicenseExpression", text(&package.licenses.join(" AND "))),
        ("FullCopyright", full_copyright(&package.copyright)),
    ];
    // Without a vendor melange's program fails where it is asked for.
    if package.cpe.vendor.is_some() {
        let version = package.version.to_string();
        fields.push(("CPEString", cpe_string(&package.cpe, &version)));
    }
    Data::Record(fields)
}

/// Nothing where there is no script.
fn scriptlets(scripts: &resolved::Scriptlets) -> Data {
    let of = |script: &Option<String>| optional(script.as_deref());
    let trigger = scripts.trigger.as_ref();
    let trigger = Data::Record(vec![
        ("Script", optional(trigger.map(|one| one.script.as_str()))),
        ("Paths", list(trigger.map_or(&[], |one| &one.paths))),
    ]);
    let is_any = *scripts != resolved::Scriptlets::default();
    only_if(
        is_any,
        Data::Record(vec![
            ("Trigger", trigger),
            ("PreInstall", of(&scripts.pre_install)),
            ("PostInstall", of(&scripts.post_install)),
            ("PreDeinstall", of(&scripts.pre_deinstall)),
            ("PostDeinstall", of(&scripts.post_deinstall)),
            ("PreUpgrade", of(&scripts.pre_upgrade)),
            ("PostUpgrade", of(&scripts.post_upgrade)),
        ]),
    )
}

/// The parts of a CPE name, under melange's names for them.
fn cpe_parts(cpe: &resolved::Cpe) -> [(&'static str, Option<&str>); 9] {
    [
        ("Part", cpe.part.as_deref()),
        ("Vendor", cpe.vendor.as_deref()),
        ("Product", cpe.product.as_deref()),
        ("Edition", cpe.edition.as_deref()),
        ("Language", cpe.language.as_deref()),
        ("SWEdition", cpe.sw_edition.as_deref()),
        ("TargetSW", cpe.target_sw.as_deref()),
        ("TargetHW", cpe.target_hw.as_deref()),
        ("Other", cpe.other.as_deref()),
    ]
}

fn cpe(cpe: &resolved::Cpe) -> Data {
    let parts = cpe_parts(cpe).map(|(name, value)| (name, optional(value)));
    Data::Record(parts.to_vec())
}

/// The CPE name as melange puts it together.
fn cpe_string(cpe: &resolved::Cpe, version: &str) -> Data {
    let [_, rest @ ..] = cpe_parts(cpe).map(|(_, value)| value.unwrap_or("*"));
    let [vendor, product, edition, language, rest @ ..] = rest;
    let part = cpe.part.as_deref().unwrap_or("a");
    let rest = rest.join(":");
    text(&format!(
        "cpe:2.3:{part}:{vendor}:{product}:{version}:*:{edition}:{language}:{rest}"
    ))
}

fn full_copyright(all: &[resolved::Copyright]) -> Data {
    let attestations = all.iter().filter_map(|one| one.attestation.as_deref());
    let said: String = attestations.flat_map(|one| [one, "\n"]).collect();
    text(if said.is_empty() {
        "NOASSERTION"
    } else {
        &said
    })
}

fn capabilities(all: &[resolved::Capability]) -> Data {
    let one = |one: &resolved::Capability| {
        Data::Record(vec![
            ("Path", text(&one.path)),
            ("Add", map(&one.add)),
            ("Reason", text(&one.reason)),
        ])
    };
    Data::List(all.iter().map(one).collect())
}

/// A time as Go prints it: `1h30m0s`.
fn duration(time: Duration) -> Data {
    let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = format!(".{nanoseconds:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let seconds = format!("{}{fraction}s", seconds % 60);
    text(&match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    })
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
        // What its analysis finds: nothing before a build.
        ("Vendored", Data::List(Vec::new())),
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
