//! The records of extended headers: `LENGTH KEY=VALUE\n`, where the length counts itself.

use std::collections::BTreeMap;

/// Records by key.
pub(super) type Records = BTreeMap<String, Vec<u8>>;

/// Extended attributes stand behind this.
pub(super) const XATTR: &str = "SCHILY.xattr.";

/// Reads the records of one header. A key twice is an error: readers differ in which one counts.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Records, &'static str> {
    let mut records = Records::new();
    while !bytes.is_empty() {
        let (key, value, rest) = record(bytes).ok_or("an extended header's record is malformed")?;
        if records.insert(key.to_owned(), value.to_vec()).is_some() {
            return Err("an extended header has a key twice");
        }
        bytes = rest;
    }
    Ok(records)
}

fn record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&byte| byte == b' ')?;
    let digits = bytes.get(..space)?;
    let length = usize::try_from(decimal(digits)?).ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=')?;
    let key = std::str::from_utf8(body.get(..equals)?).ok()?;
    let value = body.get(equals + 1..)?;
    if key.is_empty() || key.contains('\0') {
        return None;
    }
    Some((key, value, bytes.get(length..)?))
}

/// Decimal digits, at least one and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Decimal seconds with an optional sign and fraction, rounded down.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let (is_negative, text) = text
        .strip_prefix(b"-")
        .map_or((false, text), |rest| (true, rest));
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let whole = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let has_more = fraction.iter().any(|&digit| digit != b'0');
    if is_negative {
        Some(-whole - i64::from(has_more))
    } else {
        Some(whole)
    }
}

/// Writes records in byte order of their keys.
pub(super) fn encode(records: &Records) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        // Space, equals sign and newline, and the length's own digits: one more digit at most
        // changes the length's length once.
        let rest = key.len() + value.len() + 3;
        let mut length = rest + digits(rest);
        length = rest + digits(length);
        bytes.extend_from_slice(format!("{length} {key}=").as_bytes());
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    bytes
}

fn digits(number: usize) -> usize {
    number.to_string().len()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_counts_itself() {
        let one = |key: &str, value: &[u8]| {
            String::from_utf8(encode(&Records::from([(key.to_owned(), value.to_vec())]))).unwrap()
        };
        assert_eq!(one("a", b"b"), "6 a=b\n");
        assert_eq!(one("key", b""), "7 key=\n");
        assert_eq!(one("k", b"12345"), "11 k=12345\n");
        assert_eq!(one("k", &[b'x'; 93]).split(' ').next(), Some("99"));
        assert_eq!(one("k", &[b'x'; 94]).split(' ').next(), Some("101"));
    }

    #[test]
    fn malformed_records_are_refused() {
        let bad: [&[u8]; 9] = [
            b"6 a=b",
            b"7 a=b\n",
            b"5 a=b\n",
            b"a=b\n",
            b"6  =b\n\n",
            b"5 =b\n",
            b" a=b\n",
            b"99999999999999999999999 a=b\n",
            b"0 a=b\n",
        ];
        for bytes in bad {
            assert!(
                parse(bytes).is_err(),
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
        assert!(parse(b"6 a=b\n6 a=c\n").is_err());
        assert_eq!(parse(b"").unwrap(), Records::new());
    }

    #[test]
    fn seconds_are_rounded_down() {
        let cases: [(&[u8], Option<i64>); 8] = [
            (b"12.9", Some(12)),
            (b"-1.5", Some(-2)),
            (b"-1.0", Some(-1)),
            (b"-0.1", Some(-1)),
            (b"12", Some(12)),
            (b"1.2.3", None),
            (b"", None),
            (b"--1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                seconds(text),
                expected,
                "{:?}",
                String::from_utf8_lossy(text)
            );
        }
    }

    proptest! {
        #[test]
        fn records_survive(records in btree_map("[a-zA-Z.]{1,20}", vec(any::<u8>(), 0..200), 0..8)) {
            prop_assert_eq!(parse(&encode(&records)), Ok(records));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Ok(records) = parse(&bytes) {
                prop_assert!(records.len() <= bytes.len());
            }
        }
    }
}
