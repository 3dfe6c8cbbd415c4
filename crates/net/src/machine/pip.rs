//! What pip is configured to use: the environment, then its configuration files.

use std::collections::BTreeMap;

/// The address of the package index that pip is configured to use: the variable
/// `PIP_INDEX_URL`, or `index-url` in the texts of its configuration files, of which later ones
/// outweigh earlier ones (pip's own order: global, user, virtual environment, `PIP_CONFIG_FILE`).
///
/// `None` means that pip uses what is built into it: ask the installed pip itself.
pub fn index_url(environment: &BTreeMap<String, String>, files: &[&str]) -> Option<String> {
    let from_environment = environment
        .get("PIP_INDEX_URL")
        .map(|url| url.trim().to_owned());
    from_environment
        .filter(|url| !url.is_empty())
        .or_else(|| files.iter().rev().find_map(|text| in_file(text)))
}

/// `index-url` of the sections that count for a download; the more special one outweighs.
fn in_file(text: &str) -> Option<String> {
    let mut found: [Option<String>; 3] = [None, None, None];
    let mut rank = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            rank = ["global", "install", "download"]
                .iter()
                .position(|&name| name == section.trim());
            continue;
        }
        if line.starts_with(['#', ';']) {
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            continue;
        };
        let is_index = key.trim().to_ascii_lowercase().replace('_', "-") == "index-url";
        let slot = rank.and_then(|rank| found.get_mut(rank));
        if let Some(slot) = slot.filter(|_| is_index && !value.trim().is_empty()) {
            *slot = Some(value.trim().to_owned());
        }
    }
    found.into_iter().rev().flatten().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_files_and_the_environment_outweigh() {
        let global = "[global]\ncert = /x.pem\nindex-url = https://a.example/simple\n";
        let user = "# mine\n[install]\nindex_url: https://b.example/simple\n[list]\nindex-url=https://no.example\n";
        let none = BTreeMap::new();
        assert_eq!(index_url(&none, &[]), None);
        assert_eq!(index_url(&none, &["[global]\ncert=/x\n"]), None);
        assert_eq!(
            index_url(&none, &[global]).as_deref(),
            Some("https://a.example/simple")
        );
        assert_eq!(
            index_url(&none, &[global, user]).as_deref(),
            Some("https://b.example/simple")
        );
        let set = BTreeMap::from([(
            "PIP_INDEX_URL".to_owned(),
            "https://c.example/simple".to_owned(),
        )]);
        assert_eq!(
            index_url(&set, &[global, user]).as_deref(),
            Some("https://c.example/simple")
        );
    }
}
