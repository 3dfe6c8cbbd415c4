//! What a template can ask of how new versions of a recipe are found.

use boltworks_recipe::parsed::{self, Text};

use super::data::{text, texts, written};
use crate::dialect::template::Data;

/// The fields of `update`, in melange's order: a template can print them all at once.
pub(super) fn update(update: &parsed::Update) -> Data {
    Data::Record(vec![
        ("Enabled", Data::Bool(update.enabled)),
        ("Manual", Data::Bool(update.manual)),
        ("RequireSequential", Data::Bool(update.require_sequential)),
        ("Shared", Data::Bool(update.shared)),
        (
            "VersionSeparator",
            written(update.version_separator.as_ref()),
        ),
        ("IgnoreRegexPatterns", texts(&update.ignore_regex_patterns)),
        (
            "ReleaseMonitor",
            any(update.release_monitor.as_ref(), release_monitor),
        ),
        ("GitHubMonitor", any(update.github.as_ref(), github)),
        ("GitMonitor", any(update.git.as_ref(), git)),
        ("OCIMonitor", any(update.oci.as_ref(), oci)),
        (
            "VersionDataMonitor",
            any(update.version_data.as_ref(), version_data),
        ),
        ("VersionTransform", transforms(&update.version_transform)),
        ("ExcludeReason", written(update.exclude_reason.as_ref())),
        ("Schedule", any(update.schedule.as_ref(), schedule)),
        (
            "EnablePreReleaseTags",
            Data::Bool(update.enable_prerelease_tags),
        ),
    ])
}

fn any<T>(value: Option<&T>, shown: impl Fn(&T) -> Data) -> Data {
    value.map_or(Data::Nil, shown)
}

/// Fields that are texts.
fn fields<const N: usize>(fields: [(&'static str, Option<&Text>); N]) -> Vec<(&'static str, Data)> {
    fields
        .into_iter()
        .map(|(name, value)| (name, written(value)))
        .collect()
}

fn release_monitor(monitor: &parsed::ReleaseMonitor) -> Data {
    let number = i64::try_from(monitor.identifier.value).unwrap_or(i64::MAX);
    let mut all = vec![("Identifier", Data::Number(number))];
    all.extend(fields([
        ("StripPrefix", monitor.strip_prefix.as_ref()),
        ("StripSuffix", monitor.strip_suffix.as_ref()),
        (
            "VersionFilterContains",
            monitor.version_filter_contains.as_ref(),
        ),
        (
            "VersionFilterPrefix",
            monitor.version_filter_prefix.as_ref(),
        ),
    ]));
    Data::Record(all)
}

fn github(monitor: &parsed::GitHubMonitor) -> Data {
    let mut all = fields([
        ("Identifier", Some(&monitor.identifier)),
        ("StripPrefix", monitor.strip_prefix.as_ref()),
        ("StripSuffix", monitor.strip_suffix.as_ref()),
        ("TagFilter", monitor.tag_filter.as_ref()),
        ("TagFilterPrefix", monitor.tag_filter_prefix.as_ref()),
        ("TagFilterContains", monitor.tag_filter_contains.as_ref()),
    ]);
    all.push(("UseTags", Data::Bool(monitor.use_tag)));
    Data::Record(all)
}

fn git(monitor: &parsed::GitMonitor) -> Data {
    Data::Record(fields([
        ("StripPrefix", monitor.strip_prefix.as_ref()),
        ("StripSuffix", monitor.strip_suffix.as_ref()),
        ("TagFilterPrefix", monitor.tag_filter_prefix.as_ref()),
        ("TagFilterContains", monitor.tag_filter_contains.as_ref()),
    ]))
}

fn oci(monitor: &parsed::OciMonitor) -> Data {
    Data::Record(fields([
        ("Identifier", Some(&monitor.identifier)),
        ("StripPrefix", monitor.strip_prefix.as_ref()),
        ("StripSuffix", monitor.strip_suffix.as_ref()),
        ("TagFilterPrefix", monitor.tag_filter_prefix.as_ref()),
        ("TagFilterContains", monitor.tag_filter_contains.as_ref()),
    ]))
}

fn version_data(monitor: &parsed::VersionDataMonitor) -> Data {
    let source = |source: &parsed::VersionDataSource| {
        Data::Record(vec![
            ("Name", text(&source.name)),
            ("Stream", text(&source.stream)),
            ("Ignore", texts(&source.ignore)),
            ("CommitSource", written(source.commit_source.as_ref())),
            ("UseRelease", Data::Bool(source.use_release)),
        ])
    };
    let sources = monitor.sources.iter().map(source).collect();
    Data::Record(vec![
        ("Format", text(&monitor.version_format)),
        ("Sources", Data::List(sources)),
    ])
}

fn transforms(all: &[parsed::VersionTransform]) -> Data {
    let transform = |transform: &parsed::VersionTransform| {
        Data::Record(fields([
            ("Match", Some(&transform.pattern)),
            ("Replace", Some(&transform.replace)),
        ]))
    };
    Data::List(all.iter().map(transform).collect())
}

fn schedule(schedule: &parsed::Schedule) -> Data {
    Data::Record(fields([
        ("Reason", schedule.reason.as_ref()),
        ("Period", schedule.period.as_ref()),
    ]))
}
