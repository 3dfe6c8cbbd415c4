//! How new upstream versions are found, as understood.

/// How new upstream versions are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the file format has these switches"
)]
pub struct Update {
    /// Whether anybody looks.
    pub enabled: bool,
    /// Whether a person must make the change.
    pub manual: bool,
    /// Whether versions are taken one after the other.
    pub require_sequential: bool,
    /// Whether dependents are rebuilt with it.
    pub shared: bool,
    /// Whether pre-releases count.
    pub enable_prerelease_tags: bool,
    /// What stands for `.` in upstream's versions.
    pub version_separator: Option<String>,
    /// Versions to pass over, as regular expressions.
    pub ignore_regex_patterns: Vec<String>,
    /// release-monitoring.org.
    pub release_monitor: Option<ReleaseMonitor>,
    /// Releases or tags on GitHub.
    pub github: Option<GitHubMonitor>,
    /// Tags of the git repository the recipe checks out.
    pub git: Option<TagFilter>,
    /// Tags of an image.
    pub oci: Option<OciMonitor>,
    /// A version put together from version streams.
    pub version_data: Option<VersionDataMonitor>,
    /// From upstream's version to the package's, in order.
    pub version_transform: Vec<VersionTransform>,
    /// Why nobody looks.
    pub exclude_reason: Option<String>,
    /// When somebody looks.
    pub schedule: Option<Schedule>,
}

/// Which tags or versions count, and what is cut from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// Cut from the front.
    pub strip_prefix: Option<String>,
    /// Cut from the end.
    pub strip_suffix: Option<String>,
    /// Only those starting with this.
    pub prefix: Option<String>,
    /// Only those containing this.
    pub contains: Option<String>,
}

/// A project on release-monitoring.org.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseMonitor {
    /// The project's number.
    pub identifier: u64,
    /// Which versions count.
    pub filter: TagFilter,
}

/// A repository on GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitHubMonitor {
    /// `owner/name`.
    pub identifier: String,
    /// Tags rather than releases.
    pub use_tag: bool,
    /// The old form of the filter's prefix.
    pub tag_filter: Option<String>,
    /// Which tags count.
    pub filter: TagFilter,
}

/// Tags of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OciMonitor {
    /// The image's reference.
    pub identifier: String,
    /// Which tags count.
    pub filter: TagFilter,
}

/// A version put together from version streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionDataMonitor {
    /// The version, with `${{source.field}}`.
    pub format: String,
    /// The streams.
    pub sources: Vec<VersionDataSource>,
}

/// A version stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionDataSource {
    /// The name the format uses.
    pub name: String,
    /// The stream: `12.6`.
    pub stream: String,
    /// Versions to pass over, as regular expressions.
    pub ignore: Vec<String>,
    /// Whose commits count.
    pub commit_source: Option<String>,
    /// Releases rather than tags.
    pub use_release: bool,
}

/// From upstream's version to the package's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionTransform {
    /// A regular expression.
    pub pattern: String,
    /// What it becomes.
    pub replace: String,
}

/// When somebody looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Why not whenever.
    pub reason: Option<String>,
    /// How often.
    pub period: Option<Period>,
}

/// How often somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}
