//! The `update` section. Its texts keep variables that are not known, as those for people do;
//! regular expressions are kept as they are written.

use boltworks_yaml::closest;

use super::package::Fields;
use super::scope::Scope;
use crate::parsed::{self, Text};
use crate::resolved::{
    GitHubMonitor, OciMonitor, Period, ReleaseMonitor, Schedule, TagFilter, Update,
    VersionDataMonitor, VersionDataSource, VersionTransform,
};
use crate::{Error, Problem};

/// How new upstream versions are found.
pub(super) fn update(scope: &Scope<'_>, parsed: &parsed::Update) -> Result<Update, Error> {
    let fields = Fields(scope);
    let text = |text: &Option<Text>| fields.known(text.as_ref());
    Ok(Update {
        enabled: parsed.enabled,
        manual: parsed.manual,
        require_sequential: parsed.require_sequential,
        shared: parsed.shared,
        enable_prerelease_tags: parsed.enable_prerelease_tags,
        version_separator: text(&parsed.version_separator)?,
        ignore_regex_patterns: written(&parsed.ignore_regex_patterns),
        release_monitor: parsed
            .release_monitor
            .as_ref()
            .map(|monitor| release_monitor(&fields, monitor))
            .transpose()?,
        github: parsed
            .github
            .as_ref()
            .map(|monitor| github(&fields, monitor))
            .transpose()?,
        git: parsed
            .git
            .as_ref()
            .map(|monitor| git(&fields, monitor))
            .transpose()?,
        oci: parsed
            .oci
            .as_ref()
            .map(|monitor| oci(&fields, monitor))
            .transpose()?,
        version_data: parsed.version_data.as_ref().map(version_data),
        version_transform: parsed.version_transform.iter().map(transform).collect(),
        exclude_reason: text(&parsed.exclude_reason)?,
        schedule: parsed
            .schedule
            .as_ref()
            .map(|schedule| self::schedule(scope, schedule))
            .transpose()?,
    })
}

fn release_monitor(
    fields: &Fields<'_>,
    monitor: &parsed::ReleaseMonitor,
) -> Result<ReleaseMonitor, Error> {
    Ok(ReleaseMonitor {
        identifier: monitor.identifier.value,
        filter: TagFilter {
            strip_prefix: fields.known(monitor.strip_prefix.as_ref())?,
            strip_suffix: fields.known(monitor.strip_suffix.as_ref())?,
            prefix: fields.known(monitor.version_filter_prefix.as_ref())?,
            contains: fields.known(monitor.version_filter_contains.as_ref())?,
        },
    })
}

fn github(fields: &Fields<'_>, monitor: &parsed::GitHubMonitor) -> Result<GitHubMonitor, Error> {
    Ok(GitHubMonitor {
        identifier: fields.0.fill_known(&monitor.identifier)?,
        use_tag: monitor.use_tag,
        tag_filter: fields.known(monitor.tag_filter.as_ref())?,
        filter: TagFilter {
            strip_prefix: fields.known(monitor.strip_prefix.as_ref())?,
            strip_suffix: fields.known(monitor.strip_suffix.as_ref())?,
            prefix: fields.known(monitor.tag_filter_prefix.as_ref())?,
            contains: fields.known(monitor.tag_filter_contains.as_ref())?,
        },
    })
}

fn git(fields: &Fields<'_>, monitor: &parsed::GitMonitor) -> Result<TagFilter, Error> {
    Ok(TagFilter {
        strip_prefix: fields.known(monitor.strip_prefix.as_ref())?,
        strip_suffix: fields.known(monitor.strip_suffix.as_ref())?,
        prefix: fields.known(monitor.tag_filter_prefix.as_ref())?,
        contains: fields.known(monitor.tag_filter_contains.as_ref())?,
    })
}

fn oci(fields: &Fields<'_>, monitor: &parsed::OciMonitor) -> Result<OciMonitor, Error> {
    Ok(OciMonitor {
        identifier: fields.0.fill_known(&monitor.identifier)?,
        filter: TagFilter {
            strip_prefix: fields.known(monitor.strip_prefix.as_ref())?,
            strip_suffix: fields.known(monitor.strip_suffix.as_ref())?,
            prefix: fields.known(monitor.tag_filter_prefix.as_ref())?,
            contains: fields.known(monitor.tag_filter_contains.as_ref())?,
        },
    })
}

fn version_data(monitor: &parsed::VersionDataMonitor) -> VersionDataMonitor {
    let source = |source: &parsed::VersionDataSource| VersionDataSource {
        name: source.name.as_str().to_owned(),
        stream: source.stream.as_str().to_owned(),
        ignore: written(&source.ignore),
        commit_source: source
            .commit_source
            .as_ref()
            .map(|source| source.as_str().to_owned()),
        use_release: source.use_release,
    };
    VersionDataMonitor {
        format: monitor.version_format.as_str().to_owned(),
        sources: monitor.sources.iter().map(source).collect(),
    }
}

fn transform(transform: &parsed::VersionTransform) -> VersionTransform {
    VersionTransform {
        pattern: transform.pattern.as_str().to_owned(),
        replace: transform.replace.as_str().to_owned(),
    }
}

fn schedule(scope: &Scope<'_>, schedule: &parsed::Schedule) -> Result<Schedule, Error> {
    let fields = Fields(scope);
    let period = match schedule.period.as_ref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => {
            let known = || Period::ALL.iter().map(|period| period.word());
            let found = Period::ALL
                .iter()
                .find(|period| period.word() == text.as_str());
            let unknown = || Problem::UnknownWord {
                what: "period",
                text: boltworks_model::visible_start(text, 160),
                known: known().collect::<Vec<_>>().join(", "),
                suggestion: closest(text, known()).map(str::to_owned),
            };
            Some(*found.ok_or_else(|| scope.problem(text, unknown()))?)
        }
    };
    Ok(Schedule {
        reason: fields.known(schedule.reason.as_ref())?,
        period,
    })
}

fn written(list: &[Text]) -> Vec<String> {
    list.iter().map(|text| text.as_str().to_owned()).collect()
}
