//! Names, versions, dependencies, scripts and the other fields of packages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boltworks_model::{Architecture, PackageName};
use boltworks_version::apk::{Dependency, Op, Version};

use super::scope::Scope;
use super::unique;
use crate::parsed::{self, Text};
use crate::resolved::{
    Capability, Copyright, Cpe, Dependencies, Package, PackageOptions, Resources, Scriptlets,
    Subpackage, Trigger,
};
use crate::{Error, Problem};

/// Reads fields of a recipe where `Scope` says what they may name.
pub(super) struct Fields<'a>(pub(super) &'a Scope<'a>);

impl Fields<'_> {
    /// A text that may be missing; blank is missing.
    pub(super) fn optional(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        let filled = text.map(|text| self.0.fill(text)).transpose()?;
        Ok(filled.filter(|text| !text.trim().is_empty()))
    }

    /// A text for people that may be missing; it keeps variables that are not known.
    pub(super) fn known(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        text.map(|text| self.0.fill_known(text)).transpose()
    }

    /// A text for people on one line, white space put together.
    fn sentence(&self, text: Option<&Text>) -> Result<String, Error> {
        let text = self.known(text)?.unwrap_or_default();
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn optional_sentence(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        Ok(Some(self.sentence(text)?).filter(|text| !text.is_empty()))
    }

    /// Text without line breaks and other control characters.
    pub(super) fn one_line(&self, what: &'static str, text: &Text) -> Result<String, Error> {
        let filled = self.0.fill(text)?;
        if filled.contains(char::is_control) {
            return Err(self.bad(text, what, &filled, "has control characters in it"));
        }
        Ok(filled)
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
                let rule = "must not be empty or have '=' in it";
                return Err(self.bad(text, "the name of a variable", name, rule));
            }
            filled.insert(name.clone(), self.0.fill(text)?);
        }
        Ok(filled)
    }

    /// The name of a package that gets a file of its own.
    pub(super) fn file_safe_name(&self, text: &Text) -> Result<PackageName, Error> {
        let filled = self.0.fill(text)?;
        let name: PackageName = filled
            .parse()
            .map_err(|error: boltworks_model::NameError| self.0.problem(text, error.into()))?;
        if !name.is_file_safe() {
            let rule = "must not have '/' or ':' in it";
            return Err(self.bad(text, "a package's own name", &filled, rule));
        }
        Ok(name)
    }

    /// Dependencies, each once.
    pub(super) fn dependencies(&self, list: &[Text]) -> Result<Vec<Dependency>, Error> {
        let mut dependencies = Vec::new();
        for text in list {
            let filled = self.0.fill(text)?;
            if filled.trim().is_empty() {
                continue;
            }
            let parsed: Result<Dependency, _> = filled.trim().parse();
            dependencies.push(parsed.map_err(|error| self.0.problem(text, error.into()))?);
        }
        Ok(unique(dependencies.iter()))
    }

    fn provides(&self, list: &[Text]) -> Result<Vec<Dependency>, Error> {
        for text in list {
            for provided in self.dependencies(std::slice::from_ref(text))? {
                let is_exact = matches!(provided.constraint, None | Some((Op::Equal, _)));
                if provided.conflict || provided.tag.is_some() || !is_exact {
                    let rule = "is not of the form name or name=version";
                    return Err(self.bad(text, "what is provided,", &provided.to_string(), rule));
                }
            }
        }
        self.dependencies(list)
    }

    fn priority(&self, text: Option<&Text>) -> Result<Option<u32>, Error> {
        let Some(text) = text else { return Ok(None) };
        match self.0.fill(text)?.trim() {
            "" => Ok(None),
            filled => filled.parse().map(Some).map_err(|_| {
                self.bad(
                    text,
                    "the priority",
                    filled,
                    "is not a whole number, 0 or more",
                )
            }),
        }
    }

    fn bad(&self, at: &Text, what: &'static str, text: &str, rule: &'static str) -> Error {
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
        let paths = self.texts(&parsed.trigger.paths)?;
        for (text, path) in parsed.trigger.paths.iter().zip(&paths) {
            if !path.starts_with('/') || path.contains(char::is_whitespace) {
                let rule = "is not an absolute path without white space";
                return Err(self.bad(text, "the trigger's path", path, rule));
            }
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

    fn copyright(&self, parsed: &[parsed::Copyright]) -> Result<Vec<Copyright>, Error> {
        let one = |copyright: &parsed::Copyright| {
            Ok(Copyright {
                license: self
                    .one_line("the licence", &copyright.license)?
                    .trim()
                    .to_owned(),
                paths: self.texts(&copyright.paths)?,
                attestation: self.known(copyright.attestation.as_ref())?,
                license_path: self.optional(copyright.license_path.as_ref())?,
                detection_override: self.optional(copyright.detection_override.as_ref())?,
            })
        };
        parsed.iter().map(one).collect()
    }

    fn setcap(&self, parsed: &[parsed::Capability]) -> Result<Vec<Capability>, Error> {
        let one = |capability: &parsed::Capability| {
            let path = self.one_line("the path", &capability.path)?;
            let Some(reason) = self.optional_sentence(capability.reason.as_ref())? else {
                let rule = "needs a reason";
                return Err(self.bad(&capability.path, "the capability of", &path, rule));
            };
            Ok(Capability {
                path,
                add: self.environment(&capability.add)?,
                reason,
            })
        };
        parsed.iter().map(one).collect()
    }

    fn cpe(&self, parsed: &parsed::Cpe) -> Result<Cpe, Error> {
        Ok(Cpe {
            part: self.optional(parsed.part.as_ref())?,
            vendor: self.optional(parsed.vendor.as_ref())?,
            product: self.optional(parsed.product.as_ref())?,
            edition: self.optional(parsed.edition.as_ref())?,
            language: self.optional(parsed.language.as_ref())?,
            sw_edition: self.optional(parsed.sw_edition.as_ref())?,
            target_sw: self.optional(parsed.target_sw.as_ref())?,
            target_hw: self.optional(parsed.target_hw.as_ref())?,
            other: self.optional(parsed.other.as_ref())?,
        })
    }

    fn resources(&self, parsed: &parsed::Resources) -> Result<Resources, Error> {
        Ok(Resources {
            cpu: self.optional(parsed.cpu.as_ref())?,
            cpumodel: self.optional(parsed.cpumodel.as_ref())?,
            memory: self.optional(parsed.memory.as_ref())?,
            disk: self.optional(parsed.disk.as_ref())?,
        })
    }

    fn timeout(&self, text: Option<&Text>) -> Result<Option<Duration>, Error> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let filled = self.0.fill(text)?;
        match duration(filled.trim()) {
            Some(duration) => Ok(Some(duration)),
            None => Err(self.bad(
                text,
                "the timeout",
                &filled,
                "is not of the form 1h30m or 90s",
            )),
        }
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
        let rule = "has a release number: that is the epoch";
        return Err(fields.bad(&parsed.version, "the version", &written, rule));
    }
    let copyright = fields.copyright(&parsed.copyright)?;
    let epoch = parsed.epoch.value;
    Ok(Package {
        name,
        epoch,
        full_version: check(&format!("{version}-r{epoch}"))?,
        version,
        description: fields.sentence(parsed.description.as_ref())?,
        url: fields.optional_sentence(parsed.url.as_ref())?,
        commit: fields.optional_sentence(parsed.commit.as_ref())?,
        target_architecture,
        annotations: fields.notes(&parsed.annotations)?,
        licenses: licenses(&copyright),
        copyright,
        dependencies: fields.all_dependencies(&parsed.dependencies)?,
        options: package_options(&parsed.options),
        scriptlets: fields.scriptlets(&parsed.scriptlets)?,
        checks_disabled: fields.texts(&parsed.checks.disabled)?,
        cpe: fields.cpe(&parsed.cpe)?,
        setcap: fields.setcap(&parsed.setcap)?,
        timeout: fields.timeout(parsed.timeout.as_ref())?,
        resources: fields.resources(&parsed.resources)?,
        test_resources: fields.resources(&parsed.test_resources)?,
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
    Ok(Subpackage {
        name: fields.file_safe_name(&parsed.name)?,
        description: fields.sentence(parsed.description.as_ref())?,
        url: fields
            .optional_sentence(parsed.url.as_ref())?
            .or_else(|| main.url.clone()),
        commit: fields
            .optional_sentence(parsed.commit.as_ref())?
            .or_else(|| main.commit.clone()),
        annotations: fields.notes(&parsed.annotations)?,
        licenses: licenses(&copyright),
        copyright,
        dependencies: fields.all_dependencies(&parsed.dependencies)?,
        options: package_options(&parsed.options),
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
    let named = [&main.url, &main.commit].into_iter().flatten();
    copyright.sum::<usize>() + named.map(String::len).sum::<usize>()
}

fn licenses(copyright: &[Copyright]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let named = copyright.iter().map(|copyright| copyright.license.as_str());
    let named = named.filter(|license| !license.is_empty() && seen.insert(*license));
    named.map(str::to_owned).collect()
}

const fn package_options(parsed: &parsed::PackageOptions) -> PackageOptions {
    PackageOptions {
        no_provides: parsed.no_provides,
        no_depends: parsed.no_depends,
        no_commands: parsed.no_commands,
        no_versioned_shlib_deps: parsed.no_versioned_shlib_deps,
    }
}

/// `1h30m`, `90s`, `1500ms`, or whole seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let number: u64 = number.parse().ok()?;
        let part = match unit {
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "s" => Duration::from_secs(number),
            "ms" => Duration::from_millis(number),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total).filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos_or_seconds() {
        let check = |text: &str, seconds: Option<u64>| {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text}");
        };
        check("1h30m", Some(5400));
        check("90s", Some(90));
        check("3600", Some(3600));
        check("2000ms", Some(2));
        check("", None);
        check("1d", None);
        check("h", None);
        check("-1s", None);
        check("99999999999999999999h", None);
        check("9999999999999999999h", None);
    }
}
