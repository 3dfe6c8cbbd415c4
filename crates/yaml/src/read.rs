//! The one way in: text to typed value, within budgets.
//!
//! What is refused beyond what the caller's types refuse: files over [`MAX_BYTES`], nesting over
//! [`MAX_DEPTH`], control characters, several documents, duplicate keys (`3` and `0x3` are one
//! key), tags of applications, booleans other than `true` and `false`, and anchors
//! whose uses would expand to more than twice [`MAX_BYTES`]. Merge keys are YAML 1.1's: `<<: *a` adds
//! the keys of `&a` that are not written beside it.

use serde::de::DeserializeOwned;
use serde_saphyr::granit_parser::{Event, Parser};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Options};

use crate::error::{EXPANSION_HELP, explain};
use crate::{Error, Place};

/// The longest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The deepest nesting of lists and mappings.
///
/// Real recipes go 12 deep. Reading recurses, and an unoptimised build takes some 25 KB of
/// stack a level, so that 40 levels fit a thread of 2 MiB, which overflowed at 100.
pub const MAX_DEPTH: usize = 40;

/// What is wrong with a file in which nothing is written.
pub const EMPTY: &str = "the file is empty";

pub(crate) const TOO_LARGE_HELP: &str =
    "check that it is the file you mean; if it is, make several smaller ones of it";

/// The most uses of anchors.
const MAX_ALIASES: usize = 1_000;

/// The most nodes that uses of anchors may expand to.
const MAX_REPLAYED: usize = 50_000;

/// What a node costs beside its text, in bytes, when expansions are weighed.
const NODE_COST: usize = 16;

/// Reads one YAML document into `T`. `file` is only for messages.
///
/// Scalars stay as written where the type wants text (`3.10`, `true`, `0x1F`); null is `None`,
/// and [`or_default`](crate::or_default) makes it the type's default.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Error> {
    check_text(file, text)?;
    check_expansion(file, text)?;
    serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| explain(file, text, &error))
}

pub(crate) fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_REPLAYED,
            max_recorded_anchor_bytes: 2 * MAX_BYTES,
            max_documents: 1,
            max_events: MAX_BYTES,
            max_nodes: MAX_BYTES,
            max_total_scalar_bytes: 2 * MAX_BYTES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 16,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// What can be said before parsing: size, control characters, whether there is anything at all.
fn check_text(file: &str, text: &str) -> Result<(), Error> {
    let whole = || Place {
        file: file.to_owned(),
        ..Place::default()
    };
    if text.len() > MAX_BYTES {
        let message = format!(
            "the file has {} bytes; the limit is {MAX_BYTES}",
            text.len()
        );
        return Err(Error::new(whole(), message).helped(TOO_LARGE_HELP));
    }
    let is_banned = |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Some(at) = text.find(is_banned) {
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let code = text
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, u32::from);
        let place = Place::new(file, text, narrow(line), narrow(column));
        let message = format!("the character U+{code:04X} is not allowed in YAML");
        return Err(Error::new(place, message).helped("take the character away"));
    }
    let is_blank = |line: &str| {
        let line = line.trim_matches(['\u{feff}', ' ', '\t', '\r']);
        line.is_empty() || line.starts_with('#') || matches!(line, "---" | "...")
    };
    if text.lines().all(is_blank) {
        let empty = Error::new(Place::new(file, text, 1, 1), EMPTY);
        return Err(empty.helped("write keys and values, each on a line of its own: `name: text`"));
    }
    Ok(())
}

/// Weighs what the uses of anchors would expand to, without expanding them.
fn check_expansion(file: &str, text: &str) -> Result<(), Error> {
    if !(text.contains('&') && text.contains('*')) {
        return Ok(());
    }
    let mut total = 0_usize;
    let mut costs: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    // A syntax error ends the weighing; the reading proper reports it.
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let before = total;
        let added = match &event {
            Event::Scalar(text, ..) => text.len() + NODE_COST,
            Event::SequenceStart(..) | Event::MappingStart(..) => NODE_COST,
            Event::Alias(anchor) => costs.get(anchor).copied().unwrap_or(0) + NODE_COST,
            _ => 0,
        };
        total = total.saturating_add(added);
        match event {
            Event::Scalar(_, _, anchor, _) => {
                costs.insert(anchor, total - before);
            }
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                open.push((anchor, before));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((anchor, start)) = open.pop() {
                    costs.insert(anchor, total - start);
                }
            }
            Event::Alias(_) if total > text.len() * (1 + NODE_COST) + 2 * MAX_BYTES => {
                let start = span.start;
                let place = Place::new(file, text, narrow(start.line()), narrow(start.col() + 1));
                let error = Error::new(place, "the anchors expand to too much");
                return Err(error.helped(EXPANSION_HELP));
            }
            _ => {}
        }
    }
    Ok(())
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{Spanned, or_default};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Doc {
        #[serde(default)]
        name: Option<Spanned<Option<String>>>,
        #[serde(default)]
        version: Option<String>,
        #[serde(default, deserialize_with = "or_default")]
        list: Vec<Spanned<Option<String>>>,
        #[serde(default, deserialize_with = "or_default")]
        map: BTreeMap<String, Spanned<Option<String>>>,
        #[serde(default, deserialize_with = "or_default")]
        flag: bool,
        #[serde(default, deserialize_with = "or_default")]
        count: u32,
        #[serde(default, deserialize_with = "or_default")]
        sub: Vec<Self>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only how deep it goes is looked at")]
    struct Nest(Vec<Self>);

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the failure is looked at")]
    struct Strict {
        needed: String,
    }

    fn error(text: &str) -> String {
        parse::<Doc>("f.yaml", text)
            .map_or_else(|error| error.to_string(), |doc| format!("{doc:?}"))
    }

    #[test]
    fn what_is_written_stays_what_it_looks_like() {
        let doc: Doc = parse(
            "f.yaml",
            "name: 3.10\nlist: [1.0, true, yes, 0x1F, 010, ~, null, '~']\nmap: {3.10: 1, 3.1: 2}\n",
        )
        .unwrap();
        let list: Vec<_> = doc.list.iter().map(|item| item.value.as_deref()).collect();
        assert_eq!(doc.name.unwrap().value.as_deref(), Some("3.10"));
        let expected = [
            Some("1.0"),
            Some("true"),
            Some("yes"),
            Some("0x1F"),
            Some("010"),
            None,
            None,
            Some("~"),
        ];
        assert_eq!(list, expected);
        assert_eq!(doc.map.keys().collect::<Vec<_>>(), ["3.1", "3.10"]);
    }

    #[test]
    fn nothing_is_the_default() {
        assert_eq!(
            parse::<Doc>("f.yaml", "list:\nmap: ~\nflag:\ncount: null\nname:").unwrap(),
            Doc::default()
        );
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = "\u{feff}name: é\r\nmap:\r\n  a: |\r\n    one\r\n  ü:   'two'\r\nlist:\n- x\n";
        let doc: Doc = parse("f.yaml", text).unwrap();
        let name = doc.name.unwrap();
        assert_eq!((name.line, name.column), (1, 7));
        let map: Vec<_> = doc
            .map
            .values()
            .map(|value| (value.line, value.column))
            .collect();
        assert_eq!(map, [(4, 5), (5, 8)]);
        assert_eq!((doc.list[0].line, doc.list[0].column), (7, 3));
    }

    #[test]
    fn errors_say_where_and_what_instead() {
        let mut all = String::new();
        for text in [
            "versoin: 3",
            "sub:\n  - flga: true\n",
            "nothing-like-it: 1",
            "name: a\nname: b\n",
            "map: {0x3: a, 3: b}",
            "flag: yes",
            "count: -1",
            "name: [a]",
            "list: a",
            "- a",
            "name: a\n---\nname: b\n",
            "list:\n\t- a\n",
            "name: |\n  a\n \tb\n",
            "name: |\n\n\t\ta\n",
            "name: a\u{0}b",
            "name: 'a",
            "name: {a",
            "name: *x",
            "<<: name",
            "<<: {nmae: a}",
            "name: !secret a",
            "",
            "# only\n---\n# comments\n",
        ] {
            all += &error(text);
            all.push('\n');
        }
        all += &parse::<Strict>("f.yaml", "a: 1\nb: 2")
            .unwrap_err()
            .to_string();
        insta::assert_snapshot!(all, @"
        f.yaml:1:1: unknown key 'versoin'; did you mean 'version'?
        f.yaml:2:5: unknown key 'flga'; did you mean 'flag'?
        f.yaml:1:1: unknown key 'nothing-like-it': known here are name, version, list, map, flag, count, sub
        f.yaml:2:1: the key 'name' is written twice
        f.yaml:1:15: the key '3' is written twice
        f.yaml:1:7: write true or false
        f.yaml:1:8: a whole number from 0 to 4294967295 is needed here
        f.yaml:1:7: text is needed here
        f.yaml:1:7: a list is needed here
        f.yaml:1:1: a mapping is needed here: keys and values
        f.yaml:2:1: a second document starts here: a file holds one
        f.yaml:2:1: YAML is indented with spaces, not tabs: tabs disallowed within this context (block indentation)
        f.yaml:3:2: YAML is indented with spaces, not tabs: while parsing a block mapping, did not find expected key
        f.yaml:3:1: YAML is indented with spaces, not tabs: while parsing a block mapping, did not find expected key
        f.yaml:1:8: the character U+0000 is not allowed in YAML
        f.yaml:1:7: the quote does not end
        f.yaml:1:7: text is needed here
        f.yaml:1:7: the alias names no anchor before it
        f.yaml:1:5: a merge key (<<) takes a mapping, or a list of mappings
        f.yaml:1:6: unknown key 'nmae'; did you mean 'name'?
        f.yaml:1:15: the tag '!secret' is not known
        f.yaml:1:1: the file is empty
        f.yaml:1:1: the file is empty
        f.yaml:2:1: the key 'needed' is missing
        ");
    }

    /// YAML 1.1's merge type: what is written wins, then the earlier of several mappings.
    #[test]
    fn merge_keys_add_what_is_not_written() {
        let text = "sub:\n- &a {name: a, version: '1', map: {k: a}}\n- &b {name: b, count: 2}\n\
            - {version: '3', <<: *a}\n- <<: [*b, *a]\n  map:\n    l: own\n- <<: *a\n  version: '4'\n";
        let doc: Doc = parse("f.yaml", text).unwrap();
        let name = |doc: &Doc| doc.name.as_ref().unwrap().value.clone().unwrap();
        let [_, _, flow, both, block] = doc.sub.as_slice() else {
            panic!("{doc:?}");
        };
        assert_eq!(
            (name(flow), flow.version.as_deref()),
            ("a".to_owned(), Some("3"))
        );
        assert_eq!(flow.map["k"].value.as_deref(), Some("a"));
        assert_eq!(
            (name(both), both.version.as_deref()),
            ("b".to_owned(), Some("1"))
        );
        assert_eq!(
            (both.count, both.map.keys().collect::<Vec<_>>()),
            (2, vec![&"l".to_owned()])
        );
        assert_eq!(block.version.as_deref(), Some("4"));
        let place = flow.name.as_ref().unwrap();
        assert_eq!((place.line, place.column), (4, 22));
    }

    #[test]
    fn merge_keys_are_weighed_as_aliases_are() {
        let mut text = "map: &m0 {k: v}\n".to_owned();
        for level in 0..30 {
            let next = level + 1;
            let line =
                format!("x{level}: &m{next} {{a: {{<<: *m{level}}}, b: {{<<: *m{level}}}}}\n");
            text += &line;
        }
        let error = parse::<Doc>("f.yaml", &text);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("expand to too much")
        );
    }

    /// Place, words and advice of each text's error.
    fn advised(texts: &[&str]) -> String {
        let mut all = String::new();
        for text in texts {
            let error = parse::<Doc>("f.yaml", text).unwrap_err();
            let help = error.advice().unwrap();
            all += &[
                &error.place().to_string(),
                ": ",
                &error.message,
                ": ",
                &help,
                "\n",
            ]
            .concat();
        }
        all
    }

    #[test]
    fn what_is_no_yaml_is_told_in_our_words() {
        let said = advised(&[
            "name: !!int 3",
            "name: !!binary '@'",
            "name: !<tag a",
            "name: @a",
            "name: &",
            "name: |9x\n  a",
            "name: \"\\q\"",
            "name: \"\\ud800\"",
            "map: {name: a",
            "%YAML 9\n---\nname: a",
            "%YAML 1.2\nname: a",
        ]);
        insta::assert_snapshot!(said, @r#"
        f.yaml:1:13: text is needed here, and the tag says that it is none: take the tag away; text that begins with ! goes in quotes
        f.yaml:1:16: it is no base64: take the tag !!binary away, or write base64 behind it
        f.yaml:1:7: the tag does not end: take the tag away; text that begins with ! goes in quotes
        f.yaml:1:7: no text begins with this character without quotes: put the text in quotes
        f.yaml:1:7: * and & begin the name of an anchor: put text that begins with * or & in quotes
        f.yaml:1:7: the text beneath is not announced like this: write | or > at the end of the line, with - or + behind it or nothing, and the text indented beneath
        f.yaml:1:7: there is no such escape in double quotes: write \\ for a backslash, or put the text in ' ' quotes, where it is a character like others
        f.yaml:1:7: half a character is no text: write \\ for a backslash, or put the text in ' ' quotes, where it is a character like others
        f.yaml:1:6: unclosed bracket '{': close the bracket, and put commas between its items
        f.yaml:1:1: the line is no directive of YAML: take the line away: nothing needs it
        f.yaml:2:1: the document does not begin here: there are directives above: write a line `---` between the lines that begin with % and the document
        "#);
    }

    #[test]
    fn errors_say_what_to_do_next() {
        let said = advised(&[
            "versoin: 3",
            "nothing-like-it: 1",
            "name: a\nname: b\n",
            "flag: yes",
            "count: -1",
            "name: [a]",
            "list: a",
            "list:\n  name: a\n",
            "map:\n- a\n",
            "- a",
            "name: a\n---\nname: b\n",
            "list:\n\t- a\n",
            "name: |\n  a\n \tb\n",
            "name: |\n\n\t\ta\n",
            "name: a\u{0}b",
            "name: 'a",
            "name: {a",
            "list:\n  - a\n b: c\n",
            "name: *x",
            "name: !secret a",
            "",
        ]);
        insta::assert_snapshot!(said, @r#"
        f.yaml:1:1: unknown key 'versoin': did you mean 'version'?
        f.yaml:1:1: unknown key 'nothing-like-it': known here are name, version, list, map, flag, count, sub: correct the key, or take it away
        f.yaml:2:1: the key 'name' is written twice: keep one of them: the other would be lost
        f.yaml:1:7: write true or false: write true or false, without quotes
        f.yaml:1:8: a whole number from 0 to 4294967295 is needed here: write a whole number after `count:`, in digits alone
        f.yaml:1:7: text is needed here: write `name: "text"`
        f.yaml:1:7: a list is needed here: begin each item beneath `list:` with a dash: `- item`
        f.yaml:2:3: a list is needed here: begin each item beneath `list:` with a dash: `- item`
        f.yaml:2:3: a mapping is needed here: keys and values: write keys with values beneath `map:`, each on a line of its own: `name: text`
        f.yaml:1:1: a mapping is needed here: keys and values: write keys with values, each on a line of its own: `name: text`
        f.yaml:2:1: a second document starts here: a file holds one: put each document into a file of its own
        f.yaml:2:1: YAML is indented with spaces, not tabs: tabs disallowed within this context (block indentation): write spaces in place of the tab
        f.yaml:3:2: YAML is indented with spaces, not tabs: while parsing a block mapping, did not find expected key: write spaces in place of the tab
        f.yaml:3:1: YAML is indented with spaces, not tabs: while parsing a block mapping, did not find expected key: write spaces in place of the tab
        f.yaml:1:8: the character U+0000 is not allowed in YAML: take the character away
        f.yaml:1:7: the quote does not end: write the same quote again where the text ends; within ' ' a quote is written ''
        f.yaml:1:7: text is needed here: write `name: "text"`
        f.yaml:3:2: while parsing a block mapping, did not find expected key: put the line exactly under the others of its list or mapping, and text with `: ` or ` #` in quotes
        f.yaml:1:7: the alias names no anchor before it: put text that begins with * in quotes, or name it with & further up
        f.yaml:1:15: the tag '!secret' is not known: take the tag away; text that begins with ! goes in quotes
        f.yaml:1:1: the file is empty: write keys and values, each on a line of its own: `name: text`
        "#);
    }

    #[test]
    fn what_is_missing_is_missed_beneath_its_key() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only the failure is looked at")]
        struct Outer {
            strict: Strict,
        }
        let told = |text: &str| {
            let error = parse::<Outer>("f.yaml", text).unwrap_err();
            format!("{error}: {}", error.advice().unwrap())
        };
        let all: Vec<_> = [
            "strict:\n\n  # a comment\n  other: a\n",
            "a: 1\nstrict: {other: a}\n",
            "a: 1\n",
            "strict:\n  a: b\n needed: c\n",
        ]
        .map(told)
        .into();
        insta::assert_snapshot!(all.join("\n"), @r#"
        f.yaml:1:1: the key 'needed' is missing: add the line `needed: …` beneath `strict:`
        f.yaml:2:1: the key 'needed' is missing: add the line `needed: …` beneath `strict:`
        f.yaml:1:1: the key 'strict' is missing: add the line `strict: …`
        f.yaml:3:2: while parsing a block mapping, did not find expected key: put the line exactly under the others of its list or mapping, and text with `: ` or ` #` in quotes
        "#);
    }

    #[test]
    fn the_line_itself_is_kept() {
        let error = parse::<Doc>("f.yaml", "name: a\n  versoin: b # é\n").unwrap_err();
        assert_eq!(error.snippet, "  versoin: b # é");
        let long = format!("versoin: {}", "x".repeat(10_000));
        assert_eq!(
            parse::<Doc>("f.yaml", &long).unwrap_err().snippet.len(),
            Place::SNIPPET_CHARS
        );
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| format!("sub: {}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(error(&deep(10_000)).contains("nested too deeply"));
        assert!(error(&format!("map: {}", "{a: ".repeat(10_000))).contains("f.yaml:1:"));
        for text in [
            "- ".repeat(10_000),
            "[".repeat(10_000),
            "- ".repeat(MAX_BYTES / 2),
        ] {
            let error = parse::<Nest>("f.yaml", &text).unwrap_err().to_string();
            assert!(error.contains("nested too deeply"), "{error}");
        }
        let nested = |levels: usize| {
            let lines: Vec<_> = (0..levels)
                .map(|level| format!("{}- sub:\n", "    ".repeat(level)))
                .collect();
            lines.concat()
        };
        assert!(parse::<Vec<Doc>>("f.yaml", &nested(19)).is_ok());
        assert!(
            parse::<Vec<Doc>>("f.yaml", &nested(22))
                .unwrap_err()
                .message
                .contains("nested")
        );
    }

    #[test]
    fn size_is_bounded() {
        let comment = |bytes: usize| format!("name: a\n#{}\n", "x".repeat(bytes - 10));
        assert!(parse::<Doc>("f.yaml", &comment(MAX_BYTES)).is_ok());
        assert!(error(&comment(MAX_BYTES + 1)).contains("the limit is 4194304"));
    }

    #[test]
    fn expansion_is_bounded() {
        let level = |level: usize| {
            let uses = vec![format!("*a{}", level - 1); 10].join(",");
            format!("  a{level}: &a{level} [{uses}]\n")
        };
        let levels: Vec<_> = (1..12).map(level).collect();
        let bomb = format!("map:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{}", levels.concat());
        assert!(error(&bomb).contains("the anchors expand to too much"));
        let heavy = format!(
            "name: &a {}\nlist: [{}]\n",
            "x".repeat(3 << 20),
            ["*a"; 90].join(",")
        );
        assert!(error(&heavy).contains("the anchors expand to too much"));
        let many = format!("name: &a x\nlist: [{}]\n", vec!["*a"; 2_000].join(","));
        assert!(error(&many).contains("the anchors expand to too much"));
        let few = "name: &a x\nlist: [*a, *a]\n";
        assert_eq!(parse::<Doc>("f.yaml", few).unwrap().list.len(), 2);
        assert!(error("sub: &a [{sub: *a}]").contains("f.yaml:1:"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,80}") {
            if let Err(error) = parse::<Doc>("f.yaml", &text) {
                prop_assert!(error.to_string().starts_with("f.yaml"));
            }
        }

        #[test]
        fn no_structure_panics(text in "[a-c&*:{}\\[\\],\\- \n\t!|>'\"#?<~%@0-9.]{0,60}") {
            if let Err(error) = parse::<Doc>("f.yaml", &text) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }

        #[test]
        fn plain_scalars_are_kept(text in "[0-9][0-9a-fxoE._+-]{0,10}") {
            let doc: Doc = parse("f.yaml", &format!("version: {text}")).unwrap();
            prop_assert_eq!(doc.version, Some(text));
        }
    }
}
