//! How new upstream versions are found: the `update` section.

use boltworks_yaml::{Spanned, or_default};
use serde::Deserialize;

use super::Text;

/// How new upstream versions are found.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the file format has these switches"
)]
pub struct Update {
    /// Whether anybody looks.
    #[serde(default, deserialize_with = "or_default")]
    pub enabled: bool,
    /// Whether a person must make the change.
    #[serde(default, deserialize_with = "or_default")]
    pub manual: bool,
    /// Whether versions are taken one after the other.
    #[serde(default, deserialize_with = "or_default")]
    pub require_sequential: bool,
    /// Whether dependents are rebuilt with it.
    #[serde(default, deserialize_with = "or_default")]
    pub shared: bool,
    /// What stands for `.` in upstream's versions.
    #[serde(default)]
    pub version_separator: Option<Text>,
    /// Versions to pass over, as regular expressions.
    #[serde(default, deserialize_with = "or_default")]
    pub ignore_regex_patterns: Vec<Text>,
    /// release-monitoring.org.
    #[serde(default)]
    pub release_monitor: Option<ReleaseMonitor>,
    /// Releases or tags on GitHub.
    #[serde(default)]
    pub github: Option<GitHubMonitor>,
    /// Tags of a git repository.
    #[serde(default)]
    pub git: Option<GitMonitor>,
    /// Tags of an image; older files say `crane`.
    #[serde(default, alias = "crane")]
    pub oci: Option<OciMonitor>,
    /// A service of version streams.
    #[serde(default, rename = "version_data")]
    pub version_data: Option<VersionDataMonitor>,
    /// From upstream's version to the package's.
    #[serde(default, deserialize_with = "or_default")]
    pub version_transform: Vec<VersionTransform>,
    /// Why nobody looks.
    #[serde(default)]
    pub exclude_reason: Option<Text>,
    /// When somebody looks.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// Whether pre-releases count.
    #[serde(default, deserialize_with = "or_default")]
    pub enable_prerelease_tags: bool,
}

/// A project on release-monitoring.org.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReleaseMonitor {
    /// The project's number.
    pub identifier: Spanned<u64>,
    /// Cut from the front of its versions.
    #[serde(default)]
    pub strip_prefix: Option<Text>,
    /// Cut from the end of its versions.
    #[serde(default)]
    pub strip_suffix: Option<Text>,
    /// Only versions containing this.
    #[serde(default)]
    pub version_filter_contains: Option<Text>,
    /// Only versions starting with this.
    #[serde(default)]
    pub version_filter_prefix: Option<Text>,
}

/// A repository on GitHub.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GitHubMonitor {
    /// `owner/name`.
    pub identifier: Text,
    /// Cut from the front of a tag.
    #[serde(default)]
    pub strip_prefix: Option<Text>,
    /// Cut from the end of a tag.
    #[serde(default)]
    pub strip_suffix: Option<Text>,
    /// The old name of `tag-filter-prefix`.
    #[serde(default)]
    pub tag_filter: Option<Text>,
    /// Only tags starting with this.
    #[serde(default)]
    pub tag_filter_prefix: Option<Text>,
    /// Only tags containing this.
    #[serde(default)]
    pub tag_filter_contains: Option<Text>,
    /// Tags rather than releases.
    #[serde(default, deserialize_with = "or_default")]
    pub use_tag: bool,
}

/// Tags of the git repository the recipe checks out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GitMonitor {
    /// Cut from the front of a tag.
    #[serde(default)]
    pub strip_prefix: Option<Text>,
    /// Cut from the end of a tag.
    #[serde(default)]
    pub strip_suffix: Option<Text>,
    /// Only tags starting with this.
    #[serde(default)]
    pub tag_filter_prefix: Option<Text>,
    /// Only tags containing this.
    #[serde(default)]
    pub tag_filter_contains: Option<Text>,
}

/// Tags of an image.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OciMonitor {
    /// The image's reference.
    pub identifier: Text,
    /// Cut from the front of a tag.
    #[serde(default)]
    pub strip_prefix: Option<Text>,
    /// Cut from the end of a tag.
    #[serde(default)]
    pub strip_suffix: Option<Text>,
    /// Only tags starting with this.
    #[serde(default)]
    pub tag_filter_prefix: Option<Text>,
    /// Only tags containing this.
    #[serde(default)]
    pub tag_filter_contains: Option<Text>,
}

/// A version put together from version streams.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionDataMonitor {
    /// The version, with `${{source.field}}`.
    pub version_format: Text,
    /// The streams.
    #[serde(default, deserialize_with = "or_default")]
    pub sources: Vec<VersionDataSource>,
}

/// A version stream.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionDataSource {
    /// The name the format uses.
    pub name: Text,
    /// The stream: `12.6`.
    pub stream: Text,
    /// Versions to pass over, as regular expressions.
    #[serde(default, deserialize_with = "or_default")]
    pub ignore: Vec<Text>,
    /// Whose commits count.
    #[serde(default)]
    pub commit_source: Option<Text>,
    /// Releases rather than tags.
    #[serde(default, deserialize_with = "or_default")]
    pub use_release: bool,
}

/// From upstream's version to the package's.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VersionTransform {
    /// A regular expression.
    #[serde(rename = "match")]
    pub pattern: Text,
    /// What it becomes.
    #[serde(default)]
    pub replace: Text,
}

/// When somebody looks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Why not whenever.
    #[serde(default)]
    pub reason: Option<Text>,
    /// `daily`, `weekly` or `monthly`.
    #[serde(default)]
    pub period: Option<Text>,
}
