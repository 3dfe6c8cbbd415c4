//! A recipe's text in the form that public collections of recipes have.
//!
//! The rules are those of [`boltworks_yaml::layout`]; here is only which lists stand apart. Keys
//! are not put in another order, quotes stay as they are, and so do long lines: none of it is the
//! same everywhere, and all of it moves comments.

use boltworks_yaml::layout;

use crate::Error;
use crate::parsed::parse_recipe;

/// Sections whose items have a blank line before them.
const SPACED: [&str; 3] = ["pipeline", "subpackages", "data"];

/// The text in its usual form; it says the same. `file` is only for messages.
///
/// # Errors
/// Where the text is no recipe, and where its usual form would say something else.
pub fn usual_form(file: &str, text: &str) -> Result<String, Error> {
    parse_recipe(file, text)?;
    Ok(layout::usual_form(file, text, &SPACED)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PipelineLibrary, ResolveOptions, resolve};
    use boltworks_model::Architecture;

    const WRITTEN: &str = "\
# A library.
package:
    name: zlib
    version:   1.3.1   # upstream's
    epoch: 4
    description: x
    copyright:
    - license: Zlib
environment:
    contents:
        packages:
        - busybox
        # the compiler
        - gcc
pipeline:
- uses: fetch
  with:
      uri: https://a.example/zlib-${{package.version}}.tar.gz
      expected-sha256: 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23
# make
- runs: |
        make
          install

        # the end
- if: ${{build.arch}} == 'x86_64'
  pipeline:
  - runs: a
  - runs: b
subpackages:
- name: zlib-dev
- name: zlib-static

";

    #[test]
    fn a_recipe_gets_the_usual_form_and_says_the_same() {
        let formed = usual_form("zlib.yaml", WRITTEN).unwrap();
        insta::assert_snapshot!(formed, @"
        # A library.
        package:
          name: zlib
          version: 1.3.1   # upstream's
          epoch: 4
          description: x
          copyright:
            - license: Zlib

        environment:
          contents:
            packages:
              - busybox
              # the compiler
              - gcc

        pipeline:
          - uses: fetch
            with:
              uri: https://a.example/zlib-${{package.version}}.tar.gz
              expected-sha256: 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23

          # make
          - runs: |
              make
                install

              # the end

          - if: ${{build.arch}} == 'x86_64'
            pipeline:
              - runs: a
              - runs: b

        subpackages:
          - name: zlib-dev

          - name: zlib-static
        ");
        let library = PipelineLibrary::builtin();
        let compiled = |text: &str| {
            let recipe = parse_recipe("zlib.yaml", text).unwrap();
            let options = ResolveOptions::new(Architecture::X86_64, &library);
            resolve(&recipe, &options).unwrap().compile_json()
        };
        assert_eq!(compiled(&formed), compiled(WRITTEN));
        assert_eq!(usual_form("zlib.yaml", &formed).unwrap(), formed);
    }

    #[test]
    fn what_is_no_recipe_is_refused_with_its_place() {
        let refused = |text: &str| usual_form("x.yaml", text).unwrap_err().to_string();
        let text = "package:\n  name: x\n  version: 1\n  licence: y\n";
        assert!(
            refused(text).starts_with("x.yaml:4:3: "),
            "{}",
            refused(text)
        );
        let text = "package: {name: x, version: 1}\r\rpipeline: []\n";
        assert!(
            refused(text).contains("carriage return"),
            "{}",
            refused(text)
        );
    }
}
