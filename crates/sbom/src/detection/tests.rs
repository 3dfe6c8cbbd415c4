//! Texts that are on this machine, and texts that nobody knows.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::{Declared, Detector, Look, Match, tags};

/// SPDX's MIT licence, with a copyright line.
const MIT: &str = "MIT License

Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the \"Software\"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, \
and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, \
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial \
portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT \
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN \
NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, \
WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE \
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

const ZLIB: &str = "
This software is provided 'as-is', without any express or implied warranty. In no event will the authors \
be held liable for any damages arising from the use of this software.

Permission is granted to anyone to use this software for any purpose, including commercial applications, \
and to alter it and redistribute it freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not claim that you wrote the original \
software. If you use this software in a product, an acknowledgment in the product documentation would be \
appreciated but is not required.

2. Altered source versions must be plainly marked as such, and must not be misrepresented as being the \
original software.

3. This notice may not be removed or altered from any source distribution.
";

fn detector() -> &'static Detector {
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    DETECTOR.get_or_init(|| Detector::load().unwrap())
}

fn known(text: &str) -> Vec<String> {
    match detector().look(text) {
        Look::Known(found) => found.into_iter().map(|one| one.licence).collect(),
        Look::Unknown(_) => Vec::new(),
    }
}

#[test]
fn licences_are_known_by_their_texts() {
    assert_eq!(known(MIT), ["MIT"]);
    let upper = MIT.to_uppercase().replace("MIT LICENSE", "");
    assert_eq!(known(&upper), ["MIT"]);
    assert_eq!(known(ZLIB), ["Zlib"]);
    let mut both = known(&format!(
        "Parts are under one licence, parts under another.\n\n{MIT}\n----\n{ZLIB}"
    ));
    both.sort();
    assert_eq!(both, ["MIT", "Zlib"]);
    assert_eq!(known("You may do nothing with this."), [""; 0]);
    assert_eq!(known(""), [""; 0]);
    assert_eq!(known(&"word ".repeat(300_000)), [""; 0]);
    match detector().look(
        &MIT.replace("sell", "eat")
            .replace("free of charge", "for money"),
    ) {
        Look::Known(found) => assert!(found[0].confidence < 1.0, "{found:?}"),
        Look::Unknown(_) => panic!("two words make it no other licence"),
    }
}

#[test]
fn one_text_may_be_several_licences() {
    // Every licence of the list is found by its own text.
    let names: Vec<&String> = detector().0.licenses().collect();
    assert!(names.len() > 500, "{}", names.len());
    let text = spdx::license_id("GPL-2.0-only").unwrap();
    let entry = detector().0.iter().find(|(name, entry)| {
        name.as_str() == text.name || entry.aliases.iter().any(|alias| alias == text.name)
    });
    let original = entry.unwrap().1.original.lines().join("\n");
    let Look::Known(found) = detector().look(&original) else {
        panic!("it is not known");
    };
    let [found] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(found.licence, "GPL-2.0-only");
    assert_eq!(found.others, ["GPL-2.0-or-later"]);
    let declared = |line: &str| Declared::read(&[line]).covers(found);
    for line in [
        "GPL-2.0-or-later",
        "GPL-2.0",
        "GPL-2.0+",
        "MIT OR GPL-2.0-only",
    ] {
        assert!(declared(line), "{line}");
    }
    assert!(declared("GPL-2.0-only WITH Classpath-exception-2.0"));
    assert!(!declared("GPL-3.0-only"));
    assert!(!declared("GNU GPL"));
}

#[test]
fn tags_are_read_to_where_comments_end() {
    let text = "// SPDX-License-Identifier: MIT\n/* SPDX-License-Identifier: (GPL-2.0+ OR MIT) */\n\
        <!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception -->\n\
        # SPDX-License-Identifier: BSD-3-Clause and more words\nSPDX-License-Identifier: $name\n";
    let found: Vec<String> = tags(text).into_iter().collect();
    insta::assert_snapshot!(found.join("\n"), @"
    (GPL-2.0-or-later OR MIT)
    Apache-2.0 WITH LLVM-exception
    BSD-3-Clause
    MIT
    ");
    let declared = Declared::read(&["MIT", "Apache-2.0"]);
    assert!(declared.covers_tag("(GPL-2.0-or-later OR MIT)"));
    assert!(declared.covers_tag("Apache-2.0 WITH LLVM-exception"));
    assert!(!declared.covers_tag("MIT AND BSD-3-Clause"));
    let names = Declared::read(&["ours", "GPL-2.0+"]);
    assert_eq!(
        names.names().collect::<Vec<_>>(),
        ["GPL-2.0-or-later", "ours"]
    );
    let ours = Match {
        licence: "ours".to_owned(),
        others: Vec::new(),
        confidence: 1.0,
    };
    assert!(names.covers(&ours));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Parts of licences in any order, with anything between them.
    #[test]
    fn anything_may_be_looked_at(parts in proptest::collection::vec(
        prop_oneof!["\\PC{0,60}", "[\\x00-\\x7f]{0,60}", Just(MIT.to_owned()), Just(ZLIB.to_owned())], 0..6,
    ), cut in 0..2000_usize) {
        let text = parts.join("\n");
        let text: String = text.chars().skip(cut / 4).collect();
        match detector().look(&text) {
            Look::Known(found) => prop_assert!(found.iter().all(|one| one.confidence >= 0.8 && one.confidence <= 1.0)),
            Look::Unknown(nearest) => prop_assert!(nearest.is_none_or(|one| one.confidence < super::SURE)),
        }
        tags(&text);
    }
}
