//! Many environments that differ in a few packages: one tree for what they share, and for each a
//! thin one to lie above it.
//!
//! The tests of a recipe with two hundred subpackages want two hundred environments, each with other
//! packages of that recipe and all with the same tools. Laying out each would link the tools two
//! hundred times. Instead the tools are one tree, and each environment has a *layer* above it, with
//! nothing but the few packages' files and the directories around them. Both are lower directories
//! of the guest's overlay, which shows just what one tree of all packages would be.
//!
//! That holds only where the packages above add to what is below and change nothing of it. Where
//! they do (`above` says so), or where that is not worth a thought, the environment is laid as one
//! tree after all, and [`assemble`](crate::assemble()) decides who may replace whose file.
//!
//! A layer is `<digest>/root` like a tree, with a name of its own kind; all that are made together
//! are made in `new-layers`, while `locks/layers` is held, and become durable together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use boltworks_crypto::sha256;
use boltworks_fsx::{Meta, Node, RelPath, Root, Tree, WriteOptions};
use boltworks_model::{PackageName, Sha256};
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::assemble::{Assembly, Belongings, Member, assemble};
use crate::environments::{Environments, Layer, Owner, file_error, name as whole};
use crate::guest;
use crate::listed;
use crate::locked::{Locked, LockedPackage};
use crate::pool::Pool;
use crate::stock::{Stock, Stocked, own, write_notes};

/// An environment, taken apart.
struct Split<'a> {
    locked: &'a Locked,
    /// The packages below, and where each stands in the whole.
    below: (Locked, Vec<usize>),
    /// The packages above, and where each stands in the whole.
    above: (Locked, Vec<usize>),
}

impl<'a> Split<'a> {
    fn new(locked: &'a Locked, own: &BTreeSet<PackageName>) -> Self {
        let part = |is_above: bool| {
            let packages = locked.packages.iter().enumerate();
            let chosen = packages.filter(|(_, package)| own.contains(&package.name) == is_above);
            let (places, packages) = chosen
                .map(|(place, package)| (place, package.clone()))
                .unzip();
            (Locked { packages }, places)
        };
        Self {
            locked,
            below: part(false),
            above: part(true),
        }
    }

    fn has_both(&self) -> bool {
        !self.below.0.packages.is_empty() && !self.above.0.packages.is_empty()
    }

    /// The layer's name: which packages there are, and which of them it is laid over.
    fn name(&self, owner: Owner) -> String {
        let text = format!(
            "layer of {} over {}\n",
            whole(self.locked, owner),
            whole(&self.below.0, owner)
        );
        sha256(text.as_bytes()).to_string()
    }
}

impl Environments {
    /// The trees of many environments, made where they are not there. Of each the lower directories
    /// for a guest, the topmost first. `own` are packages of which each environment has others.
    pub fn ensure_all(
        &self,
        environments: &[Locked],
        own: &BTreeSet<PackageName>,
        store: &Store,
        owner: impl Into<Owner>,
    ) -> Result<Vec<Vec<PathBuf>>, Error> {
        let owner = owner.into();
        let splits: Vec<Split<'_>> = environments
            .iter()
            .map(|locked| Split::new(locked, own))
            .collect();
        let mut shared: BTreeMap<String, PathBuf> = BTreeMap::new();
        for split in &splits {
            let below = &split.below.0;
            let name = whole(below, owner);
            if !below.packages.is_empty() && !shared.contains_key(&name) {
                shared.insert(name, self.ensure(below, store, owner)?.path);
            }
        }
        self.make_layers(&splits, store, owner)?;
        let lowers = splits.iter().map(|split| {
            let below = shared.get(&whole(&split.below.0, owner));
            let layer = self.finished(&split.name(owner), split.locked, false)?;
            Ok(match (below, layer) {
                (Some(below), _) if split.above.0.packages.is_empty() => vec![below.clone()],
                (Some(below), Some(layer)) => vec![layer.path, below.clone()],
                _ => vec![self.ensure(split.locked, store, owner)?.path],
            })
        });
        lowers.collect()
    }

    /// Makes the layers that are not there and can be.
    fn make_layers(&self, splits: &[Split<'_>], store: &Store, owner: Owner) -> Result<(), Error> {
        if self.missing(splits, owner)?.is_empty() {
            return Ok(());
        }
        let lock = RelPath::try_from(format!("locks/{LAYERS}"))?;
        let locking = self.trees.make_dir(&RelPath::try_from("locks")?);
        let _lock = locking
            .and_then(|_| self.trees.lock(&lock, || ()))
            .map_err(|source| file_error("lock the layers", source))?;
        // Somebody else may have made them meanwhile.
        let missing = self.missing(splits, owner)?;
        if missing.is_empty() {
            return Ok(());
        }
        let threads = self.threads()?;
        threads.install(|| match self.lay_layers(&missing, store, owner, true) {
            // A note may name files that are not there: then it goes without notes.
            Err(Error::File { .. } | Error::Content { .. }) => {
                self.lay_layers(&missing, store, owner, false)
            }
            laid => laid,
        })
    }

    /// The environments that want a layer and have none, each layer once. One that was found to be
    /// none is a whole tree already.
    fn missing<'s, 'a>(
        &self,
        splits: &'s [Split<'a>],
        owner: Owner,
    ) -> Result<BTreeMap<String, &'s Split<'a>>, Error> {
        let mut missing = BTreeMap::new();
        for split in splits {
            let name = split.name(owner);
            let is_there = |name: &str| -> Result<bool, Error> {
                Ok(self.finished(name, split.locked, false)?.is_some())
            };
            if split.has_both()
                && !missing.contains_key(&name)
                && !is_there(&name)?
                && !is_there(&whole(split.locked, owner))?
            {
                missing.insert(name, split);
            }
        }
        Ok(missing)
    }

    fn lay_layers(
        &self,
        missing: &BTreeMap<String, &Split<'_>>,
        store: &Store,
        owner: Owner,
        believe: bool,
    ) -> Result<(), Error> {
        let failed = |source| file_error("make a layer", source);
        let new = RelPath::try_from(format!("new-{LAYERS}"))?;
        self.trees.remove_tree(&new).map_err(failed)?;
        let staging = new.push("staging")?;
        let options = WriteOptions {
            ownership: own(&self.trees).map_err(failed)?,
            ..WriteOptions::default()
        };
        let mut folders = Tree::new();
        for folder in [&new, &staging] {
            folders
                .insert(folder.clone(), Node::dir(Meta::new(0o755, 0)))
                .map_err(failed)?;
        }
        folders.write_to(&self.trees, options).map_err(failed)?;
        let yard = Yard {
            folder: self.trees.dir(&new).map_err(failed)?,
            staging: self.trees.dir(&staging).map_err(failed)?,
            options,
            owner,
        };
        let pool = Pool::open(&self.trees)?;
        let notes = self
            .trees
            .make_dir(&RelPath::try_from("stock")?)
            .map_err(failed)?;
        let stock_staging = yard.staging.try_clone().map_err(failed)?;
        let stock = Stock::new((&notes, &pool), stock_staging, owner, believe);
        let mut stocked = BTreeMap::new();
        let mut laid = Vec::new();
        for group in by_foundation(missing) {
            laid.extend(yard.lay_group(&group, &stock, store, &mut stocked)?);
        }
        // The bytes must be durable before the pool offers them to another tree.
        yard.folder.sync_filesystem().map_err(failed)?;
        let fresh = yard.staging.list().map_err(failed)?;
        fresh
            .into_par_iter()
            .try_for_each(|file| pool.admit(&yard.staging, &RelPath::new(file.name)?))?;
        let stocked: Vec<Stocked> = stocked.into_values().collect();
        write_notes(&notes, &stocked).map_err(failed)?;
        for name in laid {
            let name = RelPath::try_from(name.as_str())?;
            yard.folder
                .rename(&name, &self.trees, &name)
                .map_err(failed)?;
        }
        self.trees.sync().map_err(failed)?;
        self.trees.remove_tree(&new).map_err(failed)
    }
}

/// What the folder and the lock of layers in the making are called.
const LAYERS: &str = "layers";

/// Layers over the same packages, by name.
type Group<'m, 's, 'a> = Vec<(&'m String, &'s Split<'a>)>;

fn by_foundation<'m, 's, 'a>(
    missing: &'m BTreeMap<String, &'s Split<'a>>,
) -> Vec<Group<'m, 's, 'a>> {
    let mut groups: BTreeMap<_, Group<'m, 's, 'a>> = BTreeMap::new();
    for (name, split) in missing {
        let group = groups.entry(split.below.0.digest()).or_default();
        group.push((name, *split));
    }
    groups.into_values().collect()
}

/// Where layers are made.
struct Yard {
    folder: Root,
    staging: Root,
    /// Of what this crate itself keeps.
    options: WriteOptions,
    owner: Owner,
}

impl Yard {
    /// Lays the layers of one group, as far as they are layers. Their names.
    fn lay_group<'m>(
        &self,
        group: &Group<'m, '_, '_>,
        stock: &Stock<'_>,
        store: &Store,
        stocked: &mut BTreeMap<Sha256, Stocked>,
    ) -> Result<Vec<&'m String>, Error> {
        let Some((_, first)) = group.first() else {
            return Ok(Vec::new());
        };
        let below = &first.below.0.packages;
        let own = group.iter().flat_map(|(_, split)| &split.above.0.packages);
        fetch(below.iter().chain(own), stock, store, stocked)?;
        let members_below = members(&first.below.0, stocked);
        let ground = ground(&members_below)?;
        let listed_below = listed::lines(&first.below.0, &members_below, &ground)?;
        let laid = group.par_iter().map(|(name, split)| {
            // Whether the packages go together at all, the whole says.
            let members_above = members(&split.above.0, stocked);
            let Ok(own) = assemble(&members_above) else {
                return Ok(None);
            };
            let places = Places {
                below: &split.below.1,
                above: &split.above.1,
            };
            let Some(mut tree) = above(&ground, &own, places)? else {
                return Ok(None);
            };
            let listed_above = listed::lines(&split.above.0, &members_above, &own)?;
            let listed: BTreeMap<_, _> = listed_below.iter().chain(&listed_above).collect();
            let all = members_below.iter().chain(&members_above);
            let architecture = listed::architecture(all);
            let listed = listed.values().copied();
            listed::put_above(&mut tree, &ground.tree, (architecture, listed))?;
            self.lay(name, &tree)?;
            Ok(Some(*name))
        });
        let laid: Vec<Option<&String>> = laid.collect::<Result<_, Error>>()?;
        Ok(laid.into_iter().flatten().collect())
    }

    fn lay(&self, name: &str, tree: &Tree) -> Result<(), Error> {
        let failed = |source| file_error("make a layer", source);
        let name = RelPath::try_from(name)?;
        let root = name.push("root")?;
        let mut folders = Tree::new();
        for folder in [&name, &root] {
            folders
                .insert(folder.clone(), Node::dir(Meta::new(0o755, 0)))
                .map_err(failed)?;
        }
        folders
            .write_to(&self.folder, self.options)
            .map_err(failed)?;
        let layer = Layer {
            root: &self.folder.dir(&root).map_err(failed)?,
            staging: &self.staging,
            owner: self.owner,
        };
        layer.lay(tree)
    }
}

/// Brings packages into hand that are not yet.
fn fetch<'p>(
    packages: impl Iterator<Item = &'p LockedPackage>,
    stock: &Stock<'_>,
    store: &Store,
    stocked: &mut BTreeMap<Sha256, Stocked>,
) -> Result<(), Error> {
    let wanted: BTreeMap<Sha256, &LockedPackage> = packages
        .filter(|package| !stocked.contains_key(&package.sha256))
        .map(|package| (package.sha256, package))
        .collect();
    let fetched: Vec<(Sha256, Stocked)> = wanted
        .into_par_iter()
        .map(|(digest, package)| Ok((digest, stock.package(package, store)?)))
        .collect::<Result<_, Error>>()?;
    stocked.extend(fetched);
    Ok(())
}

fn members<'s>(locked: &Locked, stocked: &'s BTreeMap<Sha256, Stocked>) -> Vec<Member<'s>> {
    let packages = locked.packages.iter();
    packages
        .filter_map(|package| stocked.get(&package.sha256).map(Stocked::member))
        .collect()
}

/// What layers are laid over: the tree below as it lies on disk, but for apk's database.
fn ground(members: &[Member<'_>]) -> Result<Assembly, Error> {
    let mut assembly = assemble(members)?;
    guest::furnish(&mut assembly.tree)?;
    Ok(assembly)
}

/// Where the packages of both parts stand in the whole.
#[derive(Clone, Copy)]
struct Places<'a> {
    below: &'a [usize],
    above: &'a [usize],
}

/// The tree of a layer that makes, over the ground, the whole; nothing where there is none: where a
/// path of the packages above is another package's too, lies beneath a link of the ground, or
/// matters to what a guest is furnished with.
fn above(ground: &Assembly, own: &Assembly, places: Places<'_>) -> Result<Option<Tree>, Error> {
    if contradict(&ground.tree, own) || contradict(&own.tree, ground) {
        return Ok(None);
    }
    let mut layer = Tree::new();
    let insert = |layer: &mut Tree, path: &RelPath, node: Node| {
        let inserted = layer.insert(path.clone(), node);
        inserted
            .map(drop)
            .map_err(|source| file_error("make a layer", source))
    };
    for (path, node) in own.tree.iter() {
        if guest::is_furnished(path) {
            return Ok(None);
        }
        for above in path.ancestors() {
            match ground.tree.get(&above) {
                Some(there) if !there.is_dir() => return Ok(None),
                // What no package above names is as it is below.
                Some(there) if !own.tree.contains(&above) => {
                    insert(&mut layer, &above, there.clone())?;
                }
                _ => {}
            }
        }
        let node = match ground.tree.get(path) {
            None => node.clone(),
            Some(there) if there.is_dir() && node.is_dir() => {
                let place = |origin: &BTreeMap<RelPath, usize>, places: &[usize]| {
                    places.get(*origin.get(path)?).copied()
                };
                let below = place(&ground.origin, places.below);
                let above = place(&own.origin, places.above);
                let is_below = below.is_some_and(|below| above.is_none_or(|above| below < above));
                if is_below { there } else { node }.clone()
            }
            Some(_) => return Ok(None),
        };
        insert(&mut layer, path, node)?;
    }
    layer.ensure_dirs(&Meta::new(0o755, 0));
    Ok(Some(layer))
}

/// Whether a package of one part names a path, be it through a link, that is not a directory in the
/// other part's tree.
fn contradict(tree: &Tree, others: &Assembly) -> bool {
    let elsewhere = others.belongings.iter().filter_map(|paths| match paths {
        Belongings::All => None,
        Belongings::Some(paths) => Some(paths.keys()),
    });
    let mut named = others.origin.keys().chain(elsewhere.flatten());
    named.any(|path| tree.get(path).is_some_and(|there| !there.is_dir()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use boltworks_apk::Control;
    use boltworks_fsx::Kind;
    use proptest::prelude::*;

    use super::*;

    /// A package: whether it is above, and its paths, each with what is there.
    type Made = (bool, BTreeMap<String, u8>);

    fn node(what: u8) -> Node {
        let meta = |mode| Meta::new(mode, i64::from(what));
        match what % 4 {
            0 => Node::symlink(
                meta(0o777),
                ["usr", "../x", "share"][usize::from(what / 4 % 3)],
            ),
            1 => Node::file(meta(0o644), vec![what / 4 % 2]),
            _ => Node::dir(meta(if what > 100 { 0o755 } else { 0o2775 })),
        }
    }

    fn package(paths: &BTreeMap<String, u8>) -> Tree {
        let mut tree = Tree::new();
        for (path, what) in paths {
            let path: RelPath = path.parse().unwrap();
            let is_below_a_directory = path
                .ancestors()
                .all(|above| tree.get(&above).is_none_or(Node::is_dir));
            if is_below_a_directory {
                tree.insert(path, node(*what)).unwrap();
            }
        }
        tree
    }

    /// What an overlay shows.
    fn overlaid(below: &Tree, layer: &Tree) -> Tree {
        let mut whole = below.clone();
        for (path, node) in layer.iter() {
            whole.insert(path.clone(), node.clone()).unwrap();
        }
        whole
    }

    fn shown(tree: &Tree) -> Vec<String> {
        let line = |(path, node): (&RelPath, &Node)| {
            let kind = match &node.kind {
                Kind::File(content) => {
                    format!("{:?}", content.read_vec(boltworks_fsx::Limit::kib(4)))
                }
                other => format!("{other:?}"),
            };
            format!("{path} {:o} {} {kind}", node.meta.mode, node.meta.mtime)
        };
        tree.iter().map(line).collect()
    }

    /// The whole, and what layer and ground show instead.
    fn both(packages: &[Made]) -> Option<(Vec<String>, Vec<String>)> {
        let controls: Vec<Control> = (0..packages.len())
            .map(|number| {
                let text = format!("pkgname = p{number}\npkgver = 1-r0\narch = noarch\nsize = 0\n");
                Control::parse(&text).unwrap()
            })
            .collect();
        let trees: Vec<Tree> = packages.iter().map(|(_, paths)| package(paths)).collect();
        let all: Vec<Member<'_>> = controls
            .iter()
            .zip(&trees)
            .map(|(control, tree)| Member { control, tree })
            .collect();
        let part = |wanted: bool| -> (Vec<usize>, Vec<Member<'_>>) {
            let chosen = all.iter().enumerate();
            let chosen = chosen.filter(|(place, _)| packages[*place].0 == wanted);
            chosen.map(|(place, member)| (place, *member)).unzip()
        };
        let ((below, ground), (places, own)) = (part(false), part(true));
        let ground = super::ground(&ground).ok()?;
        let own = assemble(&own).ok()?;
        let places = Places {
            below: &below,
            above: &places,
        };
        let layer = above(&ground, &own, places).unwrap()?;
        let whole = super::ground(&all).expect("what can be layered can be laid");
        Some((shown(&whole.tree), shown(&overlaid(&ground.tree, &layer))))
    }

    fn made(is_above: bool, paths: &[(&str, u8)]) -> Made {
        let paths = paths.iter().map(|(path, what)| ((*path).to_owned(), *what));
        (is_above, paths.collect())
    }

    #[test]
    fn a_layer_adds_and_changes_nothing() {
        let base = made(false, &[("usr", 2), ("usr/bin", 103), ("bin", 0)]);
        let adds = made(true, &[("usr", 3), ("usr/share/new", 1)]);
        let (whole, seen) = both(&[base.clone(), adds.clone()]).unwrap();
        assert_eq!(whole, seen);
        // Whoever comes first says how a directory is.
        let (whole, seen) = both(&[adds, base.clone()]).unwrap();
        assert_eq!(whole, seen);
        for other in [
            made(true, &[("bin/tool", 1)]),
            made(true, &[("usr/bin", 1)]),
            made(true, &[("etc/passwd", 1)]),
            made(true, &[("usr/bin/gawk", 1)]),
            made(true, &[("usr/bin/automake-1.17", 1)]),
        ] {
            assert_eq!(both(&[base.clone(), other.clone()]), None, "{other:?}");
        }
        // The link `x/x` makes `x/share` a directory, which is a file below.
        let folder = made(true, &[("x/x", 2)]);
        let link = made(true, &[("x/x", 188)]);
        let file = made(false, &[("x/share", 13)]);
        assert_eq!(both(&[folder, link, file]), None);
    }

    proptest! {
        #[test]
        fn what_an_overlay_shows_is_the_whole(
            packages in prop::collection::vec(
                (any::<bool>(), prop::collection::btree_map("(usr|x|share)(/(usr|x|share)){0,2}", any::<u8>(), 0..5)),
                1..5,
            ),
        ) {
            if let Some((whole, seen)) = both(&packages) {
                prop_assert_eq!(whole, seen);
            }
        }
    }
}
