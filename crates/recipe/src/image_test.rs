//! The tests of an image, `web.test.yaml` beside `web.yaml`: what must be so in it, and what is run beside
//! a container of it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use boltworks_version::apk::{Dependency, DependencyError};
use boltworks_yaml::{Place, Spanned};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::parsed::{Origin, Permissions, Text};
use crate::resolve::duration;

/// How long a container has to listen where nothing is said.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may have.
const PATIENT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// The tests of an image, as understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImageTest {
    /// What must be so in it.
    pub check: Check,
    /// What is run.
    pub run: Option<Run>,
}

/// What must be so in an image. What is not said may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whom a container runs as, as `accounts.run-as` says it.
    pub user: Option<String>,
    /// Its entry point, in words.
    pub entrypoint: Option<Vec<String>>,
    /// The arguments of that, in words.
    pub cmd: Option<Vec<String>>,
    /// The folder it starts in.
    pub work_dir: Option<String>,
    /// Variables and their values.
    pub environment: BTreeMap<String, String>,
    /// Whether there is a shell.
    pub shell: Option<bool>,
    /// How many bytes its files have at most.
    pub max_size: Option<u64>,
    /// Packages that are in it.
    pub present: Vec<String>,
    /// Packages that are not.
    pub absent: Vec<String>,
    /// Its files.
    pub files: Vec<FileCheck>,
}

/// What must be so of one path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// The path, without the first slash.
    pub path: String,
    /// Whether nothing is there.
    pub absent: bool,
    /// `file`, `directory` or `symlink`.
    pub kind: Option<String>,
    /// The mode.
    pub mode: Option<u32>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
    /// What a link leads to.
    pub target: Option<String>,
    /// What is in it.
    pub contains: Option<String>,
}

/// What is run of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// What happens with the container.
    pub how: How,
    /// How long that may take.
    pub patience: Duration,
}

/// What happens with the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum How {
    /// It goes on while a script runs beside it.
    Beside {
        /// TCP ports it must listen at first.
        ports: Vec<u16>,
        /// The packages of the script's guest.
        packages: Vec<Dependency>,
        /// The script; nothing where the ports are all there is to see.
        script: Option<String>,
    },
    /// It ends by itself.
    Ends {
        /// With this code.
        code: i32,
        /// Having printed these.
        prints: Vec<String>,
    },
}

impl ImageTest {
    /// The bytes that name it.
    pub fn canonical_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Run {
    /// The packages of the script's guest.
    pub fn packages(&self) -> &[Dependency] {
        match &self.how {
            How::Beside { packages, .. } => packages,
            How::Ends { .. } => &[],
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ParsedTest {
    check: ParsedCheck,
    run: Option<ParsedRun>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct ParsedCheck {
    user: Option<Text>,
    entrypoint: Option<Text>,
    cmd: Option<Text>,
    work_dir: Option<Text>,
    environment: BTreeMap<String, Text>,
    shell: Option<bool>,
    max_size: Option<Text>,
    packages: ParsedPackages,
    files: Vec<ParsedFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ParsedPackages {
    present: Vec<Text>,
    absent: Vec<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ParsedFile {
    path: Text,
    absent: bool,
    #[serde(rename = "type")]
    kind: Option<Text>,
    mode: Option<Spanned<Permissions>>,
    uid: Option<u32>,
    gid: Option<u32>,
    target: Option<Text>,
    contains: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ParsedRun {
    ports: Vec<u16>,
    packages: Vec<Text>,
    script: Option<Text>,
    patience: Option<Text>,
    ends: Option<i32>,
    prints: Vec<Text>,
}

/// Reads the tests of an image. `file` is only for messages.
pub fn parse_image_test(file: &str, text: &str) -> Result<ImageTest, Error> {
    let parsed: ParsedTest = boltworks_yaml::parse(file, text)?;
    let origin = Origin::new(file, text);
    let reader = Reader(&origin);
    let test = ImageTest {
        check: reader.check(&parsed.check)?,
        run: parsed.run.as_ref().map(|run| reader.run(run)).transpose()?,
    };
    if test == ImageTest::default() {
        let message = "nothing is tested";
        return Err(told(
            origin.at(1, 1),
            message,
            "say what must be so beneath `check:`, or what is run beneath `run:`",
        ));
    }
    Ok(test)
}

fn told(place: Place, message: impl Into<String>, help: impl Into<String>) -> Error {
    boltworks_yaml::Error::new(place, message.into())
        .helped(help.into())
        .into()
}

struct Reader<'a>(&'a Origin);

impl Reader<'_> {
    fn check(&self, check: &ParsedCheck) -> Result<Check, Error> {
        let plain = |text: &Option<Text>| text.as_ref().map(|text| text.as_str().to_owned());
        let environment = check.environment.iter();
        Ok(Check {
            user: plain(&check.user),
            entrypoint: self.words(check.entrypoint.as_ref())?,
            cmd: self.words(check.cmd.as_ref())?,
            work_dir: plain(&check.work_dir),
            environment: environment
                .map(|(name, text)| (name.clone(), text.as_str().to_owned()))
                .collect(),
            shell: check.shell,
            max_size: check
                .max_size
                .as_ref()
                .map(|size| self.size(size))
                .transpose()?,
            present: texts(&check.packages.present),
            absent: texts(&check.packages.absent),
            files: check
                .files
                .iter()
                .map(|file| self.file(file))
                .collect::<Result<_, _>>()?,
        })
    }

    fn words(&self, text: Option<&Text>) -> Result<Option<Vec<String>>, Error> {
        let Some(text) = text else {
            return Ok(None);
        };
        let words = crate::words::split(text).map_err(|_| {
            let message = format!("'{}' has a quote that is not closed", text.as_str());
            told(self.0.place(text), message, "close it")
        });
        words.map(Some)
    }

    /// `20MiB`, `4GiB`, or bytes.
    fn size(&self, text: &Text) -> Result<u64, Error> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)];
        let number = units.into_iter().find_map(|(unit, bits)| {
            let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(1 << bits)
        });
        number.ok_or_else(|| {
            let message = format!("'{}' is not a size", text.as_str());
            told(self.0.place(text), message, "write `20MiB`")
        })
    }

    fn file(&self, file: &ParsedFile) -> Result<FileCheck, Error> {
        let path = file.path.as_str();
        let own = path.strip_prefix('/').unwrap_or_default();
        let is_path =
            !own.is_empty() && own.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_path {
            let message = format!("'{path}' is no path of an image");
            return Err(told(
                self.0.place(&file.path),
                message,
                "write it from the root, without `.` and `..`",
            ));
        }
        if let Some(kind) = &file.kind
            && !["file", "directory", "symlink"].contains(&kind.as_str())
        {
            let message = format!("'{}' is no type of a file", kind.as_str());
            return Err(told(
                self.0.place(kind),
                message,
                "there are file, directory and symlink",
            ));
        }
        let plain = |text: &Option<Text>| text.as_ref().map(|text| text.as_str().to_owned());
        let mode = file.mode.as_ref().map(|mode| {
            if mode.value.is_bare {
                let message = "the mode is read as a decimal number";
                let place = self.0.at(mode.line, mode.column);
                return Err(told(place, message, "write 0o and the digits"));
            }
            Ok(mode.value.bits)
        });
        let check = FileCheck {
            path: own.to_owned(),
            absent: file.absent,
            kind: plain(&file.kind),
            mode: mode.transpose()?,
            uid: file.uid,
            gid: file.gid,
            target: plain(&file.target),
            contains: plain(&file.contains),
        };
        let only = FileCheck {
            path: check.path.clone(),
            absent: true,
            ..FileCheck::default()
        };
        if check.absent && check != only {
            let message = format!("{path} is absent and yet something");
            return Err(told(
                self.0.place(&file.path),
                message,
                "say nothing else of what must not be there",
            ));
        }
        Ok(check)
    }

    fn run(&self, run: &ParsedRun) -> Result<Run, Error> {
        let top = || self.0.at(1, 1);
        let patience = run.patience.as_ref().map(|text| {
            let found = duration(text).filter(|found| PATIENT.contains(found));
            found.ok_or_else(|| {
                let message = format!("'{}' is no time from 1s to 1h", text.as_str());
                told(self.0.place(text), message, "write `10s`")
            })
        });
        let patience = patience.transpose()?.unwrap_or(PATIENCE);
        let packages = run.packages.iter().map(|text| {
            text.parse().map_err(|error: DependencyError| {
                told(self.0.place(text), error.to_string(), "name a package")
            })
        });
        let packages = packages.collect::<Result<Vec<Dependency>, Error>>()?;
        let is_beside = !run.ports.is_empty() || run.script.is_some() || !run.packages.is_empty();
        let how = match run.ends {
            Some(_) if is_beside => {
                let message = "a container that ends has nothing beside it";
                let help = "take `ends`, or `ports`, `packages` and `script`";
                return Err(told(top(), message, help));
            }
            Some(code) => How::Ends {
                code,
                prints: texts(&run.prints),
            },
            None if !run.prints.is_empty() => {
                let message = "`prints` is asked of a container that ends";
                return Err(told(top(), message, "add `ends: 0`"));
            }
            None if run.script.is_none() && run.ports.is_empty() => {
                let message = "nothing is said of what is run";
                let help = "name `ports`, a `script` with its `packages`, or `ends: 0`";
                return Err(told(top(), message, help));
            }
            None => How::Beside {
                ports: run.ports.clone(),
                packages,
                script: run.script.as_ref().map(|text| text.as_str().to_owned()),
            },
        };
        match (&run.script, run.packages.as_slice()) {
            (Some(script), []) => {
                let message = "the script has no guest to run in";
                let help = "name what brings /bin/sh and what else it needs: `packages: [busybox]`";
                return Err(told(self.0.place(script), message, help));
            }
            (None, [first, ..]) => {
                let message = "the packages are a script's, and there is none";
                let help = "write the `script`, or leave the packages out";
                return Err(told(self.0.place(first), message, help));
            }
            _ => {}
        }
        Ok(Run { how, patience })
    }
}

fn texts(list: &[Text]) -> Vec<String> {
    list.iter().map(|text| text.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match parse_image_test("web.test.yaml", text) {
            Ok(test) => String::from_utf8(test.canonical_json()).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_written_is_understood() {
        insta::assert_snapshot!(said("check:\n  user: 65532\n  shell: false\n  max-size: 20MiB\n  files:\n  - {path: /etc/passwd, mode: 0o644, uid: 0, contains: nonroot}\n  - {path: /bin/sh, absent: true}\nrun: {ports: [8080], packages: [curl], script: 'curl :8080'}\n"), @r#"{"check":{"user":"65532","entrypoint":null,"cmd":null,"work_dir":null,"environment":{},"shell":false,"max_size":20971520,"present":[],"absent":[],"files":[{"path":"etc/passwd","absent":false,"kind":null,"mode":420,"uid":0,"gid":null,"target":null,"contains":"nonroot"},{"path":"bin/sh","absent":true,"kind":null,"mode":null,"uid":null,"gid":null,"target":null,"contains":null}]},"run":{"how":{"Beside":{"ports":[8080],"packages":["curl"],"script":"curl :8080"}},"patience":{"secs":10,"nanos":0}}}"#);
        insta::assert_snapshot!(said("run: {ends: 0, prints: [OpenSSL]}\n"), @r#"{"check":{"user":null,"entrypoint":null,"cmd":null,"work_dir":null,"environment":{},"shell":null,"max_size":null,"present":[],"absent":[],"files":[]},"run":{"how":{"Ends":{"code":0,"prints":["OpenSSL"]}},"patience":{"secs":10,"nanos":0}}}"#);
    }

    #[test]
    fn what_cannot_be_is_told_where_it_stands() {
        let all = [
            "{}\n",
            "check: {users: 0}\n",
            "check: {max-size: big}\n",
            "check:\n  files:\n  - {path: etc}\n",
            "check:\n  files:\n  - {path: /a, mode: 644}\n",
            "check:\n  files:\n  - {path: /a, type: folder}\n",
            "check:\n  files:\n  - {path: /a, absent: true, uid: 0}\n",
            "run: {}\n",
            "run: {ends: 0, ports: [1]}\n",
            "run: {prints: [a], ports: [1]}\n",
            "run:\n  script: 'true'\n",
            "run: {ports: [1], packages: [a]}\n",
            "run: {ports: [1], patience: 2h}\n",
            "run: {ports: [70000]}\n",
        ];
        insta::assert_snapshot!(all.map(said).join("\n"), @r#"
        web.test.yaml:1:1: nothing is tested
        web.test.yaml:1:9: unknown key 'users'; did you mean 'user'?
        web.test.yaml:1:19: 'big' is not a size
        web.test.yaml:3:12: 'etc' is no path of an image
        web.test.yaml:3:22: the mode is read as a decimal number
        web.test.yaml:3:22: 'folder' is no type of a file
        web.test.yaml:3:12: /a is absent and yet something
        web.test.yaml:1:1: nothing is said of what is run
        web.test.yaml:1:1: a container that ends has nothing beside it
        web.test.yaml:1:1: `prints` is asked of a container that ends
        web.test.yaml:2:11: the script has no guest to run in
        web.test.yaml:1:30: the packages are a script's, and there is none
        web.test.yaml:1:29: '2h' is no time from 1s to 1h
        web.test.yaml:1:15: a whole number from 0 to 65535 is needed here
        "#);
    }
}
