//! JSON values as a YAML document in block style, for people.

use serde_json::{Map, Value};

/// So far is what is within a mapping or a list moved in.
const STEP: usize = 4;

/// A value as a YAML document. Reading it gives the value again.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

/// A value that begins on a line of its own.
fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(out, fields, depth, ""),
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let dash = format!("{}- ", " ".repeat(depth));
                match item {
                    Value::Object(fields) if !fields.is_empty() => {
                        mapping(out, fields, depth + 2, &dash);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        out.push_str(dash.trim_end());
                        out.push('\n');
                        block(out, item, depth + 2);
                    }
                    _ => {
                        out.push_str(&dash);
                        out.push_str(&scalar(item));
                        out.push('\n');
                    }
                }
            }
        }
        _ => {
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
}

/// Fields, the first behind `dash`, where that is not empty.
fn mapping(out: &mut String, fields: &Map<String, Value>, depth: usize, dash: &str) {
    for (number, (key, value)) in fields.iter().enumerate() {
        if number == 0 && !dash.is_empty() {
            out.push_str(dash);
        } else {
            out.push_str(&" ".repeat(depth));
        }
        out.push_str(&text(key));
        out.push(':');
        let is_nested = match value {
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        };
        if is_nested {
            out.push('\n');
            block(out, value, depth + STEP);
        } else {
            out.push(' ');
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        other => other.to_string(),
    }
}

/// A text, in quotes where it would be taken for something else without them.
fn text(text: &str) -> String {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "/._-+~@=<>,".contains(c);
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| is_letter(c) || c == ' ' || c == ':')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !is_word(text);
    if is_plain {
        return text.to_owned();
    }
    // JSON's strings are YAML's, but for what JSON leaves as it is and YAML breaks lines at.
    let quoted = Value::from(text).to_string();
    let mut out = String::new();
    for c in quoted.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let escape = format!("\\u{:04x}", u32::from(c));
                out.push_str(&escape);
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether YAML, of whatever version, reads a word as something else than text.
fn is_word(text: &str) -> bool {
    let words = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ];
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_in_blocks() {
        let value = json!({
            "contents": { "packages": ["a", "b>=1.0"], "none": [] },
            "paths": [{ "path": "/run", "uid": 0 }, { "path": "yes", "list": [[1], {}] }],
            "cmd": "say \"hi\": no",
            "empty": "",
        });
        insta::assert_snapshot!(to_yaml(&value), @r#"
        contents:
            packages:
                - a
                - b>=1.0
            none: []
        paths:
            - path: /run
              uid: 0
            - path: "yes"
              list:
                  -
                    - 1
                  - {}
        cmd: "say \"hi\": no"
        empty: ""
        "#);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-zA-Z0-9:. #-]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z0-9:. #-]{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let text = to_yaml(&value);
            let again: Value = boltworks_yaml::parse("again.yaml", &text).unwrap();
            prop_assert_eq!(again, value, "{}", text);
        }
    }
}
