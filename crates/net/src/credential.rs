//! Secrets that belong to one origin.

use boltworks_model::Secret;
use data_encoding::BASE64;

use crate::{Address, Error, Origin};

/// The value of an `Authorization` header, and the only origin that it is ever sent to.
#[derive(Debug)]
pub struct OriginBoundCredential {
    origin: Origin,
    authorization: Secret<String>,
}

impl OriginBoundCredential {
    /// Binds the value of an `Authorization` header (`Bearer …`, `Basic …`) to an origin.
    pub const fn new(origin: Origin, authorization: Secret<String>) -> Self {
        Self {
            origin,
            authorization,
        }
    }

    /// The header's value for an address.
    ///
    /// # Errors
    /// [`Error::ForeignCredential`] if the address belongs to somebody else.
    pub fn for_address(&self, address: &Address) -> Result<&Secret<String>, Error> {
        if *address.origin() == self.origin {
            Ok(&self.authorization)
        } else {
            Err(Error::ForeignCredential {
                bound: self.origin.to_string(),
                asked: address.origin().to_string(),
            })
        }
    }
}

/// Somebody's name and password, not yet for any address.
#[derive(Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

impl Login {
    /// A name and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: Secret::new(password.into()),
        }
    }

    /// The login for one origin (`Basic`, RFC 7617).
    pub fn bound_to(&self, origin: Origin) -> OriginBoundCredential {
        let pair = Secret::new(format!("{}:{}", self.user, self.password.expose()));
        let value = format!("Basic {}", BASE64.encode(pair.expose().as_bytes()));
        OriginBoundCredential::new(origin, Secret::new(value))
    }
}

/// Parts an address as people configure it, `https://user:password@host/…`, into address and
/// credential (`Basic`, RFC 7617; user and password are percent-decoded).
pub fn split_credential(text: &str) -> Result<(Address, Option<OriginBoundCredential>), Error> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok((text.parse()?, None));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok((text.parse()?, None));
    };
    let address: Address = format!("{scheme}://{host}{path}").parse()?;
    let mut pair = decode_percent(user);
    if !pair.contains(&b':') {
        pair.push(b':');
    }
    let authorization = Secret::new(format!("Basic {}", BASE64.encode(&pair)));
    let credential = OriginBoundCredential::new(address.origin().clone(), authorization);
    Ok((address, Some(credential)))
}

fn decode_percent(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let Some((&byte, after)) = rest.split_first() {
        let value = match after {
            [high, low, ..] if byte == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some(value) = value.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            decoded.push(value);
            rest = after.get(2..).unwrap_or_default();
        } else {
            decoded.push(byte);
            rest = after;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_origin_gets_it() {
        let (address, credential) = split_credential("https://me:p%40ss@a.example/simple").unwrap();
        let credential = credential.unwrap();
        assert_eq!(address.to_string(), "https://a.example/simple");
        let value = credential
            .for_address(&address.join("/other").unwrap())
            .unwrap();
        assert_eq!(
            *value.expose(),
            format!("Basic {}", BASE64.encode(b"me:p@ss"))
        );
        for other in [
            "http://a.example/",
            "https://a.example:444/",
            "https://b.example/",
        ] {
            assert!(
                credential.for_address(&other.parse().unwrap()).is_err(),
                "{other}"
            );
        }
        assert!(!format!("{credential:?}").contains("Basic"));
    }

    #[test]
    fn only_two_digits_are_decoded() {
        for (text, meaning) in [
            ("p%40ss%2f", "p@ss/"),
            ("%+f", "%+f"),
            ("%-1%4", "%-1%4"),
            ("%%41%", "%A%"),
        ] {
            assert_eq!(decode_percent(text), meaning.as_bytes(), "{text}");
        }
    }

    #[test]
    fn an_address_without_one_has_none() {
        let (address, credential) = split_credential("http://a.example/x@y").unwrap();
        assert_eq!(address.path(), "/x@y");
        assert!(credential.is_none());
    }
}
