//! The packages of a base image as apko writes them down once more.
//!
//! Its reader keeps what a package says of itself, and of its files only the names: owners, modes and
//! checksums are lost, and a list in brackets has them twice.

use std::collections::BTreeMap;

use boltworks_fsx::RelPath;

use crate::Error;
use crate::compatible::{Entry, listed};

/// What a package has no date says.
const NO_DATE: i64 = -62_135_596_800;

/// The records of all packages. The text must be a list that is understood.
pub(super) fn again(list: &str) -> Result<String, Error> {
    let mut text = String::new();
    let mut record = Record::default();
    // The last package counts, too, where no empty line follows it.
    for line in list.split('\n').chain([""]) {
        if line.is_empty() {
            text += &std::mem::take(&mut record).written();
        } else {
            record.take(line)?;
        }
    }
    Ok(text)
}

#[derive(Default)]
struct Record<'t> {
    fields: BTreeMap<char, &'t str>,
    folder: Option<RelPath>,
    entries: Vec<Entry>,
}

impl<'t> Record<'t> {
    fn take(&mut self, line: &'t str) -> Result<(), Error> {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        match key {
            "F" if value.is_empty() => self.folder = None,
            "F" => {
                let path = RelPath::try_from(value)?;
                self.folder = Some(path.clone());
                self.entries.push(entry(path, true));
            }
            "R" => {
                let path = match &self.folder {
                    Some(folder) => folder.push(value)?,
                    None => RelPath::try_from(value)?,
                };
                self.entries.push(entry(path, false));
            }
            "M" | "a" | "Z" => {}
            _ => {
                let letter = key.chars().next();
                self.fields.extend(letter.map(|letter| (letter, value)));
            }
        }
        Ok(())
    }

    fn written(&self) -> String {
        let text = |key: char| self.fields.get(&key).copied().unwrap_or_default();
        if text('P').is_empty() {
            return String::new();
        }
        let number = |key: char, none: i64| text(key).parse().unwrap_or(none);
        let mut lines = Vec::new();
        for key in ['P', 'V', 'A', 'L', 'T', 'o', 'm', 'U', 'D', 'p'] {
            lines.push(format!("{key}:{}", text(key)));
        }
        if let Some(replaces) = self.fields.get(&'r') {
            lines.push(format!("r:{replaces}"));
        }
        lines.push(format!("c:{}", text('c')));
        lines.push(format!("i:[{}]", text('i')));
        lines.push(format!("t:{}", number('t', NO_DATE)));
        for key in ['S', 'I', 'k'] {
            lines.push(format!("{key}:{}", number(key, 0)));
        }
        if text('C').starts_with("Q1") {
            lines.push(format!("C:{}", text('C')));
        }
        listed(lines, &self.entries)
    }
}

fn entry(path: RelPath, is_dir: bool) -> Entry {
    Entry {
        path,
        is_dir,
        mode: if is_dir { 0o755 } else { 0o644 },
        uid: 0,
        gid: 0,
        sha1: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_as_apko_writes_it_again() {
        let list = "C:Q1cs+Hlyu5sY+1mmwKPedcRWj8E24=\nP:base\nV:1-r0\nA:x86_64\nS:10\nI:20\n\
                    T:a thing\nU:\nL:MIT\no:base\ni:[]\nt:5\nD:so:a b\nF:etc\nM:1:2:0700\nF:etc/d\n\
                    R:z\na:1:2:0600\nZ:Q1KhFxtJsuPVmrrXKMewSAc2/3kus=\nF:var\nR:a\n\n\
                    P:last\nV:2-r0\nr:\nF:\nR:top";
        insta::assert_snapshot!(again(list).unwrap(), @r"
        P:base
        V:1-r0
        A:x86_64
        L:MIT
        T:a thing
        o:base
        m:
        U:
        D:so:a b
        p:
        c:
        i:[[]]
        t:5
        S:10
        I:20
        k:0
        C:Q1cs+Hlyu5sY+1mmwKPedcRWj8E24=
        F:etc
        F:etc/d
        R:z
        F:var
        R:a

        P:last
        V:2-r0
        A:
        L:
        T:
        o:
        m:
        U:
        D:
        p:
        r:
        c:
        i:[]
        t:-62135596800
        S:0
        I:0
        k:0
        F:
        R:top
        ");
    }
}
