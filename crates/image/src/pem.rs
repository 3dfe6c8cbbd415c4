//! PEM (RFC 7468): the one block of a text, written anew without anything around it.

/// How many characters a line has.
const LINE: usize = 64;

/// The block and the bytes in it; nothing where there are none or several, or of another sort.
pub(crate) fn only(text: &str, label: &str) -> Option<(String, Vec<u8>)> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (body, after) = rest.split_once(&end)?;
    if before.contains("-----BEGIN") || after.contains("-----BEGIN") {
        return None;
    }
    let body: String = body.split_ascii_whitespace().collect();
    let der = data_encoding::BASE64.decode(body.as_bytes()).ok()?;
    // A certificate or a key is one DER sequence, as long as it says (RFC 5280, 4.1).
    if der.first() != Some(&0x30) || der_length(&der)? != der.len() {
        return None;
    }
    let mut pem = format!("{begin}\n");
    let mut line = body.as_str();
    while !line.is_empty() {
        let (head, tail) = line.split_at_checked(LINE).unwrap_or((line, ""));
        pem.push_str(head);
        pem.push('\n');
        line = tail;
    }
    pem.push_str(&end);
    pem.push('\n');
    Some((pem, der))
}

/// The length of a DER value with its head.
fn der_length(der: &[u8]) -> Option<usize> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    if first < 0x80 {
        return Some(usize::from(first) + 2);
    }
    let count = usize::from(first & 0x7f);
    let digits = rest.get(..count).filter(|digits| digits.len() <= 4)?;
    let length = digits
        .iter()
        .fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
    length.checked_add(2 + count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_block_or_none() {
        let text = "words\n-----BEGIN X-----\r\nMAMC\r\nAQE=\n-----END X-----";
        let (pem, der) = only(text, "X").unwrap();
        assert_eq!(pem, "-----BEGIN X-----\nMAMCAQE=\n-----END X-----\n");
        assert_eq!(der, [0x30, 3, 2, 1, 1]);
        assert!(only(text, "Y").is_none());
        assert!(only(&format!("{text}\n{text}"), "X").is_none());
        assert!(only("-----BEGIN X-----\nAAAA\n-----END X-----", "X").is_none());
        // A sequence that says it is longer, and one with something behind it.
        for body in ["MAQCAQE=", "MAMCAQEA"] {
            let text = format!("-----BEGIN X-----\n{body}\n-----END X-----");
            assert!(only(&text, "X").is_none(), "{body}");
        }
    }
}
