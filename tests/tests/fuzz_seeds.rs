//! Every fuzz target over its seeds and over mutations of them, on a stable compiler.
//!
//! The mutations are the same on every machine: a failure is seen again by running the test
//! again. `BOLTWORKS_FUZZ_ROUNDS` says how many mutations of each seed there are, for a longer look.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that reads the tree it lies in and says what it did"
)]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use boltworks_fuzz_targets::{TARGETS, times_taken};

/// Mutations of each seed.
const ROUNDS: usize = 2000;
/// Mutations of each seed where one takes milliseconds: keys are checked, packages signed, files
/// made.
const FEW_ROUNDS: usize = 200;
/// No input takes longer, however busy the machine is.
const LONGEST: Duration = Duration::from_mins(1);
/// No mutation is larger.
const LARGEST: usize = 64 * 1024;
/// What tar is made of.
const BLOCK: usize = 512;
/// All seeds together are no larger.
const ALL_SEEDS: u64 = 300_000;

macro_rules! replay {
    ($($name:ident: $rounds:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name), $rounds);
            }
        )*

        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

replay! {
    apt_sources: ROUNDS,
    apk_index: ROUNDS,
    apk_index_text: ROUNDS,
    apk_package: FEW_ROUNDS,
    apk_sections: FEW_ROUNDS,
    condition: ROUNDS,
    deb822: ROUNDS,
    debian_index: ROUNDS,
    debian_names: ROUNDS,
    dependencies: ROUNDS,
    elf: FEW_ROUNDS,
    erofs: FEW_ROUNDS,
    factory_file: ROUNDS,
    http_address: ROUNDS,
    http_date: ROUNDS,
    image: ROUNDS,
    image_tree: ROUNDS,
    installed: ROUNDS,
    installed_side: ROUNDS,
    licence: ROUNDS,
    model_names: ROUNDS,
    oci_document: ROUNDS,
    oci_parts: ROUNDS,
    oci_reference: ROUNDS,
    package_files: FEW_ROUNDS,
    pattern: ROUNDS,
    pem: FEW_ROUNDS,
    pip_configuration: ROUNDS,
    pipeline: ROUNDS,
    pkginfo: ROUNDS,
    python_index: ROUNDS,
    recipe: ROUNDS,
    recipe_form: ROUNDS,
    recipe_inside: FEW_ROUNDS,
    registry_challenge: ROUNDS,
    registry_logins: ROUNDS,
    served_path: ROUNDS,
    served_range: ROUNDS,
    source_archive: FEW_ROUNDS,
    spdx: FEW_ROUNDS,
    stage0_plan: ROUNDS,
    tar: ROUNDS,
    unpack: FEW_ROUNDS,
    versions: ROUNDS,
    yaml_value: ROUNDS,
}

/// The folder of everything about fuzzing.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Names and bytes of a target's seeds, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join("seeds").join(target);
    let mut seeds: Vec<_> = names(&folder)
        .into_iter()
        .map(|name| {
            let bytes = fs::read(folder.join(&name)).unwrap();
            (name, bytes)
        })
        .collect();
    seeds.sort();
    seeds
}

fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// How many mutations of each seed there are, as whoever starts the test may say.
fn rounds(usual: usize) -> usize {
    std::env::var("BOLTWORKS_FUZZ_ROUNDS").map_or(usual, |rounds| {
        rounds.parse().expect("BOLTWORKS_FUZZ_ROUNDS is a number")
    })
}

/// Runs a target on all its seeds and on mutations of each.
fn replay(name: &str, usual_rounds: usize) {
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("the target is listed");
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let before = times_taken();
    let watch = Watch::begin(name);
    for (seed, bytes) in &seeds {
        watch.run(target.run, bytes, seed, 0);
    }
    for (seed, bytes) in &seeds {
        // What is quadratic shows in the time.
        watch.run(target.run, &grown(bytes), &format!("{seed}, grown"), 0);
    }
    assert!(
        times_taken() > before,
        "{name} takes none of its seeds: they need an update"
    );
    for (seed, bytes) in &seeds {
        let mut base = bytes.clone();
        for round in 1..=rounds(usual_rounds) {
            let mut mutator = Mutator::new(name, seed, round);
            // What was taken is changed further, so that several changes come together.
            if mutator.below(8) == 0 {
                base.clone_from(bytes);
            }
            let mutant = mutator.mutate(&base, &seeds);
            let taken = times_taken();
            watch.run(target.run, &mutant, seed, round);
            if times_taken() > taken {
                base = mutant;
            }
        }
    }
    let inputs = seeds.len() * (1 + rounds(usual_rounds));
    println!(
        "{name}: {inputs} inputs, taken {} times",
        times_taken() - before
    );
}

/// Looks after a target while it runs.
struct Watch {
    name: String,
    /// Which input is being looked at, and its bytes.
    input: Arc<Mutex<(String, Vec<u8>)>>,
    done: mpsc::Sender<()>,
}

impl Watch {
    fn begin(name: &str) -> Self {
        let (done, ended) = mpsc::channel();
        let input = Arc::new(Mutex::new((String::new(), Vec::new())));
        let watch = Self {
            name: name.to_owned(),
            input: Arc::clone(&input),
            done,
        };
        let name = name.to_owned();
        thread::spawn(move || {
            loop {
                match ended.recv_timeout(LONGEST) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        eprintln!("{name} hangs at {}", keep(&name, &input.lock().unwrap()));
                        std::process::abort();
                    }
                }
            }
        });
        watch
    }

    /// Runs one input, which is kept as a file if it is at fault.
    fn run(&self, target: fn(&[u8]), bytes: &[u8], seed: &str, round: usize) {
        let input = (format!("mutation {round} of {seed}"), bytes.to_vec());
        *self.input.lock().unwrap() = input;
        let outcome = panic::catch_unwind(|| target(bytes));
        self.done.send(()).expect("the watch goes on");
        if outcome.is_err() {
            let input = self.input.lock().unwrap();
            panic!("{} fails at {}", self.name, keep(&self.name, &input));
        }
    }
}

/// Keeps the input of a failure as a file; says which it is and where it is kept.
fn keep(name: &str, (input, bytes): &(String, Vec<u8>)) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    fs::write(&path, bytes).unwrap();
    format!("{input}: {}", path.display())
}

/// A seed many times, its longest line many times within.
fn grown(seed: &[u8]) -> Vec<u8> {
    let lines = seed.split_inclusive(|&byte| byte == b'\n');
    let longest = lines.max_by_key(|line| line.len()).unwrap_or_default();
    let mut bytes = Vec::new();
    while bytes.len() < LARGEST && !seed.is_empty() {
        bytes.extend_from_slice(seed);
        bytes.extend(longest.trim_ascii_end().repeat(8));
    }
    bytes.truncate(LARGEST);
    bytes
}

/// Changes bytes as chance has it, the same for the same seed and round.
struct Mutator(u64);

/// What many formats take for something special.
const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b"#",
    b":",
    b": ",
    b"- ",
    b"=",
    b" = ",
    b"..",
    b"/",
    b"../",
    b"~",
    b"@",
    b"!",
    b"&a ",
    b"*a",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b"${{",
    b"}}",
    b"|",
    b"\\",
    b",",
    b"-",
    b"_",
    b"%2e",
    b"null",
    b"\xc3\xa4",
    b"\xff",
    b"\xef\xbb\xbf",
    b"-r0",
    b"://",
];
/// Numbers at the ends of what types hold.
const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"00",
    b"127",
    b"256",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999999999999999999",
    b"1e9999",
    b"0.1",
    b"0777",
];
/// The same for fields of bytes.
const VALUES: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x10000,
    1 << 31,
    u32::MAX as u64,
    1 << 63,
    u64::MAX,
];

impl Mutator {
    fn new(target: &str, seed: &str, round: usize) -> Self {
        // FNV-1a, so that neighbours have nothing in common; never 0, where xorshift stays.
        let text = format!("{target}/{seed}/{round}");
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`; 0 where there is none.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap_or(0) % end.max(1)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A range of at most `longest` bytes; of larger ones, some are whole blocks of a tar.
    fn range(&mut self, bytes: &[u8], longest: usize) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let length = self.below(longest.min(bytes.len() - start) + 1);
        if longest > BLOCK && self.below(2) == 0 {
            let end = (start + length).next_multiple_of(BLOCK).min(bytes.len());
            return start / BLOCK * BLOCK..end;
        }
        start..start + length
    }

    fn mutate(&mut self, seed: &[u8], others: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        let changes = 1 + self.below(4) * self.below(2);
        for _ in 0..changes {
            match self.below(16) {
                0..2 => self.change_bits(&mut bytes),
                2..4 => self.change_sign(&mut bytes),
                4 => bytes.truncate(self.below(bytes.len() + 1)),
                5 => drop(bytes.drain(self.range(&bytes, 64))),
                6 => drop(bytes.drain(self.range(&bytes, 4 * BLOCK))),
                7 => self.repeat(&mut bytes),
                8..10 => self.splice(&mut bytes, others),
                10 => self.set_field(&mut bytes),
                11..13 => self.set_number(&mut bytes),
                13 => self.put_token(&mut bytes),
                _ => self.move_line(&mut bytes),
            }
        }
        bytes.truncate(LARGEST);
        bytes
    }

    fn change_bits(&mut self, bytes: &mut [u8]) {
        let at = self.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
    }

    /// A letter for a letter, a digit for a digit.
    fn change_sign(&mut self, bytes: &mut [u8]) {
        let at = self.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            let all: &[u8] = match byte {
                b'0'..=b'9' => b"0123456789",
                b'a'..=b'z' => b"abcdefrstuxyz",
                b'A'..=b'Z' => b"ACDEFIKLMPRSTVXZ",
                _ => b" \t\n.,:;=-+~_/\\|!?@#$%^&*<>()[]{}'\"`",
            };
            *byte = self.one_of(all);
        }
    }

    fn repeat(&mut self, bytes: &mut Vec<u8>) {
        let part = bytes[self.range(bytes, 512)].to_vec();
        let times = 1 + self.below(8);
        let at = self.below(bytes.len() + 1);
        bytes.splice(at..at, part.repeat(times));
    }

    /// A part of another seed, put in or in the place of as much.
    fn splice(&mut self, bytes: &mut Vec<u8>, others: &[(String, Vec<u8>)]) {
        let other = &others[self.below(others.len())].1;
        let part = &other[self.range(other, 4 * BLOCK)];
        let place = self.range(bytes, 4 * BLOCK);
        let end = if self.below(2) == 0 {
            place.start
        } else {
            bytes.len().min(place.start + part.len())
        };
        bytes.splice(place.start..end, part.iter().copied());
    }

    /// A length or the like, in either byte order.
    fn set_field(&mut self, bytes: &mut [u8]) {
        let value = self.one_of(VALUES);
        let width = self.one_of(&[1, 2, 4, 8]);
        let field = if self.below(2) == 0 {
            value.to_le_bytes()[..width].to_vec()
        } else {
            value.to_be_bytes()[8 - width..].to_vec()
        };
        let at = self.below(bytes.len());
        if let Some(place) = bytes.get_mut(at..at + width) {
            place.copy_from_slice(&field);
        }
    }

    /// A number in text.
    fn set_number(&mut self, bytes: &mut Vec<u8>) {
        let is_start = |at: &usize| {
            bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_digit())
        };
        let starts: Vec<usize> = (0..bytes.len()).filter(is_start).collect();
        if starts.is_empty() {
            return;
        }
        let start = self.one_of(&starts);
        let length = bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        bytes.splice(start..start + length, self.one_of(NUMBERS).iter().copied());
    }

    fn put_token(&mut self, bytes: &mut Vec<u8>) {
        let token = self.one_of(TOKENS);
        let place = self.range(bytes, 2);
        bytes.splice(place, token.iter().copied());
    }

    /// Takes a line out and puts it elsewhere, or in the place of another.
    fn move_line(&mut self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        if lines.len() < 2 {
            return;
        }
        let line = lines.remove(self.below(lines.len()));
        let at = self.below(lines.len());
        if self.below(2) == 0 {
            lines[at] = line;
        } else {
            lines.insert(at, line);
        }
        *bytes = lines.concat();
    }
}

/// Targets, their doors to libFuzzer, their seeds and this test are about the same things.
#[test]
fn every_target_has_a_door_and_seeds() {
    let mut targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    targets.sort_unstable();
    let mut replayed = REPLAYED.to_vec();
    replayed.sort_unstable();
    assert_eq!(replayed, targets, "left: replayed here, right: targets");
    let doors = names(&folder().join("fuzz_targets"));
    let wanted: Vec<String> = targets
        .iter()
        .map(|target| format!("{target}.rs"))
        .collect();
    assert_eq!(doors, wanted, "left: fuzz/fuzz_targets, right: targets");
    assert_eq!(
        names(&folder().join("seeds")),
        targets,
        "left: fuzz/seeds, right: targets"
    );
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in &targets {
        let entry = format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"");
        assert!(
            manifest.contains(&entry),
            "fuzz/Cargo.toml does not know {target}"
        );
        let door = fs::read_to_string(folder().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(
            door.contains(&format!("boltworks_fuzz_targets::{target}(")),
            "{target}.rs"
        );
    }
    let sizes = targets
        .iter()
        .flat_map(|target| seeds(target))
        .map(|(_, bytes)| bytes.len() as u64);
    let total: u64 = sizes.sum();
    assert!(
        total <= ALL_SEEDS,
        "the seeds have {total} bytes, {ALL_SEEDS} is the limit"
    );
}
