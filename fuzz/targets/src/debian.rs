//! Debian's indexes, names and versions, and what stage 0 makes of them.

use std::collections::BTreeMap;

use boltworks_fsx::RelPath;
use boltworks_model::{Architecture, Sha256};
use boltworks_source::Deb;
use boltworks_source::debian::{deb822 as stanzas, parse_chosen, parse_debs, parse_origs};
use boltworks_stage0::plan::plan;
use boltworks_stage0::{Config, merged, names};

use crate::{taken, text};

/// Stanzas, as indexes and sources have them.
pub fn deb822(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let stanzas = stanzas::parse(text);
    assert!(
        stanzas.len() <= text.lines().count(),
        "a stanza without a line"
    );
    for stanza in &stanzas {
        taken();
        for field in [
            "Package",
            "Version",
            "SHA256",
            "Size",
            "Depends",
            "Checksums-Sha256",
        ] {
            let value = stanza.get(field);
            assert_eq!(
                value,
                stanza.get(&field.to_ascii_lowercase()),
                "the case decides"
            );
            assert!(value.is_none_or(|value| value.len() <= text.len()));
        }
    }
}

/// What apt says of addresses, a line `---`, and what it says of packages.
pub fn debian_index(data: &[u8]) {
    let text = text(data).unwrap_or_default();
    let (uris, index) = text.split_once("\n---\n").unwrap_or(("", text));
    let file = "zlib_1.3.orig.tar.gz";
    for orig in parse_origs(index, "zlib", file, "the index").unwrap_or_default() {
        taken();
        assert!(orig.name == "zlib" && orig.file == file);
        assert!(orig.address.ends_with(&format!("/{file}")));
    }
    let Ok(chosen) = parse_chosen(uris) else {
        return;
    };
    // They become arguments of apt.
    for word in chosen.iter().flat_map(<[&String; 2]>::from) {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"=/'\"".contains(&byte);
        assert!(
            word.bytes().all(is_plain) && !word.starts_with('-'),
            "{word}"
        );
    }
    let Ok(debs) = parse_debs(index, &chosen) else {
        return;
    };
    let found: Vec<_> = debs.iter().map(|deb| (&deb.name, &deb.version)).collect();
    assert_eq!(found, chosen.iter().collect::<Vec<_>>());
    if debs.is_empty() {
        return;
    }
    taken();
    let json = serde_json::to_vec(&debs).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<Vec<Deb>>(&json).ok(), Some(debs));
}

/// On every line a version, a package's name, or a link as `PATH -> TARGET`.
pub fn debian_names(data: &[u8]) {
    for line in text(data).unwrap_or_default().lines() {
        if let Ok(version) = names::version(line) {
            taken();
            assert!(version.as_str().ends_with("-r0"));
            let again = names::version(version.as_str());
            assert!(
                again.is_ok(),
                "{version} was made of '{line}' and is refused"
            );
        }
        if let Ok(name) = names::package_name(line) {
            assert!(name.is_file_safe() && name.as_str() == line);
        }
        let (path, target) = line.split_once(" -> ").unwrap_or((line, "lib/x"));
        let Ok(path) = RelPath::try_from(path) else {
            continue;
        };
        let Some(place) = merged::place(&path) else {
            continue;
        };
        assert_eq!(
            merged::place(&place).as_ref(),
            Some(&place),
            "a place is moved again"
        );
        let moved = merged::target(&path, &place, target.as_bytes());
        assert!(moved.len() <= target.len() + path.as_bytes().len() + 5);
        if let (true, Ok(below)) = (merged::is_left_out(&place), place.push("x")) {
            assert!(
                merged::is_left_out(&below),
                "{place} is left out and {below} is not"
            );
        }
    }
}

/// A closure of packages, as the lock of stage 0 lists it, and what would be made of it.
pub fn stage0_plan(data: &[u8]) {
    let Ok(debs) = serde_json::from_slice::<Vec<Deb>>(data) else {
        return;
    };
    let json = serde_json::to_vec(&debs).expect("what was read can be written");
    assert_eq!(
        serde_json::from_slice::<Vec<Deb>>(&json).ok().as_ref(),
        Some(&debs)
    );
    let config = Config {
        packages: vec!["gcc".to_owned(), "make".to_owned()],
        provides: BTreeMap::from([("build-base".to_owned(), vec!["gcc".to_owned()])]),
        architecture: Architecture::X86_64,
    };
    let key = Sha256::new([7; 32]);
    let Ok(one) = plan(&config, &debs, &key) else {
        return;
    };
    taken();
    let other = plan(&config, &debs, &key).expect("planned before");
    let inputs = |plan: &boltworks_stage0::plan::Plan| -> Vec<Sha256> {
        let made = plan.conversions.iter().map(|it| it.inputs);
        made.chain(plan.syntheses.iter().map(|it| it.inputs))
            .collect()
    };
    assert_eq!(inputs(&one), inputs(&other), "planned twice, it differs");
    for conversion in &one.conversions {
        // Nothing of Debian's may stand for what is shipped.
        let ships = |name: &str| name.starts_with("so:");
        assert!(
            !conversion
                .control
                .provides
                .iter()
                .any(|offer| ships(offer.name.as_str()))
        );
        assert!(
            conversion.control.to_pkginfo().is_ok()
                || conversion.deb.path.contains(char::is_control),
            "{:?} cannot be written",
            conversion.control
        );
    }
}
