//! Names, versions, dependencies, scripts and the other fields of packages.

use std::collections::BTreeMap;

use boltworks_model::{Architecture, PackageName};
use boltworks_version::apk::{Dependency, Op, Version};

use super::scope::Scope;
use super::{VARIABLE, handed, parse_dependency, unique};
use crate::error::Rule;
use crate::parsed::{self, Text};
use crate::resolved::{
    Copyright, Dependencies, Package, PackageOptions, Scriptlets, Subpackage, Trigger, licenses,
};
use crate::{Error, Problem};

/// What no line of a package can hold.
const CONTROLS: Rule = [
    "has control characters in it",
    "write it on one line, and without what `\\e`, `\\x…` and `\\u…` make in double quotes",
];

/// The most bytes of a file's name in Linux (`NAME_MAX`).
const MAX_FILE_NAME: usize = 255;

const DESCRIPTION: &str = "the description";
const URL: &str = "the url";
const COMMIT: &str = "the commit";

/// Reads fields of a recipe where `Scope` says what they may name.
pub(super) struct Fields<'a>(pub(super) &'a Scope<'a>);

impl Fields<'_> {
    /// A text that may be missing; blank is missing.
    pub(super) fn optional(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        let filled = text.map(|text| self.0.fill(text)).transpose()?;
        Ok(filled.filter(|text| !text.trim().is_empty()))
    }

    /// A step's script.
    pub(super) fn script(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        let script = self.optional(text)?;
        if let (Some(text), Some(script)) = (text, &script) {
            handed::verify_script(self.0, text, script)?;
        }
        Ok(script)
    }

    /// A text for people that may be missing; it keeps variables that are not known.
    pub(super) fn known(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        text.map(|text| self.0.fill_known(text)).transpose()
    }

    /// A text for people on one line, white space put together: over how many lines it is written
    /// does not matter.
    fn sentence(&self, what: &'static str, text: Option<&Text>) -> Result<String, Error> {
        let Some(text) = text else {
            return Ok(String::new());
        };
        let filled = self.0.fill_known(text)?;
        let sentence = filled.split_whitespace().collect::<Vec<_>>().join(" ");
        self.verify_seen(what, text, &sentence)?;
        Ok(sentence)
    }

    pub(super) fn optional_sentence(
        &self,
        what: &'static str,
        text: Option<&Text>,
    ) -> Result<Option<String>, Error> {
        Ok(Some(self.sentence(what, text)?).filter(|text| !text.is_empty()))
    }

    /// Text without line breaks and other control characters.
    pub(super) fn one_line(&self, what: &'static str, text: &Text) -> Result<String, Error> {
        let filled = self.0.fill(text)?;
        self.verify_seen(what, text, &filled)?;
        Ok(filled)
    }

    /// That nothing is in a text which no line of a package can hold.
    fn verify_seen(&self, what: &'static str, text: &Text, filled: &str) -> Result<(), Error> {
        if filled.contains(char::is_control) {
            return Err(self.bad(text, what, filled, CONTROLS));
        }
        Ok(())
    }

    /// A list without its blank lines.
    pub(super) fn texts(&self, list: &[Text]) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        for text in list {
            texts.extend(self.optional(Some(text))?);
        }
        Ok(texts)
    }

    fn notes(&self, map: &BTreeMap<String, Text>) -> Result<BTreeMap<String, String>, Error> {
        map.iter()
            .map(|(name, text)| Ok((name.clone(), self.0.fill_known(text)?)))
            .collect()
    }

    /// Environment variables.
    pub(super) fn environment(
        &self,
        map: &BTreeMap<String, Text>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut filled = BTreeMap::new();
        for (name, text) in map {
            if name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()) {
                let problem = Problem::value("the name of a variable", name, VARIABLE);
                return Err(Error::at(self.0.origin.place_of_key(name, text), problem));
            }
            filled.insert(name.clone(), self.0.fill(text)?);
        }
        Ok(filled)
    }

    /// That files can be called after a package: the longest name is its document's.
    pub(super) fn verify_file_name(
        &self,
        at: &Text,
        name: &PackageName,
        version: &Version,
    ) -> Result<(), Error> {
        let (size, limit) = (format!("{name}-{version}.spdx.json").len(), MAX_FILE_NAME);
        if size <= limit {
            return Ok(());
        }
        Err(self.0.problem(at, Problem::LongFileName { size, limit }))
    }

    /// The name of a package that is made.
    pub(super) fn own_name(&self, text: &Text) -> Result<PackageName, Error> {
        let filled = self.0.fill(text)?;
        let name = filled.parse().ok().filter(PackageName::is_own);
        name.ok_or_else(|| self.0.problem(text, Problem::package_name(&filled)))
    }

    /// Dependencies, each once.
    pub(super) fn dependencies(&self, list: &[Text]) -> Result<Vec<Dependency>, Error> {
        let mut dependencies = Vec::new();
        for text in list {
            let filled = self.0.fill(text)?;
            if filled.trim().is_empty() {
                continue;
            }
            let parsed = parse_dependency(filled.trim());
            dependencies.push(parsed.map_err(|error| self.0.problem(text, error.into()))?);
        }
        Ok(unique(dependencies.iter()))
    }

    /// What is offered, each once. `!name` offers nothing, and is left out.
    fn provides(&self, list: &[Text]) -> Result<Vec<Dependency>, Error> {
        for text in list {
            for provided in self.dependencies(std::slice::from_ref(text))? {
                let is_exact = matches!(provided.constraint, None | Some((Op::Equal, _)));
                if provided.tag.is_some() || !is_exact {
                    let rule = [
                        "is not of the form name or name=version",
                        "write the name alone, or name=1.2-r0",
                    ];
                    return Err(self.bad(text, "what is provided,", &provided.to_string(), rule));
                }
            }
        }
        let mut provided = self.dependencies(list)?;
        provided.retain(|dependency| !dependency.conflict);
        Ok(provided)
    }

    /// A path that stays in the workspace.
    fn license_path(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        let path = self.optional(text)?;
        if let (Some(text), Some(path)) = (text, &path)
            && (path.starts_with('/') || leaves(path))
        {
            let rule = [
                "does not stay in the workspace",
                "write where the text lies in the workspace, without '/' at the front: COPYING",
            ];
            return Err(self.bad(text, "the licence's path", path, rule));
        }
        Ok(path)
    }

    /// A priority. apk reads a negative one as 0.
    fn priority(&self, text: Option<&Text>) -> Result<Option<u32>, Error> {
        let Some(text) = text else { return Ok(None) };
        let filled = self.0.fill(text)?;
        let bad = |_| {
            let rule = [
                "is not a whole number",
                "write a whole number, the highest goes first: `10`",
            ];
            self.bad(text, "the priority", &filled, rule)
        };
        match filled.trim() {
            "" => Ok(None),
            filled => match filled.strip_prefix('-') {
                Some(below) => below.parse().map(|_: u32| Some(0)).map_err(bad),
                None => filled.parse().map(Some).map_err(bad),
            },
        }
    }

    pub(super) fn bad(&self, at: &Text, what: &'static str, text: &str, rule: Rule) -> Error {
        self.0.problem(at, Problem::value(what, text, rule))
    }

    fn all_dependencies(&self, parsed: &parsed::Dependencies) -> Result<Dependencies, Error> {
        Ok(Dependencies {
            runtime: self.dependencies(&parsed.runtime)?,
            provides: self.provides(&parsed.provides)?,
            replaces: self.dependencies(&parsed.replaces)?,
            provider_priority: self.priority(parsed.provider_priority.as_ref())?,
            replaces_priority: self.priority(parsed.replaces_priority.as_ref())?,
        })
    }

    fn scriptlets(&self, parsed: &parsed::Scriptlets) -> Result<Scriptlets, Error> {
        let trigger = self.optional(parsed.trigger.script.as_ref())?;
        let mut paths = Vec::new();
        for text in &parsed.trigger.paths {
            paths.extend(self.trigger_path(text)?);
        }
        Ok(Scriptlets {
            trigger: trigger.map(|script| Trigger { script, paths }),
            pre_install: self.optional(parsed.pre_install.as_ref())?,
            post_install: self.optional(parsed.post_install.as_ref())?,
            pre_deinstall: self.optional(parsed.pre_deinstall.as_ref())?,
            post_deinstall: self.optional(parsed.post_deinstall.as_ref())?,
            pre_upgrade: self.optional(parsed.pre_upgrade.as_ref())?,
            post_upgrade: self.optional(parsed.post_upgrade.as_ref())?,
        })
    }

    /// A path that a trigger watches; blank is none.
    fn trigger_path(&self, text: &Text) -> Result<Option<String>, Error> {
        let path = self.optional(Some(text))?;
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        match path {
            Some(path) if !path.starts_with('/') || path.contains(is_odd) => {
                let rule = [
                    "is not an absolute path without white space and control characters",
                    "write it from / on: `/usr/share/fonts/*`",
                ];
                Err(self.bad(text, "the trigger's path", &path, rule))
            }
            path => Ok(path),
        }
    }

    fn copyright(&self, parsed: &[parsed::Copyright]) -> Result<Vec<Copyright>, Error> {
        let one = |copyright: &parsed::Copyright| {
            Ok(Copyright {
                license: self
                    .one_line("the licence", &copyright.license)?
                    .trim()
                    .to_owned(),
                paths: self.texts(&copyright.paths)?,
                attestation: self.known(copyright.attestation.as_ref())?,
                license_path: self.license_path(copyright.license_path.as_ref())?,
                license_path_written: copyright
                    .license_path
                    .as_ref()
                    .map(|path| self.0.written(path))
                    .unwrap_or_default(),
                detection_override: self.optional(copyright.detection_override.as_ref())?,
            })
        };
        parsed.iter().map(one).collect()
    }
}

/// The main package.
pub(super) fn package(
    scope: &Scope<'_>,
    parsed: &parsed::Package,
    name: PackageName,
    target_architecture: Vec<Architecture>,
) -> Result<Package, Error> {
    let fields = Fields(scope);
    let written = scope.fill(&parsed.version)?;
    let check = |version: &str| {
        version
            .parse::<Version>()
            .map_err(|error| scope.problem(&parsed.version, error.into()))
    };
    let version = check(&written)?;
    if written.contains("-r") {
        let rule = [
            "has a release number: that is the epoch",
            "take `-r…` away, and write the number after `epoch:`",
        ];
        return Err(fields.bad(&parsed.version, "the version", &written, rule));
    }
    let copyright = fields.copyright(&parsed.copyright)?;
    let epoch = parsed.epoch.value;
    let full_version = check(&format!("{version}-r{epoch}"))?;
    fields.verify_file_name(&parsed.name, &name, &full_version)?;
    Ok(Package {
        name,
        epoch,
        full_version,
        version,
        description: fields.sentence(DESCRIPTION, parsed.description.as_ref())?,
        url: fields.optional_sentence(URL, parsed.url.as_ref())?,
        commit: fields.optional_sentence(COMMIT, parsed.commit.as_ref())?,
        target_architecture,
        annotations: fields.notes(&parsed.annotations)?,
        licenses: licenses(&copyright),
        copyright,
        dependencies: fields.all_dependencies(&parsed.dependencies)?,
        options: package_options(parsed.options.as_ref()),
        scriptlets: fields.scriptlets(&parsed.scriptlets)?,
        checks_disabled: fields.texts(&parsed.checks.disabled)?,
        cpe: fields.cpe(&parsed.cpe)?,
        setcap: fields.setcap(&parsed.setcap)?,
        timeout: fields.timeout(parsed.timeout.as_ref())?,
        resources: fields.resources(&parsed.resources)?,
        test_resources: {
            let resources = parsed.test_resources.as_ref();
            let resources = resources.map(|resources| fields.resources(resources));
            resources.transpose()?.unwrap_or_default()
        },
    })
}

/// A package split off, without its steps and tests.
pub(super) fn subpackage(
    scope: &Scope<'_>,
    parsed: &parsed::Subpackage,
    main: &Package,
) -> Result<Subpackage, Error> {
    let fields = Fields(scope);
    let mut copyright = fields.copyright(&parsed.copyright)?;
    scope.take(&parsed.name, inherited_size(main))?;
    if copyright.is_empty() {
        copyright.clone_from(&main.copyright);
    }
    let name = fields.own_name(&parsed.name)?;
    fields.verify_file_name(&parsed.name, &name, &main.full_version)?;
    Ok(Subpackage {
        name,
        description: fields.sentence(DESCRIPTION, parsed.description.as_ref())?,
        url: fields.optional_sentence(URL, parsed.url.as_ref())?,
        commit: fields
            .optional_sentence(COMMIT, parsed.commit.as_ref())?
            .or_else(|| main.commit.clone()),
        annotations: fields.notes(&parsed.annotations)?,
        licenses: licenses(&copyright),
        copyright,
        dependencies: fields.all_dependencies(&parsed.dependencies)?,
        options: package_options(parsed.options.as_ref()),
        scriptlets: fields.scriptlets(&parsed.scriptlets)?,
        checks_disabled: fields.texts(&parsed.checks.disabled)?,
        setcap: fields.setcap(&parsed.setcap)?,
        pipeline: Vec::new(),
        test: None,
    })
}

/// How much text a subpackage gets from the main package, at most.
fn inherited_size(main: &Package) -> usize {
    let copyright = main.copyright.iter().map(|copyright| {
        let texts = [
            &copyright.attestation,
            &copyright.license_path,
            &copyright.detection_override,
        ];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let paths = copyright.paths.iter().map(String::len).sum::<usize>();
        64 + 2 * copyright.license.len() + texts + paths
    });
    copyright.sum::<usize>() + main.commit.as_ref().map_or(0, String::len)
}

/// Whether `..` in a relative path leads out of where it begins.
pub(crate) fn leaves(path: &str) -> bool {
    let mut depth = 0_u32;
    path.split('/').any(|part| match part {
        ".." => match depth.checked_sub(1) {
            Some(above) => {
                depth = above;
                false
            }
            None => true,
        },
        "" | "." => false,
        _ => {
            depth = depth.saturating_add(1);
            false
        }
    })
}

fn package_options(parsed: Option<&parsed::PackageOptions>) -> PackageOptions {
    parsed.map_or_else(PackageOptions::default, |parsed| PackageOptions {
        no_provides: parsed.no_provides,
        no_depends: parsed.no_depends,
        no_commands: parsed.no_commands,
        no_versioned_shlib_deps: parsed.no_versioned_shlib_deps,
    })
}
