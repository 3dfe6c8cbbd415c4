//! What is printed of the `update` section.

use serde_json::{Map, Value};

use super::{Object, list};
use crate::resolved::{Period, TagFilter, Update, VersionDataSource, VersionTransform};

/// The section with the keys of the file format.
pub(super) fn update(update: &Update) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("enabled", update.enabled);
    object.put("manual", update.manual);
    object.put("require-sequential", update.require_sequential);
    object.put("shared", update.shared);
    object.put("version-separator", update.version_separator.as_deref());
    object.put(
        "ignore-regex-patterns",
        update.ignore_regex_patterns.as_slice(),
    );
    if let Some(monitor) = &update.release_monitor {
        let mut inner = Object::default();
        inner.put("identifier", monitor.identifier);
        filter(&monitor.filter, "version-filter", &mut inner);
        object.put("release-monitor", inner.0);
    }
    if let Some(monitor) = &update.github {
        let mut inner = Object::default();
        inner.put("identifier", monitor.identifier.as_str());
        inner.put("tag-filter", monitor.tag_filter.as_deref());
        filter(&monitor.filter, "tag-filter", &mut inner);
        inner.put("use-tag", monitor.use_tag);
        object.put("github", inner.0);
    }
    if let Some(monitor) = &update.git {
        let mut inner = Object::default();
        filter(monitor, "tag-filter", &mut inner);
        // That it is there says something, even without a filter.
        object.0.insert("git".to_owned(), Value::Object(inner.0));
    }
    if let Some(monitor) = &update.oci {
        let mut inner = Object::default();
        inner.put("identifier", monitor.identifier.as_str());
        filter(&monitor.filter, "tag-filter", &mut inner);
        object.put("oci", inner.0);
    }
    if let Some(monitor) = &update.version_data {
        let mut inner = Object::default();
        inner.put("version_format", monitor.format.as_str());
        let source = |source: &VersionDataSource| {
            let mut object = Object::default();
            object.put("name", source.name.as_str());
            object.put("stream", source.stream.as_str());
            object.put("ignore", source.ignore.as_slice());
            object.put("commit_source", source.commit_source.as_deref());
            object.put("use_release", source.use_release);
            object.0
        };
        inner.put("sources", list(&monitor.sources, source));
        object.put("version_data", inner.0);
    }
    let transform = |transform: &VersionTransform| {
        let mut object = Object::default();
        object.put("match", transform.pattern.as_str());
        object.0.insert(
            "replace".to_owned(),
            Value::from(transform.replace.as_str()),
        );
        object.0
    };
    object.put(
        "version-transform",
        list(&update.version_transform, transform),
    );
    object.put("exclude-reason", update.exclude_reason.as_deref());
    if let Some(schedule) = &update.schedule {
        let mut inner = Object::default();
        inner.put("reason", schedule.reason.as_deref());
        inner.put("period", schedule.period.map(Period::word));
        object.put("schedule", inner.0);
    }
    object.put("enable-prerelease-tags", update.enable_prerelease_tags);
    object.0
}

fn filter(filter: &TagFilter, key: &str, into: &mut Object) {
    into.put("strip-prefix", filter.strip_prefix.as_deref());
    into.put("strip-suffix", filter.strip_suffix.as_deref());
    into.put(&format!("{key}-prefix"), filter.prefix.as_deref());
    into.put(&format!("{key}-contains"), filter.contains.as_deref());
}
