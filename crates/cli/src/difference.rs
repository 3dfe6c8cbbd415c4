//! Two texts side by side, as `patch` takes it: texts whose lines differ in white space, and in how
//! many of them are blank.

/// So many equal lines are shown around those that differ.
const AROUND: usize = 3;

/// A line of either text, or of both.
#[derive(Clone, Copy)]
struct Line<'t> {
    mark: char,
    text: &'t str,
}

/// The difference in unified form; nothing where there is none.
pub(crate) fn difference(name: &str, before: &str, now: &str) -> String {
    let lines = aligned(before, now);
    let mut parts: Vec<String> = Vec::new();
    let (mut old, mut new, mut at) = (1, 1, 0);
    while let Some(rest) = lines.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(next) = rest.iter().position(|line| line.mark != ' ') else {
            break;
        };
        let first = next.saturating_sub(AROUND);
        let count = first + hunk(rest.get(first..).unwrap_or_default());
        old += first;
        new += first;
        let lines = rest.get(first..count).unwrap_or_default();
        let of = |mark| lines.iter().filter(|line| line.mark != mark).count();
        let (taken, put) = (of('+'), of('-'));
        if parts.is_empty() {
            parts.push(format!("--- {name}\n+++ {name}\n"));
        }
        parts.push(format!("@@ -{old},{taken} +{new},{put} @@\n"));
        for Line { mark, text: line } in lines {
            let end = if line.ends_with('\n') {
                ""
            } else {
                "\n\\ No newline at end of file\n"
            };
            parts.push(format!("{mark}{line}{end}"));
        }
        old += taken;
        new += put;
        at += count;
    }
    parts.concat()
}

/// How many of the lines belong to what begins with them: to the last that differs with no more
/// than twice as many equal ones before it as are shown.
fn hunk(lines: &[Line<'_>]) -> usize {
    let mut last = 0;
    let differ = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.mark != ' ');
    for (number, _) in differ {
        if last > 0 && number - last > 2 * AROUND {
            break;
        }
        last = number + 1;
    }
    (last + AROUND).min(lines.len())
}

/// The lines of both texts, those that say the same beside one another.
fn aligned<'t>(before: &'t str, now: &'t str) -> Vec<Line<'t>> {
    let mut lines = Vec::new();
    let (mut removed, mut added): (Vec<Line<'t>>, Vec<Line<'t>>) = (Vec::new(), Vec::new());
    let mut old = before.split_inclusive('\n').peekable();
    let mut new = now.split_inclusive('\n').peekable();
    let minus = |text| Line { mark: '-', text };
    let plus = |text| Line { mark: '+', text };
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (None, None) => break,
            (Some(one), Some(two)) if one == two => {
                lines.append(&mut removed);
                lines.append(&mut added);
                lines.push(Line {
                    mark: ' ',
                    text: one,
                });
                old.next();
                new.next();
            }
            (Some(one), Some(two)) if one.trim() == two.trim() => {
                removed.extend(old.next().map(minus));
                added.extend(new.next().map(plus));
            }
            (_, Some(two)) if two.trim().is_empty() => added.extend(new.next().map(plus)),
            (Some(_), _) => removed.extend(old.next().map(minus)),
            (None, Some(_)) => added.extend(new.next().map(plus)),
        }
    }
    lines.append(&mut removed);
    lines.append(&mut added);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_what_is_around() {
        let before = "1\n2\n3\n4\n  5\n6\n7\n8\n9\n10\n11\n12\n13\n14";
        let now = "1\n2\n3\n4\n 5\n6\n7\n8\n9\n10\n11\n12\n\n13\n14\n";
        insta::assert_snapshot!(difference("x.yaml", before, now), @r"
        --- x.yaml
        +++ x.yaml
        @@ -2,7 +2,7 @@
         2
         3
         4
        -  5
        + 5
         6
         7
         8
        @@ -10,5 +10,6 @@
         10
         11
         12
        +
         13
        -14
        \ No newline at end of file
        +14
        ");
        assert_eq!(difference("x.yaml", now, now), "");
    }
}
