//! From a folder of files to packages in a store, timed; and the compressor alone beside it.
//!
//! ```sh
//! cargo run --release -p boltworks-package --example emission -- pack FOLDER SCRATCH
//! cargo run --release -p boltworks-package --example emission -- gzip FILE [LEVEL]
//! ```
//!
//! `pack` does what a build does once its steps ended: it reads the folder, looks into each file,
//! lints, analyses, compresses, signs and stores, with a key of its own, in `SCRATCH`. `gzip`
//! compresses a file's bytes as a package's are, into a file beside it.
//! `bench/emission` runs both. Prints seconds, plain bytes and compressed bytes.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people, that measures"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use boltworks_apk::gzip::format;
use boltworks_crypto::{RsaPrivateKey, Signer};
use boltworks_fsx::gzip::Gzip;
use boltworks_fsx::{Content, Ownership, RelPath, Root, ScanOptions, Tree};
use boltworks_model::{Ambient, Architecture, Cancel, Clock, Entropy, Timestamp};
use boltworks_package::emit::LEVEL;
use boltworks_package::pack::{Packing, pack, parcels};
use boltworks_recipe::{PipelineLibrary, ResolveOptions, parse_recipe, resolve};
use boltworks_store::Store;

const RECIPE: &str = "
package:
  name: bench
  version: 1
  epoch: 0
  description: a tree of files
  copyright:
    - license: MIT
pipeline:
  - runs: 'true'
";
const EPOCH: Timestamp = Timestamp(1_767_225_600);

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begin = Instant::now();
    let (plain, packed) = match *words.as_slice() {
        ["pack", folder, scratch] => emission(folder.as_ref(), scratch.as_ref())?,
        ["gzip", file] => compression(file.as_ref(), LEVEL)?,
        ["gzip", file, level] => compression(file.as_ref(), level.parse()?)?,
        _ => bail!("usage: emission pack FOLDER SCRATCH | emission gzip FILE [LEVEL]"),
    };
    println!("{:.3} {plain} {packed}", begin.elapsed().as_secs_f64());
    Ok(())
}

fn emission(folder: &Path, scratch: &Path) -> anyhow::Result<(u64, u64)> {
    let library = PipelineLibrary::builtin();
    let recipe = parse_recipe("bench.yaml", RECIPE)?;
    let recipe = resolve(
        &recipe,
        &ResolveOptions::new(Architecture::X86_64, &library),
    )?;
    let scratch = Root::create(scratch)?;
    let store = Store::open(&scratch)?;
    let signer = Signer {
        name: "bench.rsa.pub".to_owned(),
        key: RsaPrivateKey::from_pem(include_bytes!("../tests/it/golden.rsa"))?,
    };
    let packing = Packing {
        recipe: &recipe,
        epoch: EPOCH,
        materials: &[],
        lint_levels: &BTreeMap::new(),
        libraries: None,
        vendor: "bench",
        signer: &signer,
        store: &store,
    };
    let folder = Arc::new(Root::open(folder)?);
    let options = ScanOptions {
        ownership: Ownership::All { uid: 0, gid: 0 },
        ..ScanOptions::default()
    };
    let parcels = parcels(&recipe, |_, _| Ok(Tree::read_from(&folder, options)?))?;
    let cancel = Cancel::default();
    let ambient = Ambient {
        clock: &Nothing,
        entropy: &Nothing,
        sink: &(),
        cancel: &cancel,
    };
    let (packages, _) = pack(&packing, parcels, &ambient)?;
    let entries = packages.iter().map(|built| &built.entry);
    let sizes = entries.map(|entry| (entry.installed_size, entry.size));
    Ok(sizes.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
}

fn compression(file: &Path, level: u32) -> anyhow::Result<(u64, u64)> {
    let (folder, name) = (file.parent(), file.file_name());
    let (folder, name) = folder.zip(name).context("a file's path is expected")?;
    let root = Arc::new(Root::open(folder)?);
    let path = RelPath::try_from(name.to_str().context("a plain name is expected")?)?;
    let len = root.stat(&path)?.context("there is no such file")?.size;
    let content = Content::Path { root, path, len };
    let packed = file.with_extension("gz");
    let work = || {
        let mut gzip = Gzip::new(File::create(&packed)?, format(level))?;
        content.copy_to(&mut gzip)?;
        gzip.finish()
    };
    // In a thread of the pool, as packages are written.
    let (packed, _) = rayon::scope(|_| work())?;
    Ok((len, packed.metadata()?.len()))
}

/// Nobody asks for the time or for chance.
struct Nothing;

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}
}

impl Entropy for Nothing {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}
