//! The functions of templates.

use std::cmp::Ordering;

use super::data::Data;

/// What Go has beside these, and is not here.
const UNSUPPORTED: &[&str] = &["call", "html", "js", "slice", "urlquery"];

/// Calls a function.
pub(super) fn call(name: &str, operands: &[Data]) -> Result<Data, String> {
    match (name, operands) {
        ("len", [value]) => length(value),
        ("not", [value]) => Ok(Data::Bool(!value.is_true())),
        ("and", [.., last]) => Ok(operands
            .iter()
            .find(|one| !one.is_true())
            .unwrap_or(last)
            .clone()),
        ("or", [.., last]) => Ok(operands
            .iter()
            .find(|one| one.is_true())
            .unwrap_or(last)
            .clone()),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            let equal = others.iter().map(|other| compare(first, other));
            let equal = equal.collect::<Result<Vec<_>, _>>()?;
            Ok(Data::Bool(equal.contains(&Ordering::Equal)))
        }
        ("ne" | "lt" | "le" | "gt" | "ge", [left, right]) => {
            let order = compare(left, right)?;
            if name != "ne" && matches!(left, Data::Bool(_)) {
                return Err(format!("'{name}' puts no truth values in order"));
            }
            Ok(Data::Bool(match name {
                "ne" => order.is_ne(),
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            }))
        }
        ("index", [value, keys @ ..]) => keys
            .iter()
            .try_fold(value.clone(), |value, key| index(&value, key)),
        ("print", values) => Ok(Data::Text(printed(values))),
        ("println", values) => Ok(Data::Text(format!("{}\n", spaced(values)))),
        ("printf", [Data::Text(format), values @ ..]) => self::format(format, values),
        _ if UNSUPPORTED.contains(&name) => Err(format!("the function '{name}' is not supported")),
        (
            "len" | "not" | "and" | "or" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "index"
            | "printf",
            _,
        ) => Err(format!("'{name}' does not take these operands")),
        _ => Err(format!("there is no function '{name}'")),
    }
}

fn length(value: &Data) -> Result<Data, String> {
    let length = match value {
        Data::Text(text) => text.len(),
        Data::List(values) => values.len(),
        Data::Map(values) => values.len(),
        _ => return Err("'len' counts texts, lists and maps only".to_owned()),
    };
    Ok(Data::Number(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn compare(left: &Data, right: &Data) -> Result<Ordering, String> {
    match (left, right) {
        (Data::Text(left), Data::Text(right)) => Ok(left.cmp(right)),
        (Data::Number(left), Data::Number(right)) => Ok(left.cmp(right)),
        (Data::Bool(left), Data::Bool(right)) => Ok(left.cmp(right)),
        (Data::Nil, Data::Nil) => Ok(Ordering::Equal),
        _ => {
            Err("only texts, numbers and truth values are compared, each with its like".to_owned())
        }
    }
}

fn index(value: &Data, key: &Data) -> Result<Data, String> {
    match (value, key) {
        (Data::List(values), Data::Number(number)) => {
            let found = usize::try_from(*number)
                .ok()
                .and_then(|number| values.get(number));
            found
                .cloned()
                .ok_or_else(|| format!("a list of {} has no number {number}", values.len()))
        }
        (Data::Map(values), Data::Text(key)) => Ok(values
            .get(key)
            .cloned()
            .unwrap_or(Data::Text(String::new()))),
        _ => Err("'index' takes a list and a number, or a map and a text".to_owned()),
    }
}

/// Everything, with a space between two of which neither is a text.
fn printed(values: &[Data]) -> String {
    let mut out = String::new();
    let mut before: Option<&Data> = None;
    for value in values {
        let is_text = |value: &Data| matches!(value, Data::Text(_));
        if before.is_some_and(|before| !is_text(before) && !is_text(value)) {
            out.push(' ');
        }
        value.print(&mut out);
        before = Some(value);
    }
    out
}

fn spaced(values: &[Data]) -> String {
    let words = values
        .iter()
        .map(|value| printed(std::slice::from_ref(value)));
    words.collect::<Vec<_>>().join(" ")
}

/// `printf` with `%s`, `%v`, `%d`, `%q`, `%t` and `%%`, without widths.
fn format(format: &str, values: &[Data]) -> Result<Data, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let verb = rest.next().unwrap_or('%');
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = values
            .next()
            .ok_or_else(|| format!("there is no value for '%{verb}'"))?;
        match (verb, value) {
            ('v', value) | ('s', value @ (Data::Text(_) | Data::List(_) | Data::Map(_))) => {
                value.print(&mut out);
            }
            ('d', Data::Number(number)) => out.push_str(&number.to_string()),
            ('t', Data::Bool(value)) => out.push_str(&value.to_string()),
            ('q', Data::Text(text)) => {
                out.push_str(&serde_json::Value::from(text.as_str()).to_string());
            }
            ('s' | 'd' | 't' | 'q', _) => return Err(format!("'%{verb}' is not for such a value")),
            _ => {
                return Err(format!(
                    "'%{verb}' is not supported: there are %s, %v, %d, %q and %t"
                ));
            }
        }
    }
    match values.next() {
        None => Ok(Data::Text(out)),
        Some(_) => Err("'printf' has more values than its format asks for".to_owned()),
    }
}
