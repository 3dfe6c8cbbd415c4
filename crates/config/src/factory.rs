//! The file as types, with every default.

use std::collections::BTreeMap;

use boltworks_model::{Architecture, ChannelName, EvidenceKind, Sha256, SourceKind, Timestamp};
use boltworks_yaml::{Error, Place, closest};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::compression::Compression;
use crate::quantity::{Bytes, Span, processes};
use crate::state;
use crate::variants::{self, Variant};

/// A factory: what it builds, from what, and what it may release.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(
    clippy::struct_field_names,
    reason = "the key that marks the file as a factory's"
)]
pub struct Factory {
    /// The factory's name: lower-case letters, digits and `-`. Names its keys.
    pub factory: String,
    /// Folders of recipes, each a `.yaml` file; the files of recipe X lie in a folder X beside it.
    #[serde(default)]
    pub recipes: Vec<String>,
    /// Folders of image files.
    #[serde(default)]
    pub images: Vec<String>,
    /// Folders of pipelines, which go before the built-in ones.
    #[serde(default)]
    pub pipelines: Vec<String>,
    /// The folder of the factory's state.
    #[serde(default = "default_state")]
    pub state: String,
    /// The architectures that are built for.
    #[serde(default = "default_architectures")]
    #[schemars(with = "Vec<String>")]
    pub architectures: Vec<Architecture>,
    /// The time in every output, in seconds since 1970; at most 8589934591, in the year 2242.
    #[serde(default)]
    #[schemars(with = "Option<i64>", range(min = 0, max = 8_589_934_591_i64))]
    pub source_date_epoch: Option<Timestamp>,
    /// Keys.
    #[serde(default)]
    pub keys: Keys,
    /// Where the first compiler comes from.
    pub stage0: Stage0,
    /// The factory's own repository, by name; one.
    #[serde(default)]
    pub repositories: BTreeMap<String, Repository>,
    /// What users pull, by name: `web:1.4`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Channel>")]
    pub channels: BTreeMap<ChannelName, Channel>,
    /// Images that are made of each image beside it, by what their names end in: `dev` makes `web-dev`
    /// of `web`, and the channel `web:1.4-dev` beside `web:1.4`.
    #[serde(default)]
    pub variants: BTreeMap<String, Variant>,
    /// What must be known before something is released, by name; `release` is the one that holds.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// Where sources are that upstream's own address does not give.
    #[serde(default)]
    pub sources: Vec<SourceMap>,
    /// The same files at other addresses.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// What a build step may use.
    #[serde(default)]
    pub limits: Limits,
    /// How image layers are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Whether a package needs the libraries that it was linked with in their versions or later
    /// ones (`so-ver:libz.so.1>=1.3.1-r0`).
    #[serde(default)]
    pub bind_libraries: bool,
}

/// The factory's keys.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// The private key that signs packages and indexes (default: `keys/<factory>.rsa`).
    #[serde(default)]
    pub signing: Option<String>,
}

/// Where the first compiler comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stage0 {
    /// Debian's archive.
    #[serde(default)]
    pub debian: Debian,
    /// Debian packages; what they depend on comes with them.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Names that recipes ask for, each a set of those packages.
    #[serde(default)]
    pub provides: BTreeMap<String, Vec<String>>,
}

/// Debian's archive.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Debian {
    /// The suite.
    pub suite: String,
    /// The address of a mirror (default: the one this machine's apt uses).
    pub mirror: Option<String>,
    /// The keyring its signatures are checked with (default: Debian's own, as installed).
    pub keyring: Option<String>,
}

impl Default for Debian {
    fn default() -> Self {
        Self {
            suite: "trixie".to_owned(),
            mirror: None,
            keyring: None,
        }
    }
}

/// A repository of the factory's own packages: all of them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Repository {
    /// What it is for, shown to whoever browses what is served.
    pub description: String,
}

/// What a channel points at.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Channel {
    /// The image file, without its ending.
    pub image: String,
}

/// What must be known, and be good, before something is released.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// Kinds of evidence.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub require: Vec<EvidenceKind>,
    /// Repositories from which nothing may be inside.
    #[serde(default)]
    pub forbid_repositories: Vec<String>,
}

/// Where one source is that upstream's own address does not give. Address and digest are replaced
/// together, and the build record names both.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceMap {
    /// The package whose recipe names the source.
    pub package: String,
    /// Its version, without the epoch.
    pub version: String,
    /// The address in the recipe, `*` standing for anything (default: all of the recipe's).
    #[serde(default)]
    pub uri: Option<String>,
    /// A Debian source package, `NAME` or `NAME=VERSION`.
    #[serde(default)]
    pub debian: Option<String>,
    /// A Python project, `NAME` or `NAME==VERSION`.
    #[serde(default)]
    pub pypi: Option<String>,
    /// Another address.
    #[serde(default)]
    pub address: Option<String>,
    /// The file's name there.
    pub file: String,
    /// Its digest.
    #[schemars(with = "String")]
    pub sha256: Sha256,
    /// What sort of source it is.
    #[schemars(with = "String")]
    pub kind: SourceKind,
}

/// The same files at another address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mirror {
    /// What an address begins with.
    pub prefix: String,
    /// What it begins with at the mirror.
    pub to: String,
}

/// What a build step may use; no limit where none is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Time.
    pub wall: Option<Span>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Processes and threads at once.
    #[serde(deserialize_with = "processes")]
    #[schemars(range(min = 1, max = 4_194_304))]
    pub processes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Some(Span(std::time::Duration::from_hours(2))),
            memory: None,
            processes: Some(4096),
        }
    }
}

fn default_state() -> String {
    ".boltworks".to_owned()
}

fn default_architectures() -> Vec<Architecture> {
    vec![Architecture::X86_64]
}

impl Factory {
    /// The name of the factory's own repository.
    pub fn repository(&self) -> &str {
        self.repositories.keys().next().map_or("os", String::as_str)
    }

    /// What the index of that repository says of itself: what the file says it is for, else its
    /// name.
    pub fn description(&self) -> &str {
        let description = self.repositories.values().next();
        description
            .map(|repository| repository.description.as_str())
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| self.repository())
    }

    /// The policy that holds for releases: by default everything that can be judged today.
    pub fn release_policy(&self) -> Policy {
        self.policies
            .get("release")
            .cloned()
            .unwrap_or_else(|| Policy {
                require: vec![
                    EvidenceKind::Materials,
                    EvidenceKind::Sbom,
                    EvidenceKind::Signature,
                    EvidenceKind::Origin,
                ],
                forbid_repositories: vec!["stage0".to_owned()],
            })
    }
}

/// Reads a factory's file strictly. `file` is its name for messages.
pub fn parse(file: &str, text: &str) -> Result<Factory, Error> {
    let mut factory: Factory = boltworks_yaml::parse(file, text)?;
    match fault(&factory).or_else(|| variants::add(&mut factory)) {
        None => Ok(factory),
        Some(fault) => Err(fault.placed(file, text)),
    }
}

/// The error that a channel of this file points at an image that is not there.
pub fn no_image<'a>(
    (file, text): (&str, &str),
    channel: &ChannelName,
    image: &str,
    known: impl Iterator<Item = &'a str>,
) -> Error {
    let message = format!("there is no image '{image}', which the channel '{channel}' points at");
    let quoted = format!("\"{channel}\"");
    let is_quoted = text.contains(&quoted);
    let fault = Fault {
        suggestion: closest(image, known).map(str::to_owned),
        ..Fault::new(if is_quoted { &quoted } else { channel.as_str() }, message)
    };
    fault.placed(file, text)
}

/// The JSON schema of the file.
pub fn schema() -> Value {
    schemars::schema_for!(Factory).to_value()
}

/// The error that a variant is asked for of an image that is not there.
pub fn no_image_to_vary<'a>(
    (file, text): (&str, &str),
    image: &str,
    known: impl Iterator<Item = &'a str>,
) -> Error {
    let message = format!("there is no image '{image}' to make a variant of");
    let fault = Fault {
        suggestion: closest(image, known).map(str::to_owned),
        ..Fault::new("variants:", message)
    };
    fault.placed(file, text)
}

/// Something that is well-formed and cannot be.
pub(crate) struct Fault {
    /// The text of the line at fault starts with this, white space apart.
    marker: String,
    message: String,
    suggestion: Option<String>,
}

impl Fault {
    pub(crate) fn new(marker: &str, message: String) -> Self {
        Self {
            marker: marker.to_owned(),
            message,
            suggestion: None,
        }
    }

    /// Finds the line at fault. It is only looked for where something is wrong.
    fn placed(self, file: &str, text: &str) -> Error {
        let is_it = |line: &str| {
            line.trim_start()
                .trim_start_matches("- ")
                .starts_with(&self.marker)
        };
        let found = text.lines().enumerate().find(|(_, line)| is_it(line));
        let (line, column) = found.map_or((1, 1), |(index, line)| {
            let indent = line.len() - line.trim_start().len();
            (index + 1, indent + 1)
        });
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let place = Place::new(file, text, number(line), number(column));
        Error::new(place, self.message).suggest(self.suggestion)
    }
}

fn fault(factory: &Factory) -> Option<Fault> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if !is_name(&factory.factory) {
        let message = format!(
            "'{}' is not a factory's name: lower-case letters, digits and '-'",
            factory.factory
        );
        return Some(Fault::new("factory:", message));
    }
    if factory.architectures != [Architecture::X86_64] {
        let message = "only x86_64 can be built for today".to_owned();
        return Some(Fault::new("architectures:", message));
    }
    let time = factory.source_date_epoch.filter(|at| !at.is_packable());
    if let Some(Timestamp(seconds)) = time {
        let message = format!(
            "{seconds} is no time that a package can carry: from 0 to {} seconds since 1970",
            Timestamp::LAST.0
        );
        return Some(Fault::new("source-date-epoch:", message));
    }
    if factory.repositories.len() > 1 {
        let message = "a factory has one repository of its own".to_owned();
        return Some(Fault::new("repositories:", message));
    }
    if let Some(name) = factory
        .repositories
        .keys()
        .find(|name| !is_name(name) || *name == "stage0")
    {
        return Some(Fault::new(
            name,
            format!("'{name}' cannot be a repository's name"),
        ));
    }
    let untagged = factory
        .channels
        .keys()
        .find(|channel| channel.tag().is_none());
    if let Some(channel) = untagged {
        let message = format!("the channel '{channel}' has no tag");
        let suggestion = Some(format!("{channel}:latest"));
        return Some(Fault {
            suggestion,
            ..Fault::new(channel.as_str(), message)
        });
    }
    if let Some(name) = factory.policies.keys().find(|name| *name != "release") {
        let message = format!("there is no use for a policy '{name}'");
        let suggestion = closest(name, ["release"]).map(str::to_owned);
        return Some(Fault {
            suggestion,
            ..Fault::new(name, message)
        });
    }
    policy(factory)
        .or_else(|| folders(factory))
        .or_else(|| state::fault(factory).map(|message| Fault::new("state:", message)))
        .or_else(|| sources(factory))
}

/// A policy that can be held: repositories there are, evidence that is gathered.
fn policy(factory: &Factory) -> Option<Fault> {
    const GATHERED: &[EvidenceKind] = &[
        EvidenceKind::Materials,
        EvidenceKind::Sbom,
        EvidenceKind::Signature,
        EvidenceKind::Origin,
        EvidenceKind::Tests,
    ];
    let policy = factory.policies.get("release")?;
    let known = ["stage0", "local repository", factory.repository()];
    let unknown = policy
        .forbid_repositories
        .iter()
        .find(|name| !known.contains(&name.as_str()));
    if let Some(name) = unknown {
        let message = format!("there is no repository '{name}' to forbid");
        let suggestion = closest(name, known).map(str::to_owned);
        return Some(Fault {
            suggestion,
            ..Fault::new("forbid-repositories:", message)
        });
    }
    if policy.require.is_empty() {
        let message = "a policy that asks for no evidence lets nothing be released".to_owned();
        return Some(Fault::new("release:", message));
    }
    let kind = policy
        .require
        .iter()
        .find(|kind| !GATHERED.contains(kind))?;
    let words: Vec<&str> = GATHERED.iter().map(|kind| kind.word()).collect();
    let message = format!(
        "evidence of '{kind}' is not gathered yet, so nothing could ever be released; there are {}",
        words.join(", ")
    );
    Some(Fault::new("require:", message))
}

fn folders(factory: &Factory) -> Option<Fault> {
    let named = [
        ("recipes", &factory.recipes),
        ("images", &factory.images),
        ("pipelines", &factory.pipelines),
    ];
    let is_inside = |path: &str| {
        !path.is_empty()
            && !path.starts_with('/')
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    for (what, paths) in named {
        if let Some(path) = paths.iter().find(|path| !is_inside(path)) {
            return Some(Fault::new(
                what,
                format!("'{path}' does not lie in the factory's folder"),
            ));
        }
    }
    None
}

fn sources(factory: &Factory) -> Option<Fault> {
    let places = |map: &SourceMap| {
        [&map.debian, &map.pypi, &map.address]
            .into_iter()
            .filter(|place| place.is_some())
            .count()
    };
    let unplaced = factory.sources.iter().find(|map| places(map) != 1)?;
    let message = format!(
        "the source of {} {} needs exactly one of debian, pypi and address",
        unplaced.package, unplaced.version
    );
    Some(Fault::new("sources:", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse("boltworks.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_small_file_is_enough() {
        let factory = parse("f", "factory: web\nstage0: {packages: [gcc]}\n").unwrap();
        assert_eq!(factory.repository(), "os");
        assert_eq!(factory.state, ".boltworks");
        assert_eq!(factory.stage0.debian.suite, "trixie");
        assert!(
            factory
                .release_policy()
                .require
                .contains(&EvidenceKind::Sbom)
        );
    }

    #[test]
    fn faults_have_a_place() {
        insta::assert_snapshot!(refused("factory: web\nreceipts: [a]\nstage0: {}\n"), @"boltworks.yaml:2:1: unknown key 'receipts'; did you mean 'recipes'?");
        insta::assert_snapshot!(refused("factory: Web\nstage0: {}\n"), @"boltworks.yaml:1:1: 'Web' is not a factory's name: lower-case letters, digits and '-'");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nrecipes: [../x]\n"), @"boltworks.yaml:3:1: '../x' does not lie in the factory's folder");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nchannels:\n  web: {image: web}\n"), @"boltworks.yaml:4:3: the channel 'web' has no tag; did you mean 'web:latest'?");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\npolicies:\n  release:\n    forbid-repositories: [stagee0]\n"), @"boltworks.yaml:5:5: there is no repository 'stagee0' to forbid; did you mean 'stage0'?");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\npolicies:\n  release:\n    require: [malware]\n"), @"boltworks.yaml:5:5: evidence of 'malware' is not gathered yet, so nothing could ever be released; there are materials, sbom, signature, origin, tests");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nlimits:\n  wall: 0s\n"), @"boltworks.yaml:4:9: nothing runs in '0s': 1s at least");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nlimits:\n  memory: 1\n"), @"boltworks.yaml:4:11: nothing runs in '1', which counts bytes: 1MiB at least");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nlimits:\n  processes: 0\n"), @"boltworks.yaml:4:14: nothing runs with '0': 1 at least");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nlimits:\n  processes: 4194305\n"), @"boltworks.yaml:4:14: '4194305' is more than Linux can count: 4194304 at most");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nlimits: {wall: 2}\n"), @"boltworks.yaml:3:16: '2' is not a time like 90s, 20m or 2h");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nsource-date-epoch: 8589934592\n"), @"boltworks.yaml:3:1: 8589934592 is no time that a package can carry: from 0 to 8589934591 seconds since 1970");
        insta::assert_snapshot!(refused("factory: web\nstage0: {}\nsource-date-epoch: -1\n"), @"boltworks.yaml:3:1: -1 is no time that a package can carry: from 0 to 8589934591 seconds since 1970");
    }

    #[test]
    fn the_schema_is_strict() {
        let schema = schema();
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema["properties"]["stage0"].is_object());
    }
}
