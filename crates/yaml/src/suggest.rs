//! "Did you mean": the nearest of the known names.

/// The name in `known` that `text` most probably was meant to be, if any is near enough.
///
/// Near means: at most a third of the letters differ (one, for up to five letters), by
/// insertion, deletion, substitution or swap of neighbours, case and `-`/`_` ignored. Ties go
/// to the first in `known`.
pub fn closest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(text);
    // A name longer than any real key is no misspelling, and the distance is quadratic.
    if wanted.is_empty() || wanted.len() > 64 {
        return None;
    }
    let budget = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let candidate = plain(name);
        if candidate.len() > 64 || candidate.len().abs_diff(wanted.len()) > budget {
            continue;
        }
        let distance = distance(&wanted, &candidate);
        if distance <= budget && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

fn plain(text: &str) -> Vec<char> {
    text.chars()
        .map(|c| {
            if c == '_' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Optimal string alignment distance, three rows kept.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    let mut last: Option<char> = None;
    for (row, &here) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        for (column, &there) in right.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut cost = (at(&previous, column) + usize::from(here != there))
                .min(at(&previous, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column
                .checked_sub(1)
                .filter(|&left_of| last == Some(there) && right.get(left_of) == Some(&here));
            if let Some(left_of) = swapped {
                cost = cost.min(at(&before, left_of) + 1);
            }
            current.push(cost);
        }
        before = std::mem::replace(&mut previous, current);
        last = Some(here);
    }
    previous.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 6] = [
        "version",
        "epoch",
        "description",
        "working-directory",
        "runs",
        "target-architecture",
    ];

    #[test]
    fn finds_the_near_and_only_the_near() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(closest(text, KEYS), expected, "{text}");
        };
        check("versoin", Some("version"));
        check("Version", Some("version"));
        check("run", Some("runs"));
        check("rnus", Some("runs"));
        check("working_dir", None);
        check("working_directory", Some("working-directory"));
        check("descripton", Some("description"));
        check("x", None);
        check("", None);
        check(&"v".repeat(1_000_000), None);
    }

    proptest! {
        #[test]
        fn distance_is_a_distance(a in "[ab-]{0,8}", b in "[ab-]{0,8}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert!(distance(&a, &b) <= a.len().max(b.len()));
        }
    }
}
