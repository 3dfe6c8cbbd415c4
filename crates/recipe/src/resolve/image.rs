//! An image file, or the environment of a recipe, as understood.

use std::collections::BTreeMap;

use boltworks_model::Architecture;
use boltworks_version::apk::Dependency;
use boltworks_yaml::{Place, Spanned, closest};

use super::checks::ONE_LAYER;
use super::{VARIABLE, parse_dependency, unique};
use crate::error::Rule;
use crate::parsed::{self, Origin, Permissions, Text};
use crate::resolved::{
    Base, Certificate, EntrypointKind, Format, Image, Layering, PathKind, PathMutation, Places,
    RuntimeKey, Written,
};
use crate::{Error, Problem, words};

/// What apko sets in every image that does not say otherwise.
pub(super) const DEFAULT_ENVIRONMENT: [(&str, &str); 2] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin",
    ),
    ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
];

/// What to write for permissions.
const MODE: &str = "write them as `ls` and `chmod` count: `0o755`";

/// The layers apko makes at most where no budget is given.
const DEFAULT_BUDGET: u32 = 10;

/// How the texts of the file are filled in.
pub(super) type Fill<'a> = &'a dyn Fn(&Text) -> Result<String, Error>;

/// Understands an image whose places are in `origin`.
pub(super) fn resolve(
    image: &parsed::Image,
    origin: &Origin,
    fill: Fill<'_>,
) -> Result<Image, Error> {
    let read = Reader { origin, fill };
    read.refuse_what_is_missing(image)?;
    let contents = &image.contents;
    let (entrypoint, entrypoint_kind) = read.entrypoint(&image.entrypoint)?;
    Ok(Image {
        packages: read.packages(&contents.packages)?,
        repositories: read.list(&contents.repositories)?,
        build_repositories: read.list(&contents.build_repositories)?,
        runtime_repositories: read.list(&contents.runtime_repositories)?,
        keyring: read.list(&contents.keyring)?,
        written: read.written(image)?,
        runtime_keyring: read.runtime_keyring(&contents.runtime_keyring)?,
        entrypoint,
        entrypoint_kind,
        services: read.map(&image.entrypoint.services)?,
        cmd: read.words(image.cmd.as_ref())?,
        work_dir: read.absolute_option("the working folder", image.work_dir.as_ref())?,
        stop_signal: read.optional(image.stop_signal.as_ref())?,
        accounts: read.accounts(&image.accounts)?,
        archs: architectures(&image.archs, origin, fill)?,
        environment: read.environment(&image.environment)?,
        paths: image
            .paths
            .iter()
            .map(|path| read.path(path))
            .collect::<Result<_, _>>()?,
        annotations: read.map(&image.annotations)?,
        vcs_url: read.optional(image.vcs_url.as_ref())?,
        volumes: read.volumes(&image.volumes)?,
        layering: image
            .layering
            .as_ref()
            .map(|layering| read.layering(layering))
            .transpose()?,
        format: read.format(image)?,
        certificates: read.certificates(image.certificates.as_ref())?,
        certificate_providers: match &image.certificates {
            Some(certificates) => read.list(&certificates.providers)?,
            None => Vec::new(),
        },
        base: contents
            .baseimage
            .as_ref()
            .map(|base| read.base(base))
            .transpose()?,
    })
}

/// Architectures, each once; `all`, or none written, is all of them.
pub(super) fn architectures(
    written: &[Text],
    origin: &Origin,
    fill: Fill<'_>,
) -> Result<Vec<Architecture>, Error> {
    let mut found = Vec::new();
    for text in written {
        let filled = fill(text)?;
        if filled == "all" {
            return Ok(Architecture::ALL.to_vec());
        }
        let architecture: Architecture = filled.parse().map_err(|_| {
            let known = Architecture::ALL.iter().map(|arch| arch.apk());
            unknown(origin.place(text), "architecture", &filled, known)
        })?;
        if !found.contains(&architecture) {
            found.push(architecture);
        }
    }
    Ok(if found.is_empty() {
        Architecture::ALL.to_vec()
    } else {
        found
    })
}

fn unknown<'a>(
    place: Place,
    what: &'static str,
    text: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Error {
    let problem = Problem::UnknownWord {
        what,
        text: boltworks_model::visible_start(text, 160),
        suggestion: closest(text, known.clone()).map(str::to_owned),
        known: known.collect::<Vec<_>>().join(", "),
    };
    Error::at(place, problem)
}

pub(super) struct Reader<'a> {
    pub(super) origin: &'a Origin,
    pub(super) fill: Fill<'a>,
}

impl Reader<'_> {
    pub(super) fn bad(&self, at: &Text, what: &'static str, text: &str, rule: Rule) -> Error {
        Error::at(self.origin.place(at), Problem::value(what, text, rule))
    }

    fn not_supported(&self, at: &Text, what: &str) -> Error {
        let problem = Problem::NotSupported {
            what: what.to_owned(),
        };
        Error::at(self.origin.place(at), problem)
    }

    fn refuse_what_is_missing(&self, image: &parsed::Image) -> Result<(), Error> {
        let include = image.include.as_ref().filter(|_| !image.has_included);
        if let Some(include) = include.filter(|include| !include.is_empty()) {
            return Err(self.not_supported(include, "include"));
        }
        if let Some(overlay) = image.overlay.as_ref().filter(|_| !image.has_included) {
            return Err(self.not_supported(overlay, "overlay"));
        }
        Ok(())
    }

    /// What layers are: of EROFS there is one.
    fn format(&self, image: &parsed::Image) -> Result<Format, Error> {
        let Some(format) = image.format.as_ref().filter(|format| !format.is_empty()) else {
            return Ok(Format::Tar);
        };
        match &**format {
            "tar" => Ok(Format::Tar),
            "erofs" if image.layering.is_some() => {
                Err(self.bad(format, "the format", "erofs", ONE_LAYER))
            }
            "erofs" => Ok(Format::Erofs),
            other => {
                let known = ["tar", "erofs"].into_iter();
                Err(unknown(self.origin.place(format), "format", other, known))
            }
        }
    }

    fn base(&self, base: &parsed::BaseImage) -> Result<Base, Error> {
        Ok(Base {
            image: (self.fill)(&base.image)?,
            apkindex: (self.fill)(&base.apkindex)?,
            written: Written(Some(Box::new(self.origin.place(&base.image)))),
        })
    }

    fn list(&self, list: &[Text]) -> Result<Vec<String>, Error> {
        let mut filled = Vec::new();
        for text in list {
            filled.extend(Some((self.fill)(text)?).filter(|text| !text.trim().is_empty()));
        }
        Ok(filled)
    }

    /// Where what is named stands that only a build can judge.
    fn written(&self, image: &parsed::Image) -> Result<Places, Error> {
        let (contents, accounts) = (&image.contents, &image.accounts);
        let lists = [
            &contents.repositories,
            &contents.build_repositories,
            &contents.keyring,
        ];
        let tagged = contents.packages.iter().filter(|text| text.contains('@'));
        // Of a package's name, it is the tag.
        let tagged = tagged.map(|text| Ok(((self.fill)(text)?, self.origin.spot_of(text, "@"))));
        let users = accounts.users.iter().map(|user| &user.username);
        let groups = accounts.groups.iter().map(|group| &group.groupname);
        let plain = contents.packages.iter().filter(|text| !text.contains('@'));
        let texts = lists.into_iter().flatten();
        // Who is listed is meant where both name one.
        let texts = texts.chain(users).chain(groups).chain(&accounts.run_as);
        let texts = texts.chain(image.paths.iter().map(|path| &path.path));
        let texts = texts.chain(plain);
        let texts = texts.map(|text| Ok(((self.fill)(text)?, (text.line(), text.column()))));
        let texts = texts.chain(tagged).collect::<Result<Vec<_>, Error>>()?;
        Ok(Places::new(self.origin, texts.into_iter()))
    }

    fn map(&self, map: &BTreeMap<String, Text>) -> Result<BTreeMap<String, String>, Error> {
        map.iter()
            .map(|(name, text)| Ok((name.clone(), (self.fill)(text)?)))
            .collect()
    }

    fn environment(&self, map: &BTreeMap<String, Text>) -> Result<BTreeMap<String, String>, Error> {
        for (name, text) in map {
            if name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()) {
                let problem = Problem::value("the name of a variable", name, VARIABLE);
                return Err(Error::at(self.origin.place_of_key(name, text), problem));
            }
        }
        self.map(map)
    }

    pub(super) fn optional(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        let filled = text.map(|text| (self.fill)(text)).transpose()?;
        Ok(filled.filter(|text| !text.trim().is_empty()))
    }

    fn packages(&self, list: &[Text]) -> Result<Vec<Dependency>, Error> {
        let mut packages: Vec<Dependency> = Vec::new();
        for text in list {
            let filled = (self.fill)(text)?;
            if !filled.trim().is_empty() {
                let parsed = parse_dependency(filled.trim());
                let at = |error: boltworks_version::apk::DependencyError| {
                    Error::at(self.origin.place(text), error.into())
                };
                packages.push(parsed.map_err(at)?);
            }
        }
        Ok(unique(packages.iter()))
    }

    fn words(&self, text: Option<&Text>) -> Result<Vec<String>, Error> {
        let Some(text) = text else {
            return Ok(Vec::new());
        };
        let filled = (self.fill)(text)?;
        words::split(&filled).map_err(|_| {
            self.bad(
                text,
                "the command",
                &filled,
                [
                    "has a quote that is not closed",
                    "write the same quote again where the word ends",
                ],
            )
        })
    }

    fn entrypoint(
        &self,
        entrypoint: &parsed::Entrypoint,
    ) -> Result<(Vec<String>, EntrypointKind), Error> {
        if let Some(kind) = entrypoint.kind.as_ref().filter(|kind| !kind.is_empty()) {
            let filled = (self.fill)(kind)?;
            if filled != "service-bundle" {
                let known = ["service-bundle"].into_iter();
                return Err(unknown(
                    self.origin.place(kind),
                    "entrypoint type",
                    &filled,
                    known,
                ));
            }
            let scanner = ["/bin/s6-svscan", "/sv"].map(str::to_owned).to_vec();
            return Ok((scanner, EntrypointKind::ServiceBundle));
        }
        if let Some(service) = entrypoint.services.values().next() {
            let rule = [
                "needs the type service-bundle",
                "add `type: service-bundle` beside `services`, or write `command: …` in their place",
            ];
            return Err(self.bad(service, "a service", service, rule));
        }
        let command = match self.optional(entrypoint.shell_fragment.as_ref())? {
            Some(fragment) => vec!["/bin/sh".to_owned(), "-c".to_owned(), fragment],
            None => self.words(entrypoint.command.as_ref())?,
        };
        Ok((command, EntrypointKind::Command))
    }

    /// An absolute path without `.` and `..`.
    fn absolute(&self, what: &'static str, text: &Text) -> Result<String, Error> {
        let filled = (self.fill)(text)?;
        let is_plain = |part: &str| !matches!(part, "." | "..");
        if filled.starts_with('/')
            && filled.split('/').all(is_plain)
            && !filled.contains(char::is_control)
        {
            return Ok(filled);
        }
        Err(self.bad(
            text,
            what,
            &filled,
            [
                "is not an absolute path without . and ..",
                "write it from / on: `/srv/data`",
            ],
        ))
    }

    pub(super) fn absolute_option(
        &self,
        what: &'static str,
        text: Option<&Text>,
    ) -> Result<Option<String>, Error> {
        let text = text.filter(|text| !text.is_empty());
        text.map(|text| self.absolute(what, text)).transpose()
    }

    fn volumes(&self, list: &[Text]) -> Result<Vec<String>, Error> {
        list.iter()
            .map(|text| self.absolute("the volume", text))
            .collect()
    }

    fn path(&self, path: &parsed::PathMutation) -> Result<PathMutation, Error> {
        let word = (self.fill)(&path.kind)?;
        let kind = PathKind::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or_else(|| {
                let known = PathKind::ALL.iter().map(|kind| kind.word());
                unknown(self.origin.place(&path.kind), "type of path", &word, known)
            })?;
        let source = self.optional(path.source.as_ref())?;
        let is_link = matches!(kind, PathKind::Hardlink | PathKind::Symlink);
        if is_link && source.is_none() {
            let rule = [
                "needs a source",
                "add `source: …`, the path that it leads to",
            ];
            return Err(self.bad(&path.path, "the link", &path.path, rule));
        }
        if let (PathKind::Hardlink, Some(source)) = (kind, &path.source) {
            self.absolute("the source of a hardlink", source)?;
        }
        Ok(PathMutation {
            path: self.absolute("the path", &path.path)?,
            kind,
            uid: path.uid,
            gid: path.gid,
            permissions: path.permissions.map(|mode| self.mode(mode)).transpose()?,
            source,
            recursive: path.recursive,
        })
    }

    /// A mode such as a file can have, and somebody can have meant.
    fn mode(&self, mode: Spanned<Permissions>) -> Result<u32, Error> {
        let Permissions { bits, is_bare } = mode.value;
        let rule = match bits {
            _ if is_bare => [
                "are read as a decimal number, and set other bits: write 0o and the digits",
                MODE,
            ],
            0..=0o7777 => return Ok(bits),
            _ => ["are more than 0o7777", MODE],
        };
        let problem = Problem::value("the permissions", &bits.to_string(), rule);
        Err(Error::at(self.origin.at(mode.line, mode.column), problem))
    }

    fn runtime_keyring(&self, keys: &[parsed::RuntimeKey]) -> Result<Vec<RuntimeKey>, Error> {
        let one = |key: &parsed::RuntimeKey| {
            let name = (self.fill)(&key.name)?;
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0', '\n']) {
                let rule = [
                    "is not a file name",
                    "write one such as `name: vendor.rsa.pub`",
                ];
                return Err(self.bad(&key.name, "the key's name", &name, rule));
            }
            Ok(RuntimeKey {
                name,
                content: (self.fill)(&key.content)?,
            })
        };
        keys.iter().map(one).collect()
    }

    fn layering(&self, layering: &parsed::Layering) -> Result<Layering, Error> {
        let strategy = self.optional(layering.strategy.as_ref())?;
        if let (Some(text), Some(strategy)) = (&layering.strategy, &strategy)
            && strategy != "origin"
        {
            let known = ["origin"].into_iter();
            return Err(unknown(
                self.origin.place(text),
                "layering strategy",
                strategy,
                known,
            ));
        }
        let budget = layering.budget.map(|budget| {
            u32::try_from(budget.value).map_err(|_| {
                let place = self.origin.at(budget.line, budget.column);
                let number = budget.value.to_string();
                Error::at(
                    place,
                    Problem::value(
                        "the budget",
                        &number,
                        [
                            "is no number of layers",
                            "write a number from 1 on: `budget: 10`",
                        ],
                    ),
                )
            })
        });
        Ok(Layering {
            strategy: strategy.unwrap_or_else(|| "origin".to_owned()),
            budget: budget.transpose()?.unwrap_or(DEFAULT_BUDGET),
        })
    }

    fn certificates(
        &self,
        certificates: Option<&parsed::Certificates>,
    ) -> Result<Vec<Certificate>, Error> {
        let one = |certificate: &parsed::Certificate| {
            Ok(Certificate {
                name: self.optional(certificate.name.as_ref())?,
                content: (self.fill)(&certificate.content)?,
            })
        };
        certificates
            .iter()
            .flat_map(|all| &all.additional)
            .map(one)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use boltworks_model::Architecture;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use crate::resolved::{Certificate, EntrypointKind, Image, PathKind, PathMutation, RuntimeKey};
    use crate::{parse_image, resolve_image};

    #[test]
    fn an_image_is_understood() {
        let text = "contents:\n  packages: [baselayout, lighttpd>=1.4, baselayout]\n  repositories: ['https://example.org/os']\n\
            entrypoint:\n  command: /usr/bin/lighttpd -D -f \"/etc/a b.conf\"\ncmd: --help\n\
            accounts:\n  groups: [{groupname: nonroot, gid: 65532}]\n  users: [{username: nonroot, uid: 65532}]\n  run-as: 65532\n\
            archs: [x86_64, arm64, amd64]\nwork-dir: /srv\nenvironment: {PATH: /bin}\n\
            paths:\n- {path: /run/x, type: directory, uid: 65532, gid: 65532, permissions: 0o755}\n- {path: /a, type: symlink, source: ../b}\n\
            annotations: {a: 1.10}\nlayering: {strategy: origin, budget: 10}\n";
        let image = resolve_image(&parse_image("web.yaml", text).unwrap()).unwrap();
        insta::assert_snapshot!(image.config_json(), @r#"{"contents":{"repositories":["https://example.org/os"],"packages":["baselayout","lighttpd>=1.4"]},"entrypoint":{"command":"/usr/bin/lighttpd -D -f '/etc/a b.conf'"},"cmd":"--help","work-dir":"/srv","accounts":{"run-as":"65532","users":[{"username":"nonroot","uid":65532,"gid":65532,"shell":"/bin/sh","homedir":"/home/nonroot"}],"groups":[{"groupname":"nonroot","gid":65532,"members":[]}]},"archs":["x86_64","aarch64"],"environment":{"PATH":"/bin","SSL_CERT_FILE":"/etc/ssl/certs/ca-certificates.crt"},"paths":[{"path":"/run/x","type":"directory","uid":65532,"gid":65532,"permissions":"0o755","source":null,"recursive":false},{"path":"/a","type":"symlink","uid":null,"gid":null,"permissions":null,"source":"../b","recursive":false}],"annotations":{"a":"1.10"},"layering":{"strategy":"origin","budget":10}}"#);
        assert_eq!(image.archs, [Architecture::X86_64, Architecture::Aarch64]);
        let empty = resolve_image(&parse_image("e.yaml", "contents:\n").unwrap()).unwrap();
        assert_eq!(empty.archs, Architecture::ALL);
        assert_ne!(empty.canonical_json(), image.canonical_json());
        let commented = parse_image("web.yaml", &format!("# comment\n{text}# more\n")).unwrap();
        assert_eq!(
            resolve_image(&commented).unwrap().canonical_json(),
            image.canonical_json()
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_is_an_image_file_that_means_the_same(image in images()) {
            let printed = image.config_json();
            let again = parse_image("printed.yaml", &printed).and_then(|image| resolve_image(&image));
            match again {
                Ok(again) => prop_assert_eq!(again, image, "{}", printed),
                Err(error) => prop_assert!(false, "{} is refused: {}", printed, error),
            }
        }
    }

    /// Images such as a file can give.
    fn images() -> impl Strategy<Value = Image> {
        let text = || "[^\\s]\\PC{0,12}";
        let entrypoint = prop_oneof![
            vec(any::<String>(), 0..4).prop_map(|words| (words, EntrypointKind::Command, None)),
            text().prop_map(|line| {
                let scanner = ["/bin/s6-svscan", "/sv"].map(str::to_owned).to_vec();
                (scanner, EntrypointKind::ServiceBundle, Some(line))
            }),
        ];
        let name = "[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,12}";
        let kept = (name, text(), option::of(text()), option::of(text()));
        let commands = (entrypoint, vec(any::<String>(), 0..4));
        let modes = vec((option::of(0..=0o7777_u32), any::<bool>()), 0..4);
        (commands, modes, kept).prop_map(|((entrypoint, cmd), modes, kept)| {
            let (entrypoint, entrypoint_kind, service) = entrypoint;
            let (name, content, stop_signal, url) = kept;
            let path = |(permissions, recursive)| PathMutation {
                path: "/srv/a b".to_owned(),
                kind: PathKind::Permissions,
                uid: None,
                gid: Some(7),
                permissions,
                source: None,
                recursive,
            };
            let mut image = resolve_image(&parse_image("e.yaml", "contents:\n").unwrap()).unwrap();
            image.entrypoint = entrypoint;
            image.entrypoint_kind = entrypoint_kind;
            image
                .services
                .extend(service.map(|line| ("web".to_owned(), line)));
            image.cmd = cmd;
            image.paths = modes.into_iter().map(path).collect();
            image.stop_signal = stop_signal;
            image.vcs_url = url;
            image.runtime_keyring.push(RuntimeKey {
                name: "a.rsa.pub".to_owned(),
                content: content.clone(),
            });
            image.certificates.push(Certificate {
                name: Some(name),
                content,
            });
            image
        })
    }

    #[test]
    fn an_images_errors_name_the_place() {
        let mut all = String::new();
        for text in [
            "contents: {package: [a]}",
            "contents:\n  packages:\n  - a b\n",
            "archs: [x86]\npaths: [{path: a, type: directory}]",
            "paths:\n- path: /a/../b\n  type: directory\n",
            "paths: [{path: /a, type: folder}]",
            "paths: [{path: /a, type: symlink}]",
            "paths: [{path: /a, type: hardlink, source: b}]",
            "paths: [{path: /a, type: permissions, permissions: 755}]",
            "accounts: {users: [{username: root, uid: 0}]}",
            "accounts: {users: [{username: 'a:b', uid: 1}]}",
            "accounts: {users: [{username: a, uid: 1, shell: '/bin/a:b'}]}",
            "accounts: {users: [{username: a, uid: 4294967296}]}",
            "accounts: {users: [{username: a, uid: 4294967295}]}",
            "accounts: {groups: [{groupname: a, gid: 4294967295}]}",
            "accounts: {run-as: '1:4294967295'}",
            "archs: [amd46]",
            "entrypoint: {command: 'a \"b'}",
            "entrypoint: {type: service}",
            "entrypoint: {services: {a: b}}",
            "layering: {strategy: orgin}",
            "format: erofs\nlayering: {strategy: origin}",
            "format: erofs",
            "format: zip",
            "include: base.yaml",
            "environment: {'': a}",
            "volumes: [data]",
            "contents: {runtime_keyring: [{name: ../k, content: x}]}",
        ] {
            let image = parse_image("web.yaml", text).and_then(|image| resolve_image(&image));
            all += &image.map_or_else(|error| error.to_string(), |image| image.config_json());
            all.push('\n');
        }
        insta::assert_snapshot!(all, @r#"
        web.yaml:1:12: unknown key 'package'; did you mean 'packages'?
        web.yaml:3:5: 'a b' is not a valid package name: only letters, digits and + - . _ : / [ ] , * % are allowed
        web.yaml:2:16: the path 'a' is not an absolute path without . and ..
        web.yaml:2:9: the path '/a/../b' is not an absolute path without . and ..
        web.yaml:1:26: unknown type of path 'folder': known are directory, empty-file, hardlink, symlink, permissions
        web.yaml:1:16: the link '/a' needs a source
        web.yaml:1:44: the source of a hardlink 'b' is not an absolute path without . and ..
        web.yaml:1:52: the permissions '755' are read as a decimal number, and set other bits: write 0o and the digits
        web.yaml:1:42: the uid '0' is root's, which is there already
        web.yaml:1:31: the user's name 'a:b' is not of letters, digits and . _ -
        web.yaml:1:49: the shell '/bin/a:b' has ':' in it
        web.yaml:1:39: a whole number from 0 to 4294967295 is needed here
        web.yaml:1:39: the number '4294967295' is no user or group: it means none of them
        web.yaml:1:41: the number '4294967295' is no user or group: it means none of them
        web.yaml:1:20: run-as '1:4294967295' is no user or group: it means none of them
        web.yaml:1:9: unknown architecture 'amd46': known are aarch64, armhf, armv7, loongarch64, ppc64le, riscv64, s390x, x86, x86_64
        web.yaml:1:23: the command 'a "b' has a quote that is not closed
        web.yaml:1:20: unknown entrypoint type 'service': known are service-bundle
        web.yaml:1:28: a service 'b' needs the type service-bundle
        web.yaml:1:22: unknown layering strategy 'orgin': known are origin; did you mean 'origin'?
        web.yaml:1:9: the format 'erofs' has one layer: leave out layering
        {"archs":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"],"environment":{"PATH":"/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin","SSL_CERT_FILE":"/etc/ssl/certs/ca-certificates.crt"},"format":"erofs"}
        web.yaml:1:9: the format 'zip' is none: there are tar and erofs
        web.yaml:1:10: include is not supported yet
        web.yaml:1:17: the name of a variable '' must not be empty, or have '=' or control characters in it
        web.yaml:1:11: the volume 'data' is not an absolute path without . and ..
        web.yaml:1:37: the key's name '../k' is no name of a file: letters, digits, _ and -, and . but not first, are taken
        "#);
    }
}
