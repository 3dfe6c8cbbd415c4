//! What a use of the program's own `fetch` pipeline asks for.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::scope::Scope;
use crate::parsed::{Step, Text};
use crate::resolved::Fetch;
use crate::{Error, Problem};

/// The pipeline's name.
pub(super) const NAME: &str = "fetch";

/// The input that the resolver adds: where the blob lies in the guest.
pub(super) const ARCHIVE: &str = "archive";

/// Reads the inputs.
pub(super) fn fetch(
    step: &Step,
    uses: &Text,
    inputs: &BTreeMap<String, String>,
    scope: &Scope<'_>,
) -> Result<Fetch, Error> {
    let read = Reader {
        step,
        uses,
        inputs,
        scope,
    };
    let expected_sha256 = read.digest("expected-sha256", "is not 64 hexadecimal digits")?;
    let expected_sha512 = read.digest("expected-sha512", "is not 128 hexadecimal digits")?;
    let key = match (&expected_sha256, &expected_sha512) {
        (Some(sha256), _) => boltworks_model::Sha256::prefixed(sha256),
        (None, Some(sha512)) => boltworks_model::Sha512::prefixed(sha512),
        (None, None) => {
            let rule = "is missing, and so is expected-sha512: a source is known by its digest";
            return Err(read.bad("expected-sha256", rule));
        }
    };
    let uri = read.text("uri");
    if uri.is_empty() {
        return Err(read.bad("uri", "is empty"));
    }
    if uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(read.bad("uri", "has white space in it"));
    }
    let strip_components = read
        .text("strip-components")
        .parse()
        .map_err(|_| read.bad("strip-components", "is not a whole number"))?;
    Ok(Fetch {
        key,
        uri: uri.to_owned(),
        expected_sha256,
        expected_sha512,
        strip_components,
        extract: read.flag("extract")?,
        delete: read.flag("delete")?,
        directory: read.text("directory").to_owned(),
        purl_name: read.text("purl-name").to_owned(),
        purl_version: read.text("purl-version").to_owned(),
    })
}

struct Reader<'a> {
    step: &'a Step,
    uses: &'a Text,
    inputs: &'a BTreeMap<String, String>,
    scope: &'a Scope<'a>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> &str {
        self.inputs.get(name).map_or("", |value| value.trim())
    }

    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.text(name) {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.bad(name, "is neither true nor false")),
        }
    }

    fn digest<T: FromStr>(&self, name: &str, rule: &str) -> Result<Option<T>, Error> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.bad(name, rule)),
        }
    }

    fn bad(&self, name: &str, rule: &str) -> Error {
        let place = self.step.with.get(name).unwrap_or(self.uses);
        let problem = Problem::BadInput {
            pipeline: NAME.to_owned(),
            name: name.to_owned(),
            rule: rule.to_owned(),
        };
        self.scope.problem(place, problem)
    }
}
