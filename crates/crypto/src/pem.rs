//! The textual envelope of keys (RFC 7468, strict form).

use boltworks_model::Secret;
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::Error;

/// Keys are a few kilobytes; a file far beyond that is not a key.
const MAX_LEN: usize = 64 * 1024;

/// What is said of a key behind a passphrase.
pub(crate) const ENCRYPTED: &str = "it is encrypted: a key without passphrase is needed";

/// Opens the envelope: the label of its first block, and that block's bytes.
pub(crate) fn decode(pem: &[u8]) -> Result<(String, Secret<Vec<u8>>), Error> {
    if pem.len() > MAX_LEN {
        return Err(Error::Pem("it is too long for a key"));
    }
    let text = std::str::from_utf8(pem).map_err(|_| Error::Pem("it is not text"))?;
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN "));
    let label = lines
        .next()
        .and_then(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .ok_or(Error::Pem("the '-----BEGIN …-----' line is missing"))?;
    let end = format!("-----END {label}-----");
    let mut body = Zeroizing::new(String::with_capacity(text.len()));
    for line in lines {
        if line == end {
            let bytes = BASE64
                .decode(body.as_bytes())
                .map_err(|_| Error::Pem("its body is not base64"))?;
            return Ok((label.to_owned(), Secret::new(bytes)));
        }
        if line.contains(':') {
            return Err(Error::Pem(ENCRYPTED));
        }
        body.push_str(line);
    }
    Err(Error::Pem(
        "the '-----END …-----' line is missing or names something else",
    ))
}

/// Wraps bytes: 64 characters a line, newline at the end.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(BASE64.encode(der));
    let mut pem = String::with_capacity(body.len() + 128);
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(pem: &[u8]) -> String {
        decode(pem)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn broken_envelopes_are_named() {
        assert!(fault(b"").contains("BEGIN"));
        assert!(
            fault(
                b"-----BEGIN X-----
AAAA
"
            )
            .contains("END")
        );
        assert!(
            fault(
                b"-----BEGIN X-----
AAAA
-----END Y-----\n"
            )
            .contains("END")
        );
        assert!(
            fault(
                b"-----BEGIN X-----
A*AA
-----END X-----
"
            )
            .contains("base64")
        );
        assert!(
            fault(
                b"-----BEGIN X-----
Proc-Type: 4,ENCRYPTED

AA==
"
            )
            .contains("passphrase")
        );
        assert!(fault(&[0xff; 10]).contains("not text"));
        assert!(fault(&vec![b'-'; MAX_LEN + 1]).contains("too long"));
    }

    proptest! {
        #[test]
        fn bytes_survive_their_envelope(label in "[A-Z]{1,9}( [A-Z]{1,9})?", der: Vec<u8>) {
            let pem = encode(&label, &der);
            prop_assert!(pem.lines().all(|line| line.len() <= 64));
            let (found, bytes) = decode(format!("a comment\n{pem}").as_bytes()).unwrap();
            prop_assert_eq!(found, label);
            prop_assert_eq!(bytes.expose(), &der);
        }
    }
}
