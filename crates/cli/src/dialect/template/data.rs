//! The values that a template can ask for.

use std::collections::BTreeMap;

/// What melange's own program works out where it is asked: no field, so it is not printed with them.
const METHODS: [&str; 4] = [
    "FullVersion",
    "CPEString",
    "LicenseExpression",
    "FullCopyright",
];

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Nothing, where something could be.
    Nil,
    /// What a map has not.
    Missing,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Self>),
    /// Keys of the user's.
    Map(BTreeMap<String, Self>),
    /// Fields, in their order.
    Record(Vec<(&'static str, Self)>),
}

impl Data {
    /// Fields that are texts.
    pub(crate) fn fields<const N: usize>(fields: [(&'static str, String); N]) -> Self {
        let fields = fields.into_iter();
        Self::Record(
            fields
                .map(|(name, text)| (name, Self::Text(text)))
                .collect(),
        )
    }

    /// Whether it counts as true: it is neither empty nor zero.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil | Self::Missing => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0,
            Self::Text(value) => !value.is_empty(),
            Self::List(value) => !value.is_empty(),
            Self::Map(value) => !value.is_empty(),
            Self::Record(_) => true,
        }
    }

    /// As Go prints it.
    pub(super) fn print(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<nil>"),
            Self::Missing => out.push_str("<no value>"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => out.push_str(&value.to_string()),
            Self::Text(value) => out.push_str(value),
            Self::List(values) => enclosed(out, ('[', ']'), values.iter().map(|value| ("", value))),
            Self::Map(values) => {
                out.push_str("map");
                let values = values.iter();
                enclosed(
                    out,
                    ('[', ']'),
                    values.map(|(key, value)| (key.as_str(), value)),
                );
            }
            Self::Record(fields) => {
                let fields = fields.iter().filter(|(name, _)| !METHODS.contains(name));
                enclosed(out, ('{', '}'), fields.map(|(_, value)| ("", value)));
            }
        }
    }
}

fn enclosed<'a>(
    out: &mut String,
    (open, close): (char, char),
    values: impl Iterator<Item = (&'a str, &'a Data)>,
) {
    out.push(open);
    for (index, (key, value)) in values.enumerate() {
        if index > 0 {
            out.push(' ');
        }
        if !key.is_empty() {
            out.push_str(key);
            out.push(':');
        }
        value.print(out);
    }
    out.push(close);
}
