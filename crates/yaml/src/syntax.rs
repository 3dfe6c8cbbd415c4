//! Texts that are no YAML: from the scanner's words to ours, and what mends each.

/// A text that is no YAML: what the scanner says of it in part, what we say, and what to do.
const SYNTAX: &[[&str; 3]] = &[
    [
        "unclosed quote",
        "the quote does not end",
        "write the same quote again where the text ends; within ' ' a quote is written ''",
    ],
    [
        "escape",
        "there is no such escape in double quotes",
        BACKSLASH_HELP,
    ],
    ["surrogate", "half a character is no text", BACKSLASH_HELP],
    [
        "quote",
        "",
        "write the same quote again where the text ends; within ' ' a quote is written ''",
    ],
    ["unclosed bracket", "", BRACKET_HELP],
    [
        "YAML directive",
        "the line is no directive of YAML",
        DIRECTIVE_HELP,
    ],
    [
        "<document start>",
        "the document does not begin here: there are directives above",
        "write a line `---` between the lines that begin with % and the document",
    ],
    ["directive", "", DIRECTIVE_HELP],
    [
        "anchor or alias",
        "* and & begin the name of an anchor",
        "put text that begins with * or & in quotes",
    ],
    [
        "unexpected character",
        "no text begins with this character without quotes",
        "put the text in quotes",
    ],
    [
        "block scalar",
        "the text beneath is not announced like this",
        "write | or > at the end of the line, with - or + behind it or nothing, and the text indented beneath",
    ],
    ["verbatim tag", "the tag does not end", TAG_HELP],
    [
        "!!binary",
        "it is no base64",
        "take the tag !!binary away, or write base64 behind it",
    ],
    [
        "tagged scalar",
        "text is needed here, and the tag says that it is none",
        TAG_HELP,
    ],
    ["recursion", "", DEPTH_HELP],
    ["tab", "", TABS_HELP],
    ["flow", "", BRACKET_HELP],
    ["',' or", "", BRACKET_HELP],
];
pub(crate) const TABS_HELP: &str = "write spaces in place of the tab";
pub(crate) const DEPTH_HELP: &str = "nest less deeply";
const BACKSLASH_HELP: &str = "write \\\\ for a backslash, or put the text in ' ' quotes, where it is a character like others";
const BRACKET_HELP: &str = "close the bracket, and put commas between its items";
const DIRECTIVE_HELP: &str = "take the line away: nothing needs it";
pub(crate) const TAG_HELP: &str = "take the tag away; text that begins with ! goes in quotes";

/// What may be wrong with a text that is no YAML, by the scanner's words: ours, and what to do.
pub(crate) fn syntax(words: &str) -> (Option<&'static str>, &'static str) {
    let known = SYNTAX.iter().find(|[part, ..]| words.contains(part));
    match known {
        Some([_, "", help]) => (None, help),
        Some([_, ours, help]) => (Some(ours), help),
        None => (
            None,
            "put the line exactly under the others of its list or mapping, and text with `: ` or ` #` \
             in quotes",
        ),
    }
}
