//! Identifiers that come from content: SPDX element ids, namespaces, serial numbers.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Sha256;

/// The prefix SPDX sets aside for documents whose makers own no domain (SPDX 2.3, 6.5).
const NAMESPACE: &str = "https://spdx.org/spdxdocs/boltworks";

/// A text as part of an identifier: what SPDX does not allow there (all but letters, digits,
/// `.` and `-`) becomes `C` and the character's number.
pub(crate) fn sanitized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().take(200) {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '-') {
            out.push(character);
        } else {
            out.push('C');
            out.push_str(&u32::from(character).to_string());
        }
    }
    out
}

/// Element ids of one document, each given out once.
#[derive(Debug, Default)]
pub(crate) struct Idents {
    taken: BTreeSet<String>,
    /// How often each was wanted: no number up to that is free any more.
    wanted: BTreeMap<String, u32>,
}

impl Idents {
    /// `SPDXRef-<kind>-<name>`, with a number behind it where that is taken.
    pub(crate) fn make(&mut self, kind: &str, name: &str) -> String {
        self.claim(&format!("SPDXRef-{kind}-{}", sanitized(name)))
    }

    /// The id itself, or with a number behind it where it is taken.
    pub(crate) fn claim(&mut self, wanted: &str) -> String {
        let number = self.wanted.entry(wanted.to_owned()).or_default();
        loop {
            *number += 1;
            let id = numbered(wanted, *number);
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// The id that is tried first, second, …
pub(crate) fn numbered(wanted: &str, number: u32) -> String {
    match number {
        ..=1 => wanted.to_owned(),
        _ => format!("{wanted}-{number}"),
    }
}

/// The namespace of a document with this name and content.
pub(crate) fn namespace(name: &str, content: &Sha256) -> String {
    format!("{NAMESPACE}/{}-{content}", sanitized(name))
}

/// The same document's namespace in a model whose every identifier has it in front: by the digest in the
/// longer one, or that itself where there is none.
pub(crate) fn short_namespace(namespace: &str) -> String {
    let content = namespace
        .rsplit('-')
        .next()
        .and_then(|end| end.parse().ok());
    match content {
        Some(content) => format!("urn:uuid:{}", uuid(&content)),
        None => format!("{namespace}-3"),
    }
}

/// A UUID of version 8 (RFC 9562, 5.8) from the first bytes of a digest.
pub(crate) fn uuid(content: &Sha256) -> String {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(content.as_bytes()) {
        *to = *from;
    }
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76)) | (0x8 << 76);
    let number = (number & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let group = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [
        group(0..8),
        group(8..12),
        group(12..16),
        group(16..20),
        group(20..32),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_everybody_wants_is_given_out_quickly() {
        let mut idents = Idents::default();
        let last = (0..200_000).map(|_| idents.claim("SPDXRef-x")).last();
        assert_eq!(last.as_deref(), Some("SPDXRef-x-200000"));
    }

    #[test]
    fn identifiers_are_valid_and_unique() {
        let mut idents = Idents::default();
        assert_eq!(
            idents.make("Package", "g++-1_2"),
            "SPDXRef-Package-gC43C43-1C952"
        );
        assert_eq!(
            idents.make("Package", "g++-1_2"),
            "SPDXRef-Package-gC43C43-1C952-2"
        );
        assert_eq!(idents.claim("SPDXRef-x-2"), "SPDXRef-x-2");
        assert_eq!(idents.claim("SPDXRef-x"), "SPDXRef-x");
        assert_eq!(idents.claim("SPDXRef-x"), "SPDXRef-x-3");
        assert_eq!(
            uuid(&Sha256::new([0xff; 32])),
            "ffffffff-ffff-8fff-bfff-ffffffffffff"
        );
        assert_eq!(
            uuid(&Sha256::new([0; 32])),
            "00000000-0000-8000-8000-000000000000"
        );
        let long = namespace("a-b", &Sha256::new([0; 32]));
        assert_eq!(
            short_namespace(&long),
            "urn:uuid:00000000-0000-8000-8000-000000000000"
        );
        let other = "https://a.example/x-1";
        assert_eq!(short_namespace(other), format!("{other}-3"));
    }
}
