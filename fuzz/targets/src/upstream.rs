//! What comes from upstream and from other people's packages: archives of sources, recipes inside.

use boltworks_model::Architecture;
use boltworks_recipe::embedded::{Form, read};
use boltworks_source::archive::{Opened, beginning, open};

use crate::{taken, text};

/// No member of an archive is read further.
const MOST: usize = 1 << 16;
/// So many members are read.
const MEMBERS: usize = 64;

/// An archive of sources, whatever packed it: its members, or its bytes.
pub fn source_archive(data: &[u8]) {
    match open(data) {
        Ok(Opened::Archive(mut members)) => {
            for _ in 0..MEMBERS {
                let Ok(Some(entry)) = members.next_member() else {
                    return;
                };
                let Ok(bytes) = members.beginning(MOST) else {
                    return;
                };
                taken();
                let expected = entry.size.min(MOST as u64);
                assert_eq!(bytes.len() as u64, expected, "a member of another size");
            }
        }
        Ok(Opened::File(mut file)) => {
            let bytes = beginning(&mut file, MOST).expect("bytes in memory are read");
            assert_eq!(bytes, data.get(..MOST).unwrap_or(data), "other bytes");
        }
        Ok(Opened::Foreign(_)) | Err(_) => {}
    }
}

/// The recipe inside a package; a canonical document is written the same again.
pub fn recipe_inside(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let Ok(inside) = read("input", text, Architecture::X86_64) else {
        return;
    };
    taken();
    let written = inside.recipe.canonical_json();
    let written = String::from_utf8(written).expect("JSON is text");
    let again = read("again", &written, Architecture::X86_64);
    let again = again.expect("what is written is read");
    assert_eq!(again.form, Form::Canonical);
    assert_eq!(
        String::from_utf8_lossy(&again.recipe.canonical_json()),
        written,
        "it is written in another way"
    );
}
