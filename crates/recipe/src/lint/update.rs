//! How new upstream versions are found.

use super::{MOST, Spot, Subject};
use crate::parsed::{Text, Update};
use crate::pattern::Pattern;

/// Nobody says how, nor why not.
pub(super) fn missing(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let update = &recipe.update;
    let name = &recipe.package.name;
    let is_reasoned = update
        .exclude_reason
        .as_ref()
        .is_some_and(|reason| !reason.trim().is_empty());
    let what = if *update == Update::default() {
        "nothing says how new versions are found"
    } else if !update.enabled && !is_reasoned {
        "nobody looks for new versions, and nothing says why"
    } else {
        return Vec::new();
    };
    vec![subject.spot(name, what)]
}

/// What is said makes no sense.
pub(super) fn monitor(subject: &Subject<'_>) -> Vec<Spot> {
    let update = &subject.recipe.update;
    let mut spots = backends(subject, update);
    spots.extend(update.github.iter().filter_map(|github| {
        let identifier = &github.identifier;
        let mut parts = identifier.split('/');
        let is_pair = parts
            .by_ref()
            .take(2)
            .filter(|part| !part.is_empty())
            .count()
            == 2
            && parts.next().is_none();
        let what = format!("'{}' is no repository on GitHub", &**identifier);
        (!is_pair).then(|| subject.spot(identifier, what).instead("OWNER/NAME"))
    }));
    spots.extend(update.schedule.iter().filter_map(|schedule| {
        let period = schedule.period.as_ref()?;
        let is_known = matches!(period.as_str(), "daily" | "weekly" | "monthly");
        let what = format!("'{}' is no period", &**period);
        (!is_known).then(|| {
            subject
                .spot(period, what)
                .instead("daily, weekly or monthly")
        })
    }));
    let transforms = update.version_transform.iter().map(|made| &made.pattern);
    let patterns = update.ignore_regex_patterns.iter().chain(transforms);
    let wrong = patterns.filter_map(|pattern| wrong_pattern(subject, pattern));
    spots.extend(wrong.take(MOST));
    spots
}

fn backends(subject: &Subject<'_>, update: &Update) -> Vec<Spot> {
    let all = [
        (update.github.is_some(), "github"),
        (update.git.is_some(), "git"),
        (update.release_monitor.is_some(), "release-monitor"),
        (update.oci.is_some(), "oci"),
        (update.version_data.is_some(), "version_data"),
    ];
    let named: Vec<&str> = all
        .into_iter()
        .filter_map(|(is_set, name)| is_set.then_some(name))
        .collect();
    let what = match named.as_slice() {
        [] if update.enabled => "`update` is enabled, and names nothing to look at".to_owned(),
        [_, _, ..] => format!("`update` names {}: one is looked at", named.join(" and ")),
        _ => return Vec::new(),
    };
    vec![subject.spot(&subject.recipe.package.name, what)]
}

fn wrong_pattern(subject: &Subject<'_>, pattern: &Text) -> Option<Spot> {
    if pattern.contains("${{") {
        return None;
    }
    let error = Pattern::parse(pattern).err()?;
    let (at, rule) = (error.at, error.rule);
    let what = format!("the pattern is not understood at character {at}: {rule}");
    Some(subject.spot(pattern, what))
}
