//! PEM (RFC 7468): the one block of a text, written anew without anything around it.

/// How many characters a line has.
const LINE: usize = 64;

/// The block and the bytes in it; nothing where there are none or several, or of another sort.
pub(super) fn only(text: &str, label: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (body, after) = rest.split_once(&end)?;
    if before.contains("-----BEGIN ") || after.contains("-----BEGIN ") {
        return None;
    }
    let body: String = body.split_ascii_whitespace().collect();
    let der = data_encoding::BASE64.decode(body.as_bytes()).ok()?;
    // A certificate or a key is one DER sequence.
    if der.first() != Some(&0x30) {
        return None;
    }
    let mut pem = format!("{begin}\n").into_bytes();
    for line in body.as_bytes().chunks(LINE) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(format!("{end}\n").as_bytes());
    Some((pem, der))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_block_or_none() {
        let text = "words\n-----BEGIN X-----\r\nMAMC\r\nAQE=\n-----END X-----";
        let (pem, der) = only(text, "X").unwrap();
        assert_eq!(pem, b"-----BEGIN X-----\nMAMCAQE=\n-----END X-----\n");
        assert_eq!(der, [0x30, 3, 2, 1, 1]);
        assert!(only(text, "Y").is_none());
        assert!(only(&format!("{text}\n{text}"), "X").is_none());
        assert!(only("-----BEGIN X-----\nAAAA\n-----END X-----", "X").is_none());
    }
}
