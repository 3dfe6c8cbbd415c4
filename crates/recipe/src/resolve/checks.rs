//! What apko refuses in an image file that is well-formed: its own checks before anything is done.

use std::collections::BTreeSet;

use boltworks_yaml::Place;

use super::accounts::{NAME, ROOTS, UID};
use crate::error::Rule;
use crate::parsed::{Entrypoint, Image, Number, Text};
use crate::{Error, Problem};

/// Checks an image as apko does before it does anything with it, and no stricter.
pub fn check_image(image: &Image) -> Result<(), Error> {
    let checks = Checks { image };
    checks.repositories()?;
    checks.base()?;
    checks.accounts()?;
    checks.format()?;
    checks.certificates()?;
    checks.runtime_keyring()
}

struct Checks<'a> {
    image: &'a Image,
}

impl Checks<'_> {
    fn bad(&self, at: &Text, what: &'static str, rule: Rule) -> Error {
        bad_at(self.image.origin.place(at), what, at, rule)
    }

    /// A repository is an address or a path, with or without a tag before it.
    fn repositories(&self) -> Result<(), Error> {
        let contents = &self.image.contents;
        let all = contents.build_repositories.iter();
        for text in all.chain(&contents.repositories) {
            let is_known = match text.split(' ').collect::<Vec<_>>().as_slice() {
                [_] => true,
                [tag, _] => tag.len() > 1 && tag.starts_with('@'),
                _ => false,
            };
            if !is_known {
                let rule = [
                    "is neither an address nor @TAG and an address, with one space between",
                    "write each on a line of its own: `- FOLDER`, or `- '@TAG FOLDER'`",
                ];
                return Err(self.bad(text, "the repository", rule));
            }
        }
        Ok(())
    }

    /// Upon a base image nothing but contents and architectures can be said.
    fn base(&self) -> Result<(), Error> {
        let image = self.image;
        let Some(base) = &image.contents.baseimage else {
            return Ok(());
        };
        let is_said = |text: &Option<Text>| text.as_deref().is_some_and(|text| !text.is_empty());
        let accounts = &image.accounts;
        let others = [
            ("entrypoint", image.entrypoint != Entrypoint::default()),
            ("cmd", is_said(&image.cmd)),
            ("stop-signal", is_said(&image.stop_signal)),
            ("work-dir", is_said(&image.work_dir)),
            (
                "accounts",
                is_said(&accounts.run_as)
                    || !(accounts.users.is_empty() && accounts.groups.is_empty()),
            ),
            ("environment", !image.environment.is_empty()),
            ("paths", !image.paths.is_empty()),
            ("annotations", !image.annotations.is_empty()),
        ];
        match others.into_iter().find(|(_, is_said)| *is_said) {
            Some((field, _)) => {
                let rule = [
                    "is said beside a baseimage, where only contents, archs and include are taken",
                    "take it away, or `baseimage`",
                ];
                let place = image.origin.place(&base.image);
                Err(bad_at(place, "the field", field, rule))
            }
            None => Ok(()),
        }
    }

    fn accounts(&self) -> Result<(), Error> {
        let origin = &self.image.origin;
        for user in &self.image.accounts.users {
            if user.username.is_empty() {
                return Err(self.nameless(&user.username, user.uid, "the user's name"));
            }
            match user.uid {
                Some(uid) if uid.value != 0 => {}
                Some(uid) => {
                    let place = origin.at(uid.line, uid.column);
                    return Err(bad_at(place, "the uid", "0", [ROOTS, UID]));
                }
                None => {
                    return Err(self.bad(&user.username, "the user", ["has no uid", UID]));
                }
            }
        }
        let mut groups = self.image.accounts.groups.iter();
        match groups.find(|group| group.groupname.is_empty()) {
            Some(group) => Err(self.nameless(&group.groupname, group.gid, "the group's name")),
            None => Ok(()),
        }
    }

    /// That a name is missing, told where it is written empty, else where the number is.
    fn nameless(&self, name: &Text, number: Option<Number<u32>>, what: &'static str) -> Error {
        let origin = &self.image.origin;
        let number = number.filter(|_| name.line() == 0);
        let number = number.map(|number| origin.at(number.line, number.column));
        let place = number.unwrap_or_else(|| origin.place(name));
        bad_at(place, what, "", ["is missing", NAME])
    }

    fn format(&self) -> Result<(), Error> {
        let Some(format) = &self.image.format else {
            return Ok(());
        };
        match format.as_str() {
            "erofs" if self.image.layering.is_some() => {
                Err(self.bad(format, "the format", ONE_LAYER))
            }
            "" | "tar" | "erofs" => Ok(()),
            _ => {
                let rule = [
                    "is none: there are tar and erofs",
                    "write `format: tar`, or leave it out",
                ];
                Err(self.bad(format, "the format", rule))
            }
        }
    }

    fn certificates(&self) -> Result<(), Error> {
        let certificates = self.image.certificates.iter();
        for certificate in certificates.flat_map(|certificates| &certificates.additional) {
            let name = certificate.name.as_ref().unwrap_or(&certificate.content);
            let is_named = certificate.name.as_deref().is_some_and(is_file_name);
            if !is_named {
                let place = self.image.origin.place(name);
                let text = certificate.name.as_deref().unwrap_or_default();
                return Err(bad_at(place, "the certificate's name", text, FILE_NAME));
            }
        }
        Ok(())
    }

    fn runtime_keyring(&self) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for key in &self.image.contents.runtime_keyring {
            if !is_file_name(&key.name) {
                return Err(self.bad(&key.name, "the key's name", FILE_NAME));
            }
            if key.content.is_empty() {
                return Err(self.bad(
                    &key.name,
                    "the key",
                    ["has no content", "add `content: …` with the key's text"],
                ));
            }
            if !seen.insert(key.name.as_str()) {
                return Err(self.bad(
                    &key.name,
                    "the key",
                    ["is there twice", "keep one of the two"],
                ));
            }
        }
        Ok(())
    }
}

fn bad_at(at: Place, what: &'static str, text: &str, rule: Rule) -> Error {
    Error::at(at, Problem::value(what, text, rule))
}

const FILE_NAME: Rule = [
    "is no name of a file: letters, digits, _ and -, and . but not first, are taken",
    "write one such as `name: vendor.rsa.pub`",
];

/// What EROFS has not.
pub(super) const ONE_LAYER: Rule = [
    "has one layer: leave out layering",
    "take `layering` away, or write `format: tar`",
];

fn is_file_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_image;

    #[test]
    fn what_apko_refuses_is_refused() {
        let said: Vec<String> = [
            "contents: {repositories: [a b c]}",
            "contents: {build_repositories: [edge a]}",
            "contents: {repositories: ['@edge a'], baseimage: {image: a}}\ncmd: x",
            "accounts: {users: [{uid: 5}]}",
            "accounts: {users: [{username: a}]}",
            "accounts: {groups: [{gid: 3}]}",
            "format: zip",
            "format: erofs\nlayering: {}",
            "certificates: {additional: [{content: x}]}",
            "certificates: {additional: [{name: .a, content: x}]}",
            "contents: {runtime_keyring: [{name: k, content: ''}]}",
            "contents: {runtime_keyring: [{name: k, content: x}, {name: k, content: y}]}",
        ]
        .into_iter()
        .map(|text| {
            let image = parse_image("web.yaml", text).unwrap();
            check_image(&image).unwrap_err().to_string()
        })
        .collect();
        insta::assert_snapshot!(said.join("\n"), @"
        web.yaml:1:27: the repository 'a b c' is neither an address nor @TAG and an address, with one space between
        web.yaml:1:33: the repository 'edge a' is neither an address nor @TAG and an address, with one space between
        web.yaml:1:58: the field 'cmd' is said beside a baseimage, where only contents, archs and include are taken
        web.yaml:1:26: the user's name '' is missing
        web.yaml:1:31: the user 'a' has no uid
        web.yaml:1:27: the group's name '' is missing
        web.yaml:1:9: the format 'zip' is none: there are tar and erofs
        web.yaml:1:9: the format 'erofs' has one layer: leave out layering
        web.yaml:1:39: the certificate's name '' is no name of a file: letters, digits, _ and -, and . but not first, are taken
        web.yaml:1:36: the certificate's name '.a' is no name of a file: letters, digits, _ and -, and . but not first, are taken
        web.yaml:1:37: the key 'k' has no content
        web.yaml:1:60: the key 'k' is there twice
        ");
        for text in [
            "paths: [{}]",
            "archs: [vax]",
            "entrypoint: {type: other, services: {a: b}}",
            "layering: {strategy: foo, budget: -3}",
            "format: erofs",
            "contents: {baseimage: {}}",
            "paths: [{path: a, type: b, permissions: 755}]",
            "environment: {'': x}",
        ] {
            check_image(&parse_image("web.yaml", text).unwrap()).unwrap();
        }
    }
}
