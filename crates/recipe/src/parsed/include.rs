//! An image file that includes another, `include`, which apko deprecates and still reads; and one that
//! stands upon an image of the factory, `overlay`, which is not apko's.
//!
//! What is included is the ground that the file stands on: where both say one thing, the file's own
//! word counts, and of lists what is included comes first.

use std::collections::BTreeMap;

use boltworks_yaml::Place;

use super::{Accounts, Certificates, Contents, Image, Origin, Text, parse_image};
use crate::{Error, Problem};

/// So many files include each other at most.
const MAX_DEPTH: usize = 16;

/// A file that is included, as it was found.
#[derive(Debug, Clone)]
pub struct Included {
    /// Its path, for messages.
    pub file: String,
    /// Its content.
    pub text: String,
}

/// What an image file names to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground<'a> {
    /// A file that it includes.
    Include(&'a str),
    /// An image that it stands upon, and where that is written.
    Overlay(&'a str, Place),
}

/// An image with everything that it includes, as apko merges it. `read` gets what `include` says.
///
/// # Errors
/// What `read` says, or that a file is no image file, includes itself, or stands upon an image.
pub fn with_included<E: From<Error>>(
    image: Image,
    read: &mut dyn FnMut(&str) -> Result<Included, E>,
) -> Result<Image, E> {
    with_ground(image, &mut |ground| match ground {
        Ground::Include(file) => read(file),
        Ground::Overlay(name, place) => {
            let message = format!("it stands upon image '{name}' of a factory");
            let help = "make it there, with `boltworks up`";
            let error = boltworks_yaml::Error::new(place, message).helped(help);
            Err(Error::from(error).into())
        }
    })
}

/// The same of an image that may stand upon another. `read` gets what `include` or `overlay` says.
///
/// # Errors
/// What `read` says, or that a file is no image file or includes itself.
pub fn with_ground<E: From<Error>>(
    image: Image,
    read: &mut dyn FnMut(Ground<'_>) -> Result<Included, E>,
) -> Result<Image, E> {
    let mut files = vec![image];
    let mut origin = files
        .first()
        .map(|own| own.origin.clone())
        .unwrap_or_default();
    while let Some(own) = files.last()
        && let Some((include, is_overlay)) = ground(own, &origin)?
    {
        if files.len() > MAX_DEPTH {
            let rule = [
                "is included by what it includes itself, or by too many",
                "take one `include` out of the circle",
            ];
            let problem = Problem::value("the file", &include, rule);
            return Err(Error::at(origin.place(&include), problem).into());
        }
        let found = if is_overlay {
            read(Ground::Overlay(&include, origin.place(&include)))?
        } else {
            read(Ground::Include(&include))?
        };
        let (image, wider) = placed(&origin, &found)?;
        files.push(image);
        origin = wider;
    }
    let merged = files.into_iter().rev().reduce(|below, own| own.onto(below));
    let mut merged = merged.unwrap_or_default();
    merged.origin = origin;
    merged.has_included = true;
    Ok(merged)
}

/// What a file begins with, and whether it stands upon it.
fn ground(image: &Image, origin: &Origin) -> Result<Option<(Text, bool)>, Error> {
    let said = |text: &Option<Text>| text.clone().filter(|text| !text.is_empty());
    match (said(&image.overlay), said(&image.include)) {
        (Some(_), Some(include)) => {
            let message = "what stands upon an image includes nothing";
            let help = "take `include` away, and write here what is wanted of it";
            let error = boltworks_yaml::Error::new(origin.place(&include), message.to_owned());
            Err(error.helped(help).into())
        }
        (Some(overlay), None) => Ok(Some((overlay, true))),
        (None, include) => Ok(include.map(|include| (include, false))),
    }
}

/// Reads a file so that its lines are counted on from where those of `origin` end.
fn placed(origin: &Origin, found: &Included) -> Result<(Image, Origin), Error> {
    let text = found.text.trim_start_matches('\u{feff}');
    // By itself first: what is wrong with the text is told with its own lines.
    parse_image(&found.file, text)?;
    let above = origin.end();
    let wider = origin.with(&found.file, text);
    let mut shifted = "\n".repeat(above as usize);
    shifted.push_str(text);
    Ok((parse_image(&found.file, &shifted)?, wider))
}

impl Image {
    /// This image upon another. The address of a file's own repository is not the other's.
    fn onto(self, below: Self) -> Self {
        let is_empty = |text: &Option<Text>| text.as_deref().is_none_or(str::is_empty);
        let or = |own: Option<Text>, other: Option<Text>| if is_empty(&own) { other } else { own };
        let entry = &self.entrypoint;
        let is_started = !(is_empty(&entry.kind)
            && is_empty(&entry.command)
            && is_empty(&entry.shell_fragment)
            && entry.services.is_empty());
        Self {
            contents: self.contents.onto(below.contents),
            entrypoint: if is_started {
                self.entrypoint
            } else {
                below.entrypoint
            },
            cmd: or(self.cmd, below.cmd),
            stop_signal: or(self.stop_signal, below.stop_signal),
            work_dir: or(self.work_dir, below.work_dir),
            accounts: Accounts {
                run_as: or(self.accounts.run_as, below.accounts.run_as),
                users: [below.accounts.users, self.accounts.users].concat(),
                groups: [below.accounts.groups, self.accounts.groups].concat(),
            },
            archs: if self.archs.is_empty() {
                below.archs
            } else {
                self.archs
            },
            environment: overlaid(below.environment, self.environment),
            paths: [below.paths, self.paths].concat(),
            annotations: overlaid(below.annotations, self.annotations),
            volumes: [below.volumes, self.volumes].concat(),
            layering: self.layering.or(below.layering),
            format: or(self.format, below.format),
            certificates: match (self.certificates, below.certificates) {
                (Some(own), Some(below)) if self.overlay.is_some() => Some(Certificates {
                    additional: [below.additional, own.additional].concat(),
                    providers: [below.providers, own.providers].concat(),
                }),
                (own, below) => own.or(below),
            },
            vcs_url: self.vcs_url,
            include: self.include,
            overlay: self.overlay,
            origin: self.origin,
            has_included: self.has_included,
        }
    }
}

fn overlaid(
    mut below: BTreeMap<String, Text>,
    own: BTreeMap<String, Text>,
) -> BTreeMap<String, Text> {
    below.extend(own);
    below
}

impl Contents {
    fn onto(self, below: Self) -> Self {
        let runtime = [below.runtime_repositories, self.runtime_repositories];
        Self {
            repositories: [below.repositories, self.repositories].concat(),
            build_repositories: [below.build_repositories, self.build_repositories].concat(),
            runtime_repositories: runtime.concat(),
            keyring: [below.keyring, self.keyring].concat(),
            runtime_keyring: [below.runtime_keyring, self.runtime_keyring].concat(),
            packages: [below.packages, self.packages].concat(),
            baseimage: self.baseimage.or(below.baseimage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check_image, resolve_image};

    fn merged(files: &[(&str, &str)]) -> Result<Image, Error> {
        let (name, text) = files[0];
        let image = parse_image(name, text)?;
        with_included(image, &mut |include| {
            let found = files.iter().find(|(name, _)| *name == include);
            let (file, text) = *found.unwrap_or(&("none", "{}"));
            Ok(Included {
                file: file.to_owned(),
                text: text.to_owned(),
            })
        })
    }

    #[test]
    fn the_files_own_word_counts_and_lists_follow_each_other() {
        let top = "include: base\ncontents: {packages: [b]}\ncmd: own\nenvironment: {B: '2'}\n";
        let base = "include: deep\ncontents: {packages: [a]}\ncmd: other\nwork-dir: /srv\nenvironment: {A: '1', B: '1'}\n";
        let deep = "\u{feff}contents: {packages: [z]}\narchs: [s390x]\n";
        let image = merged(&[("top", top), ("base", base), ("deep", deep)]).unwrap();
        let image = resolve_image(&image).unwrap();
        insta::assert_snapshot!(image.config_json(), @r#"{"contents":{"packages":["z","a","b"]},"cmd":"own","work-dir":"/srv","archs":["s390x"],"environment":{"A":"1","B":"2","PATH":"/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin","SSL_CERT_FILE":"/etc/ssl/certs/ca-certificates.crt"}}"#);
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is_written() {
        let said = |base: &str| {
            let files = [("top", "# one\ninclude: base\n"), ("base", base)];
            let image = merged(&files).and_then(|image| {
                check_image(&image)?;
                resolve_image(&image)
            });
            image.unwrap_err().to_string()
        };
        let all = [
            "contents:\n  packages: [a b]\n",
            "contents:\n  package: []\n",
            "accounts:\n  users:\n  - {username: a, uid: 0}\n",
            "paths:\n- {path: /a, type: directory, permissions: 755}\n",
            "include: base\n",
            "overlay: web\n",
            "overlay: web\ninclude: other\n",
        ];
        let all: Vec<String> = all.into_iter().map(said).collect();
        insta::assert_snapshot!(all.join("\n"), @"
        base:2:14: 'a b' is not a valid package name: only letters, digits and + - . _ : / [ ] , * % are allowed
        base:2:3: unknown key 'package'; did you mean 'packages'?
        base:3:24: the uid '0' is root's, which is there already
        base:2:44: the permissions '755' are read as a decimal number, and set other bits: write 0o and the digits
        base:1:10: the file 'base' is included by what it includes itself, or by too many
        base:1:10: it stands upon image 'web' of a factory
        base:2:10: what stands upon an image includes nothing
        ");
    }
}
