//! What is made of a resolved closure, before any file is read.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::{Control, Provide};
use boltworks_crypto::sha256;
use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_model::{PackageName, Sha256};
use boltworks_source::Deb;
use boltworks_version::apk::{Dependency, Version};
use serde_json::json;

use crate::alternatives::{self, Link};
use crate::config::{Config, ESSENTIAL};
use crate::names::{self, Closure};
use crate::{Error, merged};

/// The package that every other needs: the links at the top, and the essential packages.
pub const BASE: &str = "stage0-base";
/// Where all packages say they come from.
pub const ORIGIN: &str = "stage0";
/// Names the bytes that are made of equal input. It goes up whenever they change.
pub const CONVERTER_VERSION: &str = "stage0-2";
/// Descriptions are cut here.
const MAX_DESCRIPTION: usize = 400;

/// A package to be made of one of Debian's.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// Debian's package.
    pub deb: Deb,
    /// What the new package says of itself, but for the commands in it.
    pub control: Control,
    /// The links it carries.
    pub links: Vec<Link>,
    /// Programs of its own that another package's link takes the place of.
    pub gives_way: Vec<&'static str>,
    /// The digest of everything that decides its bytes.
    pub inputs: Sha256,
}

/// A package that is made of nothing of Debian's.
#[derive(Debug, Clone)]
pub struct Synthesis {
    /// What it says of itself.
    pub control: Control,
    /// Its files.
    pub tree: Tree,
    /// The digest of everything that decides its bytes.
    pub inputs: Sha256,
}

/// Everything that is to be made.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// From Debian's packages, ordered by name.
    pub conversions: Vec<Conversion>,
    /// [`BASE`] and the names that stand for several packages, ordered by name.
    pub syntheses: Vec<Synthesis>,
}

/// Decides what is made of a closure. `key` is the digest of the public key that signs.
///
/// # Errors
/// [`Error::Config`] if a name of `provides` is taken, or stands for something that is not there.
pub fn plan(config: &Config, debs: &[Deb], key: &Sha256) -> Result<Plan, Error> {
    let closure = Closure::new(debs);
    let arch = config.architecture.apk();
    let conversions = debs
        .iter()
        .map(|deb| conversion(deb, &closure, arch, key))
        .collect::<Result<Vec<_>, _>>()?;
    let offered: BTreeSet<&str> = closure
        .names()
        .chain(
            debs.iter()
                .flat_map(|deb| deb.provides.iter().map(String::as_str)),
        )
        .chain(config.provides.keys().map(String::as_str))
        .collect();
    let mut syntheses = vec![base(&closure, arch, key)?];
    for (name, parts) in &config.provides {
        if closure.has(name) || name == BASE {
            let reason = format!("'{name}' is a package of its own");
            return Err(Error::Config {
                field: "provides",
                reason,
            });
        }
        if let Some(missing) = parts.iter().find(|part| !offered.contains(part.as_str())) {
            let reason = format!(
                "'{name}' stands for '{missing}', which is missing (add it to `stage0.packages`)"
            );
            return Err(Error::Config {
                field: "provides",
                reason,
            });
        }
        let description = format!("Stands for {}", parts.join(", "));
        syntheses.push(synthesis(
            name,
            parts,
            (description, arch),
            Tree::new(),
            key,
        )?);
    }
    syntheses.sort_by(|left, right| left.control.name.cmp(&right.control.name));
    Ok(Plan {
        conversions,
        syntheses,
    })
}

fn conversion(
    deb: &Deb,
    closure: &Closure<'_>,
    arch: &str,
    key: &Sha256,
) -> Result<Conversion, Error> {
    let mut needs = closure.needs(deb)?;
    needs.insert(names::package_name(BASE)?);
    let mut control = Control::new(
        names::package_name(&deb.name)?,
        names::version(&deb.version)?,
        arch,
    );
    origin(&mut control);
    let Deb {
        name,
        version,
        source,
        source_version,
        summary,
        ..
    } = deb;
    control.description = cut(&format!(
        "Debian {name} {version}, from source {source} {source_version}: {summary}"
    ));
    control.url = format!("debian:{}", deb.path);
    control.commit = deb.sha256.to_string();
    control.depends = needs.into_iter().map(Dependency::any).collect();
    control.provides = closure.provides(deb).into_iter().map(unversioned).collect();
    let links = alternatives::links_of(name, closure);
    let gives_way = alternatives::gives_way(name, closure);
    let inputs = digest(&json!({
        "converter": CONVERTER_VERSION,
        "writer": boltworks_apk::WRITER_VERSION,
        "key": key,
        "deb": deb.sha256,
        "control": &control,
        "links": &links,
        "gives-way": &gives_way,
    }));
    Ok(Conversion {
        deb: deb.clone(),
        control,
        links,
        gives_way,
        inputs,
    })
}

fn base(closure: &Closure<'_>, arch: &str, key: &Sha256) -> Result<Synthesis, Error> {
    let essential: Vec<String> = ESSENTIAL
        .iter()
        .filter(|name| closure.has(name))
        .map(|&name| name.to_owned())
        .collect();
    let mut tree = Tree::new();
    for &link in merged::LINKS {
        let path: RelPath = link.parse().map_err(boltworks_fsx::Error::from)?;
        tree.insert(
            path,
            Node::symlink(Meta::new(0o777, 0), format!("usr/{link}")),
        )?;
        let path: RelPath = format!("usr/{link}")
            .parse()
            .map_err(boltworks_fsx::Error::from)?;
        tree.insert(path, Node::dir(Meta::new(0o755, 0)))?;
    }
    let description = "Links into /usr, and the packages that Debian calls essential".to_owned();
    synthesis(BASE, &essential, (description, arch), tree, key)
}

fn synthesis(
    name: &str,
    needs: &[String],
    (description, arch): (String, &str),
    tree: Tree,
    key: &Sha256,
) -> Result<Synthesis, Error> {
    let refuse = |reason| Error::Config {
        field: "provides",
        reason,
    };
    let name: PackageName = name.parse().map_err(|error| refuse(format!("{error}")))?;
    if !name.is_file_safe() {
        return Err(refuse(format!("'{name}' cannot stand in a file name")));
    }
    let version: Version = names::version("1")?;
    let mut control = Control::new(name, version, arch);
    origin(&mut control);
    control.description = cut(&description);
    let needs: BTreeSet<PackageName> = needs
        .iter()
        .map(|name| names::package_name(name))
        .collect::<Result<_, _>>()?;
    control.depends = needs.into_iter().map(Dependency::any).collect();
    let paths: Vec<String> = tree.iter().map(|(path, _)| path.to_string()).collect();
    let inputs = digest(&json!({
        "converter": CONVERTER_VERSION,
        "writer": boltworks_apk::WRITER_VERSION,
        "key": key,
        "control": &control,
        "paths": paths,
    }));
    Ok(Synthesis {
        control,
        tree,
        inputs,
    })
}

fn origin(control: &mut Control) {
    ORIGIN.clone_into(&mut control.origin);
}

/// Several packages may provide the same name as long as none says in which version.
pub(crate) const fn unversioned(name: PackageName) -> Provide {
    Provide {
        name,
        version: None,
    }
}

fn cut(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(MAX_DESCRIPTION)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn digest(inputs: &serde_json::Value) -> Sha256 {
    sha256(inputs.to_string().as_bytes())
}

/// What decides whether a lock still holds: everything in the configuration, and who signs.
pub fn question(config: &Config, suite: &str, key: &Sha256) -> Sha256 {
    let provides: BTreeMap<_, _> = config.provides.iter().collect();
    digest(&json!({
        "converter": CONVERTER_VERSION,
        "writer": boltworks_apk::WRITER_VERSION,
        "key": key,
        "suite": suite,
        "architecture": config.architecture,
        "packages": config.wanted(),
        "provides": provides,
    }))
}

#[cfg(test)]
mod tests {
    use boltworks_model::Architecture;

    use super::*;
    use crate::names::deb;

    fn config(provides: &[(&str, &[&str])]) -> Config {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        Config {
            packages: Vec::new(),
            provides: provides
                .iter()
                .map(|(name, parts)| ((*name).to_owned(), owned(parts)))
                .collect(),
            architecture: Architecture::X86_64,
        }
    }

    fn closure() -> Vec<Deb> {
        vec![
            deb("bash", &[&["libc6"]], &[]),
            deb("dash", &[&["libc6"]], &[]),
            deb("gawk", &[&["libc6"]], &["awk"]),
            deb("libc6", &[], &[]),
        ]
    }

    fn planned(config: &Config, debs: &[Deb]) -> Result<Plan, Error> {
        plan(config, debs, &sha256(b"key"))
    }

    #[test]
    fn a_package_says_where_it_comes_from() {
        let plan = planned(&config(&[("tools", &["bash", "awk"])]), &closure()).unwrap();
        insta::assert_snapshot!(plan.conversions[2].control.to_pkginfo().unwrap(), @r"
        # Generated by boltworks
        pkgname = gawk
        pkgver = 1-r0
        arch = x86_64
        size = 0
        origin = stage0
        pkgdesc = Debian gawk 1, from source gawk 1: a summary
        url = debian:pool/gawk.deb
        commit = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        depend = libc6
        depend = stage0-base
        provides = awk
        ");
        let synthesized: Vec<_> = plan
            .syntheses
            .iter()
            .map(|made| made.control.name.to_string())
            .collect();
        assert_eq!(synthesized, [BASE, "tools"]);
        let needs: Vec<_> = plan.syntheses[0]
            .control
            .depends
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(needs, ["bash", "gawk"]);
        assert_eq!(plan.conversions[1].gives_way, ["sh"]);
        assert!(
            plan.conversions[0]
                .links
                .iter()
                .any(|link| link.name == "sh" && link.target == "bash")
        );
    }

    #[test]
    fn one_more_package_leaves_the_others_as_they_are() {
        let inputs = |debs: &[Deb]| -> BTreeMap<String, Sha256> {
            let plan = planned(&config(&[]), debs).unwrap();
            plan.conversions
                .into_iter()
                .map(|made| (made.deb.name, made.inputs))
                .collect()
        };
        let before = inputs(&closure());
        let mut more = closure();
        more.push(deb("make", &[&["libc6"]], &[]));
        let mut after = inputs(&more);
        after.remove("make");
        assert_eq!(before, after);
        let mut newer = closure();
        newer[3].sha256 = sha256(b"newer");
        assert_ne!(before, inputs(&newer));
    }

    #[test]
    fn a_name_that_stands_for_what_is_missing_is_refused() {
        let refused = |provides: &[(&str, &[&str])]| {
            planned(&config(provides), &closure())
                .unwrap_err()
                .to_string()
        };
        insta::assert_snapshot!(refused(&[("x", &["gcc"])]), @"read `stage0.provides`: 'x' stands for 'gcc', which is missing (add it to `stage0.packages`)");
        insta::assert_snapshot!(refused(&[("bash", &["dash"])]), @"read `stage0.provides`: 'bash' is a package of its own");
        insta::assert_snapshot!(refused(&[("a/b", &["dash"])]), @"read `stage0.provides`: 'a/b' cannot stand in a file name");
    }

    #[test]
    fn every_part_of_the_configuration_counts() {
        let key = sha256(b"key");
        let plain = question(&config(&[]), "trixie", &key);
        let mut packages = config(&[]);
        packages.packages.push("make".into());
        let others = [
            question(&packages, "trixie", &key),
            question(&config(&[("x", &["bash"])]), "trixie", &key),
            question(&config(&[]), "forky", &key),
            question(&config(&[]), "trixie", &sha256(b"other")),
        ];
        assert!(others.iter().all(|other| *other != plain));
    }
}
