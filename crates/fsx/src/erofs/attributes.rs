//! Extended attributes beside an inode (`erofs_xattr_ibody_header`, `erofs_xattr_entry`): what names one
//! begins with has a number.

use std::collections::BTreeMap;

/// What is in front of an inode's attributes.
pub(super) const HEAD: u64 = 12;
/// What is in front of one of them.
pub(super) const ENTRY: u64 = 4;
/// Nothing is known of which names are not there.
const NO_FILTER: [u8; 4] = [0xff; 4];

/// The number of each beginning, and whether a name is that and nothing else.
const BEGINNINGS: [(u8, &[u8], bool); 6] = [
    (1, b"user.", false),
    (2, b"system.posix_acl_access", true),
    (3, b"system.posix_acl_default", true),
    (4, b"trusted.", false),
    (5, b"lustre.", false),
    (6, b"security.", false),
];

/// The beginning with a number.
pub(super) fn beginning(number: u8) -> Option<&'static [u8]> {
    let found = BEGINNINGS.iter().find(|(known, ..)| *known == number);
    found.map(|(_, text, _)| *text)
}

/// The attributes of one inode.
pub(super) type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

/// How many bytes they have, with what is in front; or why there is no room for one of them.
pub(super) fn len(attributes: &Attributes) -> Result<u64, &'static str> {
    if attributes.is_empty() {
        return Ok(0);
    }
    let mut len = HEAD;
    for (name, value) in attributes {
        let (_, rest) = split(name)?;
        if rest.len() > 255 || u16::try_from(value.len()).is_err() {
            return Err("an extended attribute is too long for EROFS");
        }
        len += (ENTRY + rest.len() as u64 + value.len() as u64).next_multiple_of(4);
    }
    count(len)?;
    Ok(len)
}

/// How many units of four bytes an inode says its attributes have, and one (`i_xattr_icount`).
pub(super) fn count(len: u64) -> Result<u16, &'static str> {
    if len == 0 {
        return Ok(0);
    }
    let units = len.saturating_sub(HEAD) / 4 + 1;
    u16::try_from(units).map_err(|_| "its extended attributes are too long for EROFS")
}

/// The attributes as they are written, in the order of their names.
pub(super) fn bytes(attributes: &Attributes) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    if attributes.is_empty() {
        return Ok(out);
    }
    out.extend_from_slice(&NO_FILTER);
    out.extend_from_slice(&[0; 8]);
    for (name, value) in attributes {
        let (number, rest) = split(name)?;
        let too_long = "an extended attribute is too long for EROFS";
        out.push(u8::try_from(rest.len()).map_err(|_| too_long)?);
        out.push(number);
        let len = u16::try_from(value.len()).map_err(|_| too_long)?;
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(rest);
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    Ok(out)
}

fn split(name: &[u8]) -> Result<(u8, &[u8]), &'static str> {
    let found = BEGINNINGS.iter().find_map(|(number, text, is_whole)| {
        let rest = name.strip_prefix(*text)?;
        (rest.is_empty() == *is_whole).then_some((*number, rest))
    });
    found.ok_or("EROFS has no place for an extended attribute of that name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(names: &[&str]) -> Attributes {
        let pair = |name: &&str| (name.as_bytes().to_vec(), b"value".to_vec());
        names.iter().map(pair).collect()
    }

    #[test]
    fn names_are_cut_where_the_format_cuts_them() {
        let bytes = bytes(&attributes(&["security.capability"])).unwrap();
        assert_eq!(bytes.len() as u64, HEAD + 20);
        assert_eq!(
            bytes[12..],
            *b"\x0a\x06\x05\x00capabilityvalue\0"
                .iter()
                .copied()
                .take(20)
                .collect::<Vec<u8>>()
        );
        let acl = attributes(&["system.posix_acl_access"]);
        assert_eq!(len(&acl), Ok(HEAD + 12));
        for bad in [
            "plain",
            "user.",
            "system.posix_acl_access.x",
            "system.other",
        ] {
            assert!(len(&attributes(&[bad])).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = |name: usize, value: usize| {
            let name = format!("user.{}", "n".repeat(name));
            Attributes::from([(name.into_bytes(), vec![0; value])])
        };
        assert!(len(&long(255, 65_535)).is_ok());
        assert!(len(&long(256, 1)).is_err());
        assert!(len(&long(1, 65_536)).is_err());
        let mut many = Attributes::new();
        for name in ["a", "b", "c", "d", "e"] {
            many.insert(format!("user.{name}").into_bytes(), vec![0; 65_000]);
        }
        assert!(len(&many).is_err());
    }
}
