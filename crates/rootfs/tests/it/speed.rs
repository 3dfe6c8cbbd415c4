//! How long a guest as large as stage 0 takes.

use std::time::Instant;

use boltworks_fsx::{Meta, Node, Tree};

use super::environments::{Site, me};
use super::{control, rel};

/// Bytes like those of programs: they become about a third.
fn content(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut bytes = Vec::with_capacity(len + 16);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let word = state.to_le_bytes();
        bytes.extend(word);
        bytes.extend([word[0]; 12]);
    }
    bytes.truncate(len);
    bytes
}

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement, shown and not judged"
    )]
    let start = Instant::now();
    let result = work();
    #[expect(clippy::print_stdout, reason = "the measurement is what it is for")]
    let () = println!("{what}: {:?}", start.elapsed());
    result
}

fn lay(packages: u32, files: u32, size: usize) {
    let mut site = Site::new(&[]);
    let mut names = Vec::new();
    for number in 0..packages {
        let name = format!("p{number}");
        let mut tree = Tree::new();
        for file in 0..files {
            let path = format!("usr/lib/{name}/d{}/f{file}", file % 9);
            // A few large files, many small ones.
            let len = if file % 16 == 0 { size * 8 } else { size / 2 };
            let bytes = content(number * files + file, len);
            tree.insert(rel(&path), Node::file(Meta::new(0o644, 1), bytes))
                .unwrap();
        }
        site.add(&control(&format!("{name} 1")), &tree);
        names.push(name);
    }
    let megabytes = (packages * files) as usize * (size / 2 * 15 + size * 8) / 16 / 1_000_000;
    let what = format!(
        "{packages} packages, {} files, {megabytes} MB",
        packages * files
    );
    let locked = site.locked(&names.join(" "));
    let trees = site.trees();
    let made = measured(&format!("{what}, a new tree"), || {
        trees.ensure(&locked, &site.store, me()).unwrap().made
    });
    assert!(made);
    let made = measured(&format!("{what}, the tree again"), || {
        trees.ensure(&locked, &site.store, me()).unwrap().made
    });
    assert!(!made);
    let fewer = site.locked(&names[1..].join(" "));
    let made = measured(&format!("{what}, all but one package"), || {
        trees.ensure(&fewer, &site.store, me()).unwrap().made
    });
    assert!(made);
}

#[test]
fn a_small_guest() {
    lay(10, 40, 20_000);
}

/// 150 packages, 400 MB: `cargo test -p boltworks-rootfs --test it -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement that writes a gigabyte"]
fn a_large_guest() {
    lay(150, 130, 21_500);
}
