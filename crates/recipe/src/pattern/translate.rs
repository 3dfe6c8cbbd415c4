//! From Go's language of patterns to the `regex` crate's.

use super::{MAX_COST, MAX_PATTERN, class};

/// The deepest nesting of groups.
pub(super) const MAX_NESTING: u32 = 64;

/// The most a repetition may count to, as in Go.
const MAX_REPEAT: u64 = 1000;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// The character, from 1.
    pub at: usize,
    /// What is wrong there.
    pub rule: &'static str,
}

impl PatternError {
    pub(super) fn too_big(text: &str) -> Self {
        Self {
            at: text.chars().count(),
            rule: "the pattern grows too large: count to less, or nest fewer repetitions",
        }
    }

    /// The one thing that is only known when the pattern is compiled.
    pub(super) fn unknown_class(text: &str) -> Self {
        let before = text.find(r"\p").or_else(|| text.find(r"\P")).unwrap_or(0);
        Self {
            at: text.get(..before).unwrap_or_default().chars().count() + 1,
            rule: "this is no class of characters",
        }
    }
}

/// A pattern in the crate's language, and what it may grow to.
pub(super) struct Translated {
    pub(super) text: String,
    pub(super) cost: u64,
}

/// What an escape means.
pub(super) enum Escape {
    /// This character.
    Character(char),
    /// A letter with a meaning of its own: `\d`, `\b`, `\p`.
    Letter(char),
}

/// Reads a pattern from left to right.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest().len()
    }

    pub(super) fn looks_at(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.looks_at(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    /// The next character as text.
    pub(super) fn next_text(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let length = self.next()?.len_utf8();
        rest.get(..length)
    }

    /// The text before the next `end`, which is eaten too.
    pub(super) fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, _) = self.rest().split_once(end)?;
        self.at += before.len() + end.len_utf8();
        Some(before)
    }

    /// The name in `[:name:]`, which is eaten; a `[:` without end is two characters.
    pub(super) fn posix_name(&mut self) -> Option<&'a str> {
        let (name, _) = self.rest().strip_prefix("[:")?.split_once(":]")?;
        self.at += name.len() + 4;
        Some(name)
    }

    pub(super) fn error(&self, rule: &'static str) -> PatternError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        PatternError {
            at: before.chars().count().max(1),
            rule,
        }
    }

    /// What comes after a `\`.
    pub(super) fn escape(&mut self) -> Result<Escape, PatternError> {
        let Some(letter) = self.next() else {
            return Err(self.error(r"'\' at the end escapes nothing"));
        };
        let character = match letter {
            'a' => '\x07',
            'f' => '\x0c',
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'v' => '\x0b',
            'x' => self.hexadecimal()?,
            '0'..='7' => self.octal(letter)?,
            '8' | '9' => return Err(self.error("there are no references to groups")),
            _ if letter.is_ascii_alphabetic() => return Ok(Escape::Letter(letter)),
            _ if letter.is_ascii() => letter,
            _ => return Err(self.error("this escape is not known")),
        };
        Ok(Escape::Character(character))
    }

    /// `\x7F` or `\x{10FFFF}`, after the `x`.
    fn hexadecimal(&mut self) -> Result<char, PatternError> {
        let digits = if self.eat("{") {
            self.until('}')
        } else {
            let digits = self.rest().get(..2);
            self.at += digits.map_or(0, str::len);
            digits
        };
        let is_number = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits
            .filter(is_number)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32)
            .ok_or_else(|| self.error("this is no character's number"))
    }

    /// `\0`, `\12`, `\123`, after the first digit; a single digit but 0 would be a reference.
    fn octal(&mut self, first: char) -> Result<char, PatternError> {
        let is_digit = |rest: &str| rest.starts_with(|c: char| ('0'..='7').contains(&c));
        if first != '0' && !is_digit(self.rest()) {
            return Err(self.error("there are no references to groups"));
        }
        let mut number = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            if !is_digit(self.rest()) {
                break;
            }
            let digit = self.next().and_then(|digit| digit.to_digit(8));
            number = number * 8 + digit.unwrap_or_default();
        }
        char::from_u32(number).ok_or_else(|| self.error("this is no character's number"))
    }
}

/// What a group costs so far.
#[derive(Default)]
struct Frame {
    cost: u64,
    last: Last,
}

/// What a repetition would repeat.
#[derive(Default, Clone, Copy)]
enum Last {
    #[default]
    Nothing,
    /// Something of this cost.
    Cost(u64),
    /// A repetition: it cannot be repeated.
    Repetition,
}

/// Translates a pattern.
pub(super) fn translate(text: &str) -> Result<Translated, PatternError> {
    let mut translator = Translator {
        cursor: Cursor { text, at: 0 },
        output: String::with_capacity(text.len() + 16),
        frames: Vec::new(),
        frame: Frame::default(),
    };
    if text.len() > MAX_PATTERN {
        return Err(translator
            .cursor
            .error("the pattern is longer than 4096 bytes"));
    }
    while let Some(character) = translator.cursor.next() {
        translator.one(character)?;
        if translator.frame.cost > MAX_COST {
            return Err(PatternError::too_big(text));
        }
    }
    if !translator.frames.is_empty() {
        return Err(translator.cursor.error("')' is missing"));
    }
    Ok(Translated {
        text: translator.output,
        cost: translator.frame.cost + 1,
    })
}

struct Translator<'a> {
    cursor: Cursor<'a>,
    output: String,
    /// The groups around.
    frames: Vec<Frame>,
    /// The group at hand.
    frame: Frame,
}

impl Translator<'_> {
    fn one(&mut self, character: char) -> Result<(), PatternError> {
        match character {
            '(' => self.open(),
            ')' => self.close(),
            '[' => {
                let cost = class::bracket(&mut self.cursor, &mut self.output)?;
                self.atom(cost);
                Ok(())
            }
            '*' | '+' | '?' => {
                self.output.push(character);
                self.repeat(0, 1)
            }
            '{' => self.counted(),
            '\\' => self.escape(),
            '|' => {
                self.output.push('|');
                self.frame.last = Last::Nothing;
                self.frame.cost += 1;
                Ok(())
            }
            '^' | '$' => {
                self.output.push(character);
                self.atom(1);
                Ok(())
            }
            '.' => {
                self.output.push('.');
                self.atom(class::WIDE);
                Ok(())
            }
            literal => {
                self.literal(literal);
                Ok(())
            }
        }
    }

    fn literal(&mut self, character: char) {
        class::push(character, &mut self.output);
        self.atom(4);
    }

    fn atom(&mut self, cost: u64) {
        self.frame.cost = self.frame.cost.saturating_add(cost);
        self.frame.last = Last::Cost(cost);
    }

    /// A repetition of the last thing, which may grow to `most` of it; `?` after it makes it lazy.
    fn repeat(&mut self, least: u64, most: u64) -> Result<(), PatternError> {
        let cost = match self.frame.last {
            Last::Cost(cost) => cost,
            Last::Nothing => {
                return Err(self
                    .cursor
                    .error("there is nothing to repeat, or only flags"));
            }
            Last::Repetition => return Err(self.cursor.error("a repetition cannot be repeated")),
        };
        if self.cursor.eat("?") {
            self.output.push('?');
        }
        let times = least.max(most).saturating_sub(1);
        self.frame.cost = self
            .frame
            .cost
            .saturating_add(cost.saturating_mul(times))
            .saturating_add(1);
        self.frame.last = Last::Repetition;
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,5}`; any other `{` is a character.
    fn counted(&mut self) -> Result<(), PatternError> {
        let counts = self
            .cursor
            .rest()
            .split_once('}')
            .and_then(|(inside, _)| Some((inside, counts(inside)?)));
        let Some((inside, (least, most))) = counts else {
            self.literal('{');
            return Ok(());
        };
        let is_allowed =
            least <= MAX_REPEAT && most.is_none_or(|most| (least..=MAX_REPEAT).contains(&most));
        if !is_allowed {
            let rule = "a repetition counts upwards, to at most 1000";
            return Err(self.cursor.error(rule));
        }
        self.cursor.at += inside.len() + 1;
        self.output.push('{');
        self.output += inside;
        self.output.push('}');
        self.repeat(least, most.unwrap_or(least + 1))
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        if self.cursor.eat("Q") {
            let rest = self.cursor.rest();
            let (quoted, end) = rest
                .split_once(r"\E")
                .map_or((rest, 0), |(text, _)| (text, 2));
            self.cursor.at += quoted.len() + end;
            quoted.chars().for_each(|character| self.literal(character));
            return Ok(());
        }
        match self.cursor.escape()? {
            Escape::Character(character) => self.literal(character),
            Escape::Letter(letter @ ('p' | 'P')) => {
                let cost = class::property(&mut self.cursor, letter, &mut self.output)?;
                self.atom(cost);
            }
            Escape::Letter(letter) => {
                let (text, cost) = match letter {
                    'A' => (r"\A", 1),
                    'z' => (r"\z", 1),
                    'b' => (r"(?-u:\b)", 1),
                    'B' => (r"(?-u:\B)", 1),
                    other => match class::perl(other) {
                        Some(text) => (text, class::WIDE),
                        None => return Err(self.cursor.error("this escape is not known")),
                    },
                };
                self.output += text;
                self.atom(cost);
            }
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), PatternError> {
        if self.frames.len() >= MAX_NESTING as usize {
            return Err(self.cursor.error("the groups are nested too deeply"));
        }
        if self.cursor.eat("?P<") || self.cursor.eat("?<") {
            let name = self.cursor.until('>');
            let name = name.filter(|name| is_group_name(name)).ok_or_else(|| {
                let rule = "a group's name is letters, digits and '_', and no digit first";
                self.cursor.error(rule)
            })?;
            self.output += "(?P<";
            self.output += name;
            self.output.push('>');
        } else if self.cursor.eat("?") {
            let is_group = self.flags()?;
            if !is_group {
                return Ok(());
            }
        } else {
            self.output.push('(');
        }
        self.frames.push(std::mem::take(&mut self.frame));
        Ok(())
    }

    /// `i)`, `i-s:` or `:`, after `(?`; true where a group begins.
    fn flags(&mut self) -> Result<bool, PatternError> {
        let mut flags = String::new();
        loop {
            match self.cursor.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => flags.push(flag),
                Some('-') if !flags.contains('-') => flags.push('-'),
                Some(':' | ')') if flags.ends_with('-') => {
                    return Err(self.cursor.error("'-' takes no flag away"));
                }
                Some(end @ (':' | ')')) => {
                    let is_group = end == ':';
                    // The crate has no empty flags.
                    if is_group || !flags.is_empty() {
                        self.output += "(?";
                        self.output += &flags;
                        self.output.push(end);
                    }
                    self.frame.last = if is_group {
                        self.frame.last
                    } else {
                        Last::Nothing
                    };
                    return Ok(is_group);
                }
                _ => {
                    let rule = "only the flags i, m, s and U are known, and no look-around";
                    return Err(self.cursor.error(rule));
                }
            }
        }
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let Some(around) = self.frames.pop() else {
            return Err(self.cursor.error("this ')' closes nothing"));
        };
        self.output.push(')');
        let group = std::mem::replace(&mut self.frame, around);
        self.atom(group.cost.saturating_add(2));
        Ok(())
    }
}

/// The numbers in `2`, `2,` and `2,5`: from, and to where there is an end.
fn counts(inside: &str) -> Option<(u64, Option<u64>)> {
    let number = |text: &str| {
        let is_number = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match inside.split_once(',') {
        None => number(inside).map(|count| (count, Some(count))),
        Some((least, "")) => Some((number(least)?, None)),
        Some((least, most)) => Some((number(least)?, Some(number(most)?))),
    }
}

fn is_group_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_word) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}
