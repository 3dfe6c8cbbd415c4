//! Percent-encoding and query strings.

/// What a percent-encoded text means, if it means text. `+` is itself.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A text in a form that [`decode`] takes back, safe in a URL and in a header.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(hex_digit));
        }
    }
    encoded
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16)
        .unwrap_or_default()
        .to_ascii_uppercase()
}

/// The first value of a name; an empty one where the name has none.
pub fn value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == name).then(|| decode(value))?
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_found() {
        let query = "n=5&last=a%2Fb&empty&artifactType=application/spdx+json&bad=%zz&n=6";
        assert_eq!(value(query, "n").as_deref(), Some("5"));
        assert_eq!(value(query, "last").as_deref(), Some("a/b"));
        assert_eq!(value(query, "empty").as_deref(), Some(""));
        assert_eq!(
            value(query, "artifactType").as_deref(),
            Some("application/spdx+json")
        );
        assert_eq!(value(query, "bad"), None);
        assert_eq!(value(query, "none"), None);
    }

    proptest! {
        #[test]
        fn every_text_survives(text: String) {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode(&encoded), Some(text));
        }

        #[test]
        fn no_text_panics(text: String) {
            prop_assert!(decode(&text).is_none_or(|decoded| decoded.len() <= text.len()));
            prop_assert!(value(&text, "n").is_none_or(|value| value.len() <= text.len()));
        }
    }
}
