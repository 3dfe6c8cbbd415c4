//! A universe as large as a distribution.

use std::fmt::Write as _;
use std::time::Instant;

use boltworks_solver::{Universe, solve};

use super::{index, options, world};

/// 2,500 libraries in two versions each; each provides a soname and a command, and needs a
/// few libraries before it.
fn packages() -> String {
    let mut lines = String::new();
    for n in 0..2_500_u32 {
        for version in 1..=2 {
            write!(lines, "lib{n} {version}.{}-r0 needs", n % 7).unwrap();
            // Numbers that jump about, the same every time.
            for step in 1..=3_u32 {
                let other = n.wrapping_mul(2_654_435_761).wrapping_add(step * 40_503) % 2_500;
                if other < n {
                    write!(lines, " so:lib{other}.so.1").unwrap();
                }
            }
            writeln!(
                lines,
                " provides so:lib{n}.so.1={version} cmd:tool{n}={version}"
            )
            .unwrap();
        }
    }
    lines
}

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement, shown and not judged finely"
    )]
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    #[expect(clippy::print_stdout, reason = "the measurement is what it is for")]
    let () = println!("5,000 packages: {what} in {took:?}");
    assert!(took.as_secs() < 20, "{what} took {took:?}");
    result
}

#[test]
fn five_thousand_packages_take_milliseconds() {
    let mut universe = Universe::new();
    universe.add_repository("os", &index(&packages()), 0);
    let mut wishes: Vec<String> = (2_460..2_500).map(|n| format!("lib{n}")).collect();
    let solution = measured("solved", || {
        solve(&universe, &world(&wishes.join(" ")), &options()).unwrap()
    });
    assert!(solution.packages.len() > 300);
    let is_newest = |version: &str| version.starts_with('2');
    assert!(
        solution
            .packages
            .iter()
            .all(|chosen| is_newest(&chosen.entry.version.to_string()))
    );

    wishes.push("!lib77".to_owned());
    wishes.push("cmd:tool77=1".to_owned());
    let error = measured("refuted", || {
        solve(&universe, &world(&wishes.join(" ")), &options()).unwrap_err()
    });
    insta::assert_snapshot!(error.to_string(), @r"
    world needs cmd:tool77=1
    only lib77-1.0-r0 would do, but the world forbids it (!lib77)
    help: allow what the world forbids: !lib77
    help: leave out cmd:tool77=1
    ");
}
