//! Source distributions at an index of Python packages, by its JSON form (PEP 691).

use boltworks_model::{Ambient, Sha256};
use boltworks_net::credential::split_credential;
use boltworks_net::{Address, Client, OriginBoundCredential, Request, Retry};
use serde::Deserialize;

use crate::Error;

/// No project's page is larger.
const MAX_PAGE: u64 = 64 * 1024 * 1024;
/// The media type of the JSON form.
const MEDIA_TYPE: &str = "application/vnd.pypi.simple.v1+json";

/// An index of Python packages.
#[derive(Debug)]
pub struct PythonIndex {
    base: Address,
    credential: Option<OriginBoundCredential>,
}

#[derive(Debug, Deserialize)]
struct Page {
    files: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

impl PythonIndex {
    /// An index by its base address, as pip takes it: with user and password, if needed.
    pub fn new(url: &str) -> Result<Self, Error> {
        let (base, credential) = split_credential(url)?;
        Ok(Self { base, credential })
    }

    /// Its base address.
    pub const fn address(&self) -> &Address {
        &self.base
    }

    /// The secret for the index itself.
    pub const fn credential(&self) -> Option<&OriginBoundCredential> {
        self.credential.as_ref()
    }

    /// Where a file of a project is.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the project has no such file, [`Error::WrongDigest`] if the index
    /// itself says that the file has another digest.
    pub fn locate(
        &self,
        client: &Client,
        (project, file): (&str, &str),
        expected: Option<&Sha256>,
        ambient: &Ambient<'_>,
    ) -> Result<Address, Error> {
        let page_address = self.base.below(&format!("{}/", normalized(project)))?;
        let request = Request {
            accept: Some(MEDIA_TYPE),
            credential: self.credential.as_ref(),
            ..Request::all(MAX_PAGE)
        };
        let (address, media_type, bytes) = Retry::default().run(ambient, || {
            let response = client.get(&page_address, &request)?;
            let (address, media_type) = (response.address.clone(), response.content_type.clone());
            Ok((address, media_type, response.read_all()?))
        })?;
        let index = page_address.to_string();
        if !media_type
            .as_deref()
            .is_some_and(|media_type| media_type.contains("json"))
        {
            let reason = "it does not offer the JSON form of the simple index (PEP 691)".to_owned();
            return Err(Error::Malformed { index, reason });
        }
        let found = find_file(&bytes, &index, file, expected)?;
        Ok(address.join(&found)?)
    }
}

/// Where a project's page says that a file is: an address, perhaps relative to the page's. `index`
/// is the page's own for messages.
///
/// # Errors
/// Those of [`PythonIndex::locate`], and [`Error::Malformed`] if it is no such page.
pub fn find_file(
    page: &[u8],
    index: &str,
    file: &str,
    expected: Option<&Sha256>,
) -> Result<String, Error> {
    let page: Page = serde_json::from_slice(page).map_err(|error| Error::Malformed {
        index: index.to_owned(),
        reason: error.to_string(),
    })?;
    let count = page.files.len();
    let mut files = page.files.into_iter();
    let Some(entry) = files.find(|entry| entry.filename == file) else {
        return Err(Error::NotFound {
            what: file.to_owned(),
            index: index.to_owned(),
            reason: format!("none of its {count} files is called so"),
        });
    };
    if let (Some(expected), Some(actual)) = (expected, entry.hashes.get("sha256"))
        && expected.to_string() != actual.to_ascii_lowercase()
    {
        return Err(Error::WrongDigest {
            place: format!("{index}{file}"),
            expected: expected.prefixed(),
            actual: format!("sha256:{actual}"),
        });
    }
    Ok(entry.url)
}

/// The form of a project's name that the index uses (PEP 503).
fn normalized(project: &str) -> String {
    let mut name = String::with_capacity(project.len());
    for char in project.chars() {
        match char {
            '-' | '_' | '.' if name.ends_with('-') => {}
            '-' | '_' | '.' => name.push('-'),
            char => name.push(char.to_ascii_lowercase()),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalized() {
        assert_eq!(normalized("Foo._-Bar"), "foo-bar");
        assert_eq!(normalized("certifi"), "certifi");
    }
}
