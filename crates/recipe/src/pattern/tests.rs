//! Tests of patterns. The expected values are what Go 1.25 says.

use proptest::prelude::*;

use super::*;

fn replaced(pattern: &str, text: &str, replacement: &str) -> String {
    let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
    let replacement = Replacement::parse(replacement).unwrap();
    let result = pattern.replace_all(text, &replacement, &Fuel::default(), 1 << 20);
    result.unwrap()
}

#[test]
fn versions_are_mangled() {
    let check = |pattern: &str, replacement: &str, text: &str, expected: &str| {
        assert_eq!(replaced(pattern, text, replacement), expected, "{pattern}");
    };
    check(r"^(\d+\.\d+)\.\d+$", "$1", "3.14.2", "3.14");
    check(r"^ruby(\d\.\d+)-.*", "$1", "ruby3.4-rest-client", "3.4");
    check(r"\.", "_", "1.2.3", "1_2_3");
    check(r"(.*)", "${1}t", "1.2", "1.2t");
    check(r"\.(\d+)$", "+k3s$1", "1.33.4.1", "1.33.4+k3s1");
    check(
        r"^(?P<major>\d+)\.(?<minor>\d+)",
        "${minor}.$major",
        "1.22-x",
        "22.1-x",
    );
    check(r"a*", "-", "baaac", "-b-c-");
    check(r"^", "v", "1", "v1");
    check(r"", "-", "é1", "-é-1-");
    check(r"x", "y", "none", "none");
}

#[test]
fn templates_are_gos() {
    let check = |replacement: &str, expected: &str| {
        assert_eq!(
            replaced(r"(?P<n>b)(x)?", "abc", replacement),
            expected,
            "{replacement}"
        );
    };
    check("[$0]", "a[b]c");
    check("[$1x]", "a[]c");
    check("[${1}x]", "a[bx]c");
    check("[$n]", "a[b]c");
    check("[$2$3$no${no}]", "a[]c");
    check("[$01]", "a[]c");
    check("[$$1]", "a[$1]c");
    check("[$ ${ ${} ${n $-]$", "a[$ ${ ${} ${n $-]$c");
    check("${{host.triplet.gnu}}", "a${{host.triplet.gnu}}c");
    let error = Replacement::parse("$1é").unwrap_err();
    assert_eq!(error.name, "1");
}

#[test]
fn what_the_languages_spell_differently_means_the_same() {
    let check = |pattern: &str, text: &str, expected: &str| {
        assert_eq!(replaced(pattern, text, "-"), expected, "{pattern}");
    };
    // ASCII alone.
    check(r"\d", "1٣", "-٣");
    check(r"\w", "aé_", "-é-");
    check(r"\s", "a\u{a0} \x0bb", "a\u{a0}-\x0bb");
    check(r"\bé", "é", "é");
    check(r"[\D]", "1a", "1-");
    check(r"(?i)k", "\u{212a}kK", "---");
    // No operations on sets, no nested classes.
    check(r"[a&&b]", "a&bc", "---c");
    check(r"[!--]", "!-b", "--b");
    check(r"[[a]", "[ab", "--b");
    check(r"[]a]", "]ab", "--b");
    check(r"[^]a]", "]ab", "]a-");
    check(r"[a~~b]", "~", "-");
    check(r"[[:alpha:]_]", "a_1", "--1");
    check(r"[[:^digit:]]", "a1", "-1");
    check(r"[a\-z]", "-m", "-m");
    check(r"[\d-x]", "5-x", "---");
    // Quoted, counted, numbered.
    check(r"\Qa.b\E+", "a.bba.c", "-a.c");
    check(r"\Q[", "[", "-");
    check(r"a{,2}", "a{,2}a", "-a");
    check(r"a{1}{", "a{", "-");
    check(r"{}", "{}", "-");
    check(r"a{2,3}?", "aaaa", "--");
    check(r"\x41\x{1F600}\101\-\_", "A\u{1f600}A-_", "-");
    check(r"\pL\p{^Greek}\P{Lu}", "xyzα", "-α");
    check(r"(?s).(?-s:.)", "\na\n\n", "-\n\n");
    check(r"(?m)^a$", "a\nb\na", "-\nb\n-");
    check(r"a$", "a\n", "a\n");
    check(r"a\z|\Ab", "bba", "-b-");
    check(r"(?U)a+", "aa", "--");
    check(r"(?)a(?:)|()x", "a", "-");
}

/// Texts that are no patterns.
const WRONG: &[&str] = &[
    "(",
    "a)",
    "[a",
    "[b-a]",
    "*",
    "a|*",
    "a**",
    "a+*",
    "a{2}{3}",
    "a{1001}",
    "a{3,2}",
    r"\1",
    r"\8",
    r"\C",
    r"\Z",
    r"\q",
    r"\é",
    r"a\",
    "(?<1>a)",
    "(?<a",
    "(?=a)",
    "(?!a)",
    "(?x)a",
    "(?-)",
    "(?i",
    r"\pX",
    r"\p{Nope}",
    r"\p{a b}",
    r"\p",
    "[[:nope:]]",
    r"\x{110000}",
    r"\xg0",
    r"[\b]",
    "((a{1000}){1000}){1000}",
    r"\pL{500}",
];

#[test]
fn what_is_no_pattern_says_where() {
    let mut all = String::new();
    for pattern in WRONG {
        let error = Pattern::parse(pattern)
            .map(|found| found.regex)
            .unwrap_err();
        let at = error.at.to_string();
        all.extend([pattern, "  ", &at, ": ", error.rule, "\n"]);
    }
    insta::assert_snapshot!(all, @r#"
    (  1: ')' is missing
    a)  2: this ')' closes nothing
    [a  2: ']' is missing
    [b-a]  4: a range goes from the lower to the higher character
    *  1: there is nothing to repeat, or only flags
    a|*  3: there is nothing to repeat, or only flags
    a**  3: a repetition cannot be repeated
    a+*  3: a repetition cannot be repeated
    a{2}{3}  7: a repetition cannot be repeated
    a{1001}  2: a repetition counts upwards, to at most 1000
    a{3,2}  2: a repetition counts upwards, to at most 1000
    \1  2: there are no references to groups
    \8  2: there are no references to groups
    \C  2: this escape is not known
    \Z  2: this escape is not known
    \q  2: this escape is not known
    \é  2: this escape is not known
    a\  2: '\' at the end escapes nothing
    (?<1>a)  5: a group's name is letters, digits and '_', and no digit first
    (?<a  3: a group's name is letters, digits and '_', and no digit first
    (?=a)  3: only the flags i, m, s and U are known, and no look-around
    (?!a)  3: only the flags i, m, s and U are known, and no look-around
    (?x)a  3: only the flags i, m, s and U are known, and no look-around
    (?-)  4: '-' takes no flag away
    (?i  3: only the flags i, m, s and U are known, and no look-around
    \pX  1: this is no class of characters
    \p{Nope}  1: this is no class of characters
    \p{a b}  7: this is no class of characters
    \p  2: a class of characters is missing
    [[:nope:]]  9: this is no class of characters
    \x{110000}  10: this is no character's number
    \xg0  4: this is no character's number
    [\b]  3: this escape is not known here
    ((a{1000}){1000}){1000}  23: the pattern grows too large: count to less, or nest fewer repetitions
    \pL{500}  8: the pattern grows too large: count to less, or nest fewer repetitions
    "#);
}

#[test]
fn work_is_bounded() {
    let text = "x".repeat(MAX_TEXT);
    let pattern = Pattern::parse("x*?y|x").unwrap();
    let long = Replacement::parse(&"z".repeat(10_000)).unwrap();
    let fuel = Fuel::default();
    assert_eq!(
        pattern.replace_all(&text, &long, &fuel, 1 << 20),
        Err(Exhausted::TooMuchWork)
    );
    let short = "x".repeat(200);
    assert_eq!(
        pattern.replace_all(&short, &long, &fuel, 1 << 20),
        Err(Exhausted::ResultTooLong)
    );
    assert_eq!(
        pattern.replace_all(&"x".repeat(MAX_TEXT + 1), &long, &fuel, 1 << 20),
        Err(Exhausted::TextTooLong)
    );
    assert!(Pattern::parse(&"a".repeat(MAX_PATTERN + 1)).is_err());
    assert!(Pattern::parse(&"(".repeat(MAX_PATTERN)).is_err());
}

proptest! {
    #[test]
    fn every_pattern_is_read_or_refused(text in r"[ab0-9\\\[\](){}^$|*+?.,:&~dpLQE<>P=!i-]{0,24}") {
        if let Err(error) = Pattern::parse(&text) {
            prop_assert!(error.at <= text.chars().count().max(1), "{:?}", error);
        }
    }

    #[test]
    fn quoted_text_is_itself(text in ".{0,20}") {
        let literal = text.replace(r"\E", "");
        let quoted = format!(r"\Q{literal}\E");
        prop_assert_eq!(replaced(&quoted, &literal, "$0"), literal);
    }
}
