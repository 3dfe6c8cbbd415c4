//! A recipe read back from its canonical document: what a package that this program built holds as
//! its `.melange.yaml`.
//!
//! The document is everything that decides the bytes of the packages, so what is read back makes
//! the same packages, and its own canonical document is the same text. What decides no byte was not
//! written, and is absent: names of steps, tests, disabled checks, time limits, variables, updates.
//! No text is filled in again: what looks like a variable in it is none.

mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use boltworks_model::{Architecture, Checkout, Depth, PackageName, Pick};
use boltworks_version::apk::{Dependency, Version};
use boltworks_yaml::Place;

use self::written::{
    Document, Surroundings, WrittenCapability, WrittenCheckout, WrittenCopyright, WrittenCpe,
    WrittenDependencies, WrittenFetch, WrittenOptions, WrittenPackage, WrittenPath, WrittenPick,
    WrittenScriptlets, WrittenStep, WrittenSubpackage,
};
use super::FORM;
use crate::resolved::{
    Accounts, Capability, Copyright, Cpe, Dependencies, Fetch, Group, Image, KnownBy, Package,
    PackageOptions, PathKind, PathMutation, Recipe, Resources, Scriptlets, SourceRef, Step,
    Subpackage, Trigger, Update, User, Written, licenses,
};
use crate::{Error, Problem};

impl Recipe {
    /// Reads a canonical document. Errors name `file`.
    pub fn from_canonical_json(file: &str, text: &str) -> Result<Self, Error> {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            let at = |number| u32::try_from(number).unwrap_or(u32::MAX);
            let place = Place::new(file, text, at(error.line()), at(error.column()));
            let reason = error.to_string();
            Error::at(place, Problem::BadDocument { reason })
        })?;
        let read = document.read();
        read.map_err(|problem| Error::at(Place::new(file, text, 1, 1), problem))
    }
}

impl Document {
    fn read(self) -> Result<Recipe, Problem> {
        if self.form != FORM {
            let (form, rule) = (self.form.to_string(), "is not known to this program");
            return Err(odd("the form of the recipe", &form, rule));
        }
        let architecture: Architecture = parsed(&self.architecture)?;
        let package = self.package.read()?;
        let pipeline = steps(self.pipeline)?;
        let subpackages = self.subpackages.into_iter();
        let subpackages: Vec<Subpackage> = subpackages
            .map(WrittenSubpackage::read)
            .collect::<Result<_, Problem>>()?;
        let split = subpackages.iter().flat_map(|package| &package.pipeline);
        let sources = sources(pipeline.iter().chain(split));
        Ok(Recipe {
            architecture,
            package,
            environment: self.environment.read()?,
            pipeline,
            subpackages,
            test: None,
            sources,
            build_packages: all(&self.packages)?,
            pipelines_used: Vec::new(),
            capabilities_add: self.capabilities_add,
            capabilities_drop: self.capabilities_drop,
            update: Update::default(),
            vars: BTreeMap::new(),
            var_transforms: Vec::new(),
            options: BTreeMap::new(),
        })
    }
}

impl WrittenPackage {
    fn read(self) -> Result<Package, Problem> {
        let version: Version = parsed(&self.version)?;
        let copyright = copyright(self.copyright);
        Ok(Package {
            name: own_name(&self.name)?,
            epoch: self.epoch,
            full_version: parsed(&format!("{version}-r{}", self.epoch))?,
            version,
            description: self.description,
            url: self.url,
            commit: self.commit,
            target_architecture: Vec::new(),
            annotations: self.annotations,
            licenses: licenses(&copyright),
            copyright,
            dependencies: self.dependencies.read()?,
            options: self.options.read(),
            scriptlets: self.scriptlets.read(),
            checks_disabled: Vec::new(),
            cpe: self.cpe.read(),
            setcap: capabilities(self.setcap),
            timeout: None,
            resources: Resources::default(),
            test_resources: Resources::default(),
        })
    }
}

impl WrittenSubpackage {
    fn read(self) -> Result<Subpackage, Problem> {
        let copyright = copyright(self.copyright);
        Ok(Subpackage {
            name: own_name(&self.name)?,
            description: self.description,
            url: self.url,
            commit: self.commit,
            annotations: self.annotations,
            licenses: licenses(&copyright),
            copyright,
            dependencies: self.dependencies.read()?,
            options: self.options.read(),
            scriptlets: self.scriptlets.read(),
            checks_disabled: Vec::new(),
            setcap: capabilities(self.setcap),
            pipeline: steps(self.pipeline)?,
            test: None,
        })
    }
}

impl WrittenFetch {
    fn read(self) -> Result<Fetch, Problem> {
        let expected_sha256 = self.sha256.as_deref().map(digest).transpose()?;
        let expected_sha512 = self.sha512.as_deref().map(digest).transpose()?;
        let key = match (&expected_sha256, &expected_sha512) {
            (Some(sha256), _) => boltworks_model::Sha256::prefixed(sha256),
            (None, Some(sha512)) => boltworks_model::Sha512::prefixed(sha512),
            (None, None) => String::new(),
        };
        if key != self.key || key.is_empty() {
            let rule = "is not the digest that is expected of it";
            return Err(odd("the key of a source", &self.key, rule));
        }
        Ok(Fetch {
            key,
            uri: self.uri,
            expected_sha256,
            expected_sha512,
            strip_components: self.strip_components,
            extract: self.extract,
            delete: self.delete,
            directory: self.directory,
            purl_name: self.purl_name,
            purl_version: self.purl_version,
        })
    }
}

impl WrittenCheckout {
    fn read(self) -> Result<SourceRef, Problem> {
        let named = |name: Option<String>| name.as_deref().map(parsed).transpose();
        let depth = match self.depth.as_str() {
            "all" => Depth::All,
            count => {
                let rule = "is no number of commits";
                let count = count.parse();
                Depth::Last(count.map_err(|_| odd("the depth", &self.depth, rule))?)
            }
        };
        let pick = |pick: WrittenPick| {
            Ok(Pick {
                branch: named(pick.branch)?,
                commit: parsed(&pick.commit)?,
            })
        };
        let checkout = Checkout {
            commit: parsed(&self.commit)?,
            branch: named(self.branch)?,
            is_tip: self.is_tip,
            tag: named(self.tag)?,
            depth,
            submodules: self.submodules,
            picks: self
                .picks
                .into_iter()
                .map(pick)
                .collect::<Result<_, Problem>>()?,
        };
        if checkout.key() != self.key {
            let rule = "is not that of what is checked out";
            return Err(odd("the key of a source", &self.key, rule));
        }
        Ok(SourceRef {
            key: self.key,
            uri: self.repository,
            known_by: KnownBy::Commit(Box::new(checkout)),
            written: Written::default(),
        })
    }
}

impl WrittenDependencies {
    fn read(self) -> Result<Dependencies, Problem> {
        let priority = |text: Option<String>| {
            let number = text.as_deref().map(str::parse::<u32>).transpose();
            let rule = "is not a whole number";
            number.map_err(|_| odd("the priority", text.as_deref().unwrap_or_default(), rule))
        };
        Ok(Dependencies {
            runtime: all(&self.runtime)?,
            provides: all(&self.provides)?,
            replaces: all(&self.replaces)?,
            provider_priority: priority(self.provider_priority)?,
            replaces_priority: priority(self.replaces_priority)?,
        })
    }
}

impl WrittenOptions {
    const fn read(self) -> PackageOptions {
        PackageOptions {
            no_provides: self.no_provides,
            no_depends: self.no_depends,
            no_commands: self.no_commands,
            no_versioned_shlib_deps: self.no_versioned_shlib_deps,
        }
    }
}

impl WrittenScriptlets {
    fn read(self) -> Scriptlets {
        Scriptlets {
            trigger: self.trigger.map(|trigger| Trigger {
                script: trigger.script,
                paths: trigger.paths,
            }),
            pre_install: self.pre_install,
            post_install: self.post_install,
            pre_deinstall: self.pre_deinstall,
            post_deinstall: self.post_deinstall,
            pre_upgrade: self.pre_upgrade,
            post_upgrade: self.post_upgrade,
        }
    }
}

impl WrittenCpe {
    fn read(self) -> Cpe {
        Cpe {
            part: self.part,
            vendor: self.vendor,
            product: self.product,
            edition: self.edition,
            language: self.language,
            sw_edition: self.sw_edition,
            target_sw: self.target_sw,
            target_hw: self.target_hw,
            other: self.other,
        }
    }
}

impl Surroundings {
    fn read(self) -> Result<Image, Problem> {
        let users = self.accounts.users.into_iter().map(|user| User {
            username: user.username,
            uid: user.uid,
            gid: user.gid,
            shell: user.shell,
            homedir: user.homedir,
        });
        let groups = self.accounts.groups.into_iter().map(|group| Group {
            groupname: group.groupname,
            gid: group.gid,
            members: group.members,
        });
        Ok(Image {
            accounts: Accounts {
                run_as: self.accounts.run_as,
                users: users.collect(),
                groups: groups.collect(),
            },
            environment: self.environment,
            paths: self
                .paths
                .into_iter()
                .map(WrittenPath::read)
                .collect::<Result<_, Problem>>()?,
            ..Image::default()
        })
    }
}

impl WrittenPath {
    fn read(self) -> Result<PathMutation, Problem> {
        let kind = PathKind::ALL
            .into_iter()
            .find(|kind| kind.word() == self.r#type);
        let unknown = || odd("the change", &self.r#type, "is not known");
        Ok(PathMutation {
            kind: kind.ok_or_else(unknown)?,
            path: self.path,
            uid: self.uid,
            gid: self.gid,
            permissions: self.permissions,
            source: self.source,
            recursive: self.recursive,
        })
    }
}

fn steps(written: Vec<WrittenStep>) -> Result<Vec<Step>, Problem> {
    let read = |step: WrittenStep| {
        Ok(Step {
            fetch: step.fetch.map(WrittenFetch::read).transpose()?,
            checkout: step.checkout.map(WrittenCheckout::read).transpose()?,
            runs: step.runs,
            pipeline: steps(step.pipeline)?,
            working_directory: step.working_directory,
            environment: step.environment,
            ..Step::default()
        })
    };
    written.into_iter().map(read).collect()
}

/// What steps fetch, each once, in the order in which they do.
fn sources<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<SourceRef> {
    let mut found: Vec<SourceRef> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Step> = steps.collect();
    open.reverse();
    while let Some(step) = open.pop() {
        open.extend(step.pipeline.iter().rev());
        let fetched = step.fetch.as_ref().map(SourceRef::from);
        for source in fetched.into_iter().chain(step.checkout.clone()) {
            if seen.insert(source.key.clone()) {
                found.push(source);
            }
        }
    }
    found
}

fn copyright(written: Vec<WrittenCopyright>) -> Vec<Copyright> {
    let read = |one: WrittenCopyright| Copyright {
        license: one.license,
        paths: one.paths,
        attestation: one.attestation,
        license_path: one.license_path,
        license_path_written: Written::default(),
        detection_override: one.detection_override,
    };
    written.into_iter().map(read).collect()
}

fn capabilities(written: Vec<WrittenCapability>) -> Vec<Capability> {
    let read = |one: WrittenCapability| Capability {
        path: one.path,
        add: one.add,
        reason: one.reason,
        written: Written::default(),
    };
    written.into_iter().map(read).collect()
}

fn all(texts: &[String]) -> Result<Vec<Dependency>, Problem> {
    texts.iter().map(|text| parsed(text)).collect()
}

/// What this program does not write.
fn odd(what: &'static str, text: &str, rule: &'static str) -> Problem {
    Problem::value(what, text, [rule, Problem::ANOTHER_PROGRAM])
}

fn parsed<T: FromStr<Err: Into<Problem>>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(Into::into)
}

fn digest<T: FromStr>(text: &str) -> Result<T, Problem> {
    let bad = |_| odd("the digest", text, "is none");
    text.parse().map_err(bad)
}

fn own_name(text: &str) -> Result<PackageName, Problem> {
    let name: PackageName = parsed(text)?;
    if name.is_own() {
        Ok(name)
    } else {
        Err(Problem::package_name(text))
    }
}
