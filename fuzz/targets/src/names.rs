//! Names and digests that stand in every other format.

use boltworks_fsx::RelPath;
use boltworks_model::{Architecture, ChannelName, PackageName, Sha1, Sha256, Timestamp};

use crate::{taken, text};

/// On every line a name or a digest of some kind; the whole as a path.
pub fn model_names(data: &[u8]) {
    check_path(data);
    for line in text(data).unwrap_or_default().lines() {
        check_path(line.as_bytes());
        if let Ok(name) = line.parse::<PackageName>() {
            taken();
            assert_eq!(name.as_str(), line);
            assert!(!name.is_file_safe() || !line.contains('/'));
        }
        if let Ok(channel) = line.parse::<ChannelName>() {
            assert_eq!(channel.to_string(), line);
            let tag = channel
                .tag()
                .map(|tag| format!(":{tag}"))
                .unwrap_or_default();
            assert_eq!(format!("{}{tag}", channel.repository()), line);
        }
        if let Ok(architecture) = line.parse::<Architecture>() {
            assert_eq!(architecture.apk().parse(), Ok(architecture));
        }
        if let Ok(digest) = line.parse::<Sha256>() {
            assert_eq!(digest.prefixed().parse(), Ok(digest));
        }
        if let Ok(digest) = Sha1::parse_q1(line) {
            assert_eq!(digest.to_q1(), line, "two texts for one digest");
        }
        let moment = line.parse::<Timestamp>().ok();
        for moment in moment.into_iter().chain(line.parse().ok().map(Timestamp)) {
            // Out of the years that RFC 3339 has, a time is shown as its seconds.
            let shown = moment.to_string();
            assert!(
                shown.starts_with('@') || shown.parse() == Ok(moment),
                "{shown}"
            );
        }
    }
}

fn check_path(bytes: &[u8]) {
    let Ok(path) = RelPath::new(bytes) else {
        return;
    };
    assert_eq!(path.as_bytes(), bytes);
    assert!(
        path.components()
            .all(|part| !part.is_empty() && part != b"." && part != b"..")
    );
    match path.parent() {
        None => assert_eq!(path.file_name(), bytes),
        Some(parent) => {
            assert!(path.starts_with(&parent) && !parent.starts_with(&path));
            assert_eq!(parent.push(path.file_name()).as_ref(), Ok(&path));
            let rest = path
                .strip_prefix(&parent)
                .expect("it is beneath its parent");
            assert_eq!(rest.as_bytes(), path.file_name());
        }
    }
    assert_eq!(path.ancestors().count() + 1, path.components().count());
}
