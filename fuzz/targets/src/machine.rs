//! What a machine's own clients are configured to use, addresses, and what servers answer.

use std::collections::BTreeMap;

use boltworks_model::{Sha256, Timestamp};
use boltworks_net::credential::split_credential;
use boltworks_net::machine::{apt, pip};
use boltworks_net::{Address, Proxies, date};
use boltworks_source::pypi::find_file;

use crate::{taken, text};

/// apt's configuration in both forms.
pub fn apt_sources(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    for sources in [apt::parse_one_line(text), apt::parse_deb822(text)] {
        for source in &sources {
            taken();
            assert!(!source.types.is_empty() && !source.uris.is_empty());
            assert!(!source.suites.is_empty());
        }
        if let Some(archive) = apt::debian_archive(&sources) {
            assert!(text.contains(archive), "an address from nowhere");
            assert!(!archive.is_empty() && !archive.contains(char::is_whitespace));
        }
    }
}

/// pip's configuration files, with a line `---` between them; the variable on the first line.
pub fn pip_configuration(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let files: Vec<&str> = text.split("\n---\n").collect();
    let variable = text.lines().next().unwrap_or_default();
    let environment = BTreeMap::from([("PIP_INDEX_URL".to_owned(), variable.to_owned())]);
    for environment in [BTreeMap::new(), environment] {
        if let Some(url) = pip::index_url(&environment, &files) {
            taken();
            assert!(text.contains(&url), "an address from nowhere");
            assert!(!url.is_empty() && url.trim() == url);
        }
    }
}

/// The page of a project at an index of Python packages.
pub fn python_index(data: &[u8]) {
    const INDEX: &str = "https://index.example/simple/web/";
    let find = |expected: Option<&Sha256>| find_file(data, INDEX, "web-1.0.tar.gz", expected);
    let Ok(found) = find(None) else {
        assert!(find(Some(&Sha256::new([7; 32]))).is_err());
        return;
    };
    taken();
    // It is that file, or one with another digest.
    let exact = find(Some(&Sha256::new([7; 32])));
    assert!(exact.is_err() || exact.ok().as_ref() == Some(&found));
    let base: Address = INDEX.parse().expect("it is an address");
    if let Ok(address) = base.join(&found) {
        check_address(&address);
    }
}

/// On every line a date, or a number of seconds to wait; the line before is the server's clock.
pub fn http_date(data: &[u8]) {
    let mut before = None;
    for line in text(data).unwrap_or_default().lines() {
        let wait = date::wait(line, before);
        let seconds = line.trim().parse::<u64>().ok();
        assert!(wait.is_none_or(|wait| seconds.is_none_or(|it| it == wait.as_secs())));
        before = Some(line);
        let Some(seconds) = date::parse(line) else {
            continue;
        };
        taken();
        assert_eq!(
            date::wait(line, Some(line)).map(|wait| wait.as_secs()),
            Some(0)
        );
        let moment = Timestamp(i64::try_from(seconds).expect("the years end at 9999"));
        let shown = moment.to_string();
        let year = line.split(' ').nth(3).unwrap_or_default();
        // A leap second is the next day's first, and the last day has no name.
        assert!(
            line.contains(":60 ")
                || shown.starts_with('@')
                || shown.starts_with(year.trim_start_matches('0')),
            "'{line}' is {shown}"
        );
    }
}

/// An address on the first line, references to follow from it on the others.
pub fn http_address(data: &[u8]) {
    let text = text(data).unwrap_or_default();
    let mut lines = text.lines();
    let Some(first) = lines.next() else {
        return;
    };
    check_credential(first);
    let Ok(base) = first.parse::<Address>() else {
        return;
    };
    check_address(&base);
    let proxies = Proxies::from_environment(&BTreeMap::from([
        (
            "https_proxy".to_owned(),
            "http://proxy.example:3128".to_owned(),
        ),
        (
            "no_proxy".to_owned(),
            lines.clone().next().unwrap_or_default().to_owned(),
        ),
    ]));
    assert!(
        proxies.before(&base).is_none() || base.origin().is_https(),
        "a proxy of others"
    );
    for reference in lines.take(16) {
        check_credential(reference);
        for found in [base.join(reference), base.below(reference)]
            .into_iter()
            .flatten()
        {
            check_address(&found);
            let is_absolute = reference.contains("://") || reference.starts_with("//");
            assert!(
                is_absolute || found.origin() == base.origin(),
                "a path led to another host"
            );
        }
        if let Ok(found) = base.join(reference)
            && !reference.contains("://")
            && reference.starts_with('/')
            && !reference.starts_with("//")
        {
            let path = found.path().split('?').next().unwrap_or_default();
            assert!(
                path.split('/').all(|part| !matches!(part, "." | "..")),
                "{path} has dots"
            );
        }
    }
}

fn check_address(address: &Address) {
    taken();
    let shown = address.to_string();
    let again: Address = shown.parse().expect("what is shown can be read");
    assert_eq!(again, *address, "{shown} reads as something else");
    assert!(address.path().starts_with('/'));
    assert!(!address.file_name().contains('/'));
    assert!(!shown.contains(['@', '#', ' ', '\n']) || !address.origin().host().contains('@'));
}

fn check_credential(text: &str) {
    let Ok((address, credential)) = split_credential(text) else {
        return;
    };
    check_address(&address);
    if let Some(credential) = credential {
        let value = credential
            .for_address(&address)
            .expect("it belongs to the address");
        assert!(
            value
                .expose()
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        );
        assert!(
            !format!("{credential:?}").contains(value.expose().as_str()),
            "a secret is shown"
        );
    }
}
