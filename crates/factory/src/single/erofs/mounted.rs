//! Layers of EROFS, mounted through the kernel or through FUSE, and taken down again.
//!
//! One layer alone is mounted at the folder that is named. Of an image that folder has in it `merged`, which is
//! the image; `layers/00` and so on, where there are several or it is to be written to; then also `upper`, where
//! what is written goes, and `work`, which is overlayfs'. `.apko-erofs-mount.json` says what is mounted, as
//! apko writes and reads it.
//!
//! Through the kernel root alone mounts, and the kernel reads what is mounted: it is as much to be trusted as what one
//! runs. Through FUSE `erofsfuse` reads it. The folder should be one that nobody else writes to.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::{Architecture, Timestamp};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::ways::{Way, layer_at, take_down_through_fuse};
use crate::Error;
use crate::files::parent;

const STATE: &str = ".apko-erofs-mount.json";
const STATE_LIMIT: Limit = Limit::mib(1);
/// The form of the state that is written and read.
const FORM: u32 = 1;
const MERGED: &str = "merged";
const LAYERS: &str = "layers";
const UPPER: &str = "upper";
const WORK: &str = "work";

/// What is to be mounted, and where.
#[derive(Debug, Clone)]
pub struct MountOrder {
    /// A file that is one layer, or an image; see [`Source::open`].
    pub source: OsString,
    /// The folder. It is made where it is missing.
    pub folder: PathBuf,
    /// Which image of several.
    pub architecture: Architecture,
    /// How; as it is possible, where nothing is said.
    pub way: Option<Way>,
    /// Whether it can be written to.
    pub is_writable: bool,
    /// When.
    pub now: Timestamp,
}

/// What is mounted at a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    #[serde(rename = "schemaVersion")]
    form: u32,
    #[serde(rename = "mode")]
    way: Way,
    source: String,
    dest: String,
    created: String,
    #[serde(default)]
    writable: bool,
    /// In the order in which they are taken down.
    mounts: Vec<String>,
}

/// Mounts it. Gives where its files are.
///
/// # Errors
/// Where that way is not open to who asks, something is mounted there already, or what is named is not of EROFS;
/// then those of the programs that mount. Nothing stays mounted then.
pub fn mount(order: &MountOrder) -> Result<PathBuf, Error> {
    let way = order.way.unwrap_or_else(Way::possible);
    way.verify("mount")?;
    let source = Source::open(&order.source, order.architecture)?;
    for layer in &source.layers {
        layer.reader()?;
    }
    let folder = Root::create(&order.folder)?;
    let place = folder.path_for_children()?;
    if let (false, [layer]) = (source.is_image, source.layers.as_slice()) {
        if order.is_writable {
            return Err(Error::asked(
                "one layer alone cannot be written to",
                "leave out --rw, or name an image",
            ));
        }
        way.mount_layer(&layer.path, &place)?;
        return Ok(place);
    }
    let mounts = mounts(&source, order.is_writable);
    let shown = |name: &String| place.join(name).to_string_lossy().into_owned();
    let state = State {
        form: FORM,
        way,
        source: source.named.clone(),
        dest: place.to_string_lossy().into_owned(),
        created: order.now.to_string(),
        writable: order.is_writable,
        mounts: mounts.iter().map(shown).collect(),
    };
    claim(&folder, &state)?;
    let done = mount_image(&source, (&folder, &place), &state);
    if done.is_err() {
        // What is left is told of by the error itself.
        drop(take_down(&folder, &mounts, way));
        sweep(&folder);
        drop(folder.remove_file(&name(STATE)?));
    }
    done.map(|()| place.join(MERGED))
}

/// Takes down what is mounted at a folder. Gives where what was written is left, if anything was.
///
/// # Errors
/// Where who asks may not, nothing is mounted there, or it is in use: then what is left is mounted still, and can be
/// taken down later.
pub fn unmount(path: &Path) -> Result<Option<PathBuf>, Error> {
    let folder = Root::open(path)?;
    let place = folder.path_for_children()?;
    if let Some(way) = layer_at(&place)? {
        // In a layer, what its files say of mounts is somebody's who made it.
        drop(folder);
        way.verify("unmount")?;
        return unmount_layer(path, way).map(|()| None);
    }
    let text = match folder.read_text(&name(STATE)?, STATE_LIMIT) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => {
            return Err(refused(&path.to_string_lossy(), Errno::INVAL));
        }
        Err(error) => return Err(error.into()),
    };
    let mut state = parse(&text, path)?;
    state.way.verify("unmount")?;
    let names = relative(&state, path)?;
    if let Err((left, error)) = take_down(&folder, &names, state.way) {
        state.mounts = state.mounts.split_off(state.mounts.len() - left);
        write(&folder, &state)?;
        return Err(error);
    }
    sweep(&folder);
    folder.remove_file(&name(STATE)?)?;
    let upper = name(UPPER)?;
    let is_left = folder.exists(&upper)?;
    Ok(is_left.then(|| path.join(UPPER)))
}

fn name(text: &str) -> Result<RelPath, Error> {
    Ok(RelPath::try_from(text)?)
}

/// The names beneath the folder at which something will be mounted, the last first.
fn mounts(source: &Source, is_writable: bool) -> Vec<String> {
    let mut names = vec![MERGED.to_owned()];
    if is_writable || source.layers.len() > 1 {
        let layers = (0..source.layers.len()).rev();
        names.extend(layers.map(|at| format!("{LAYERS}/{at:02}")));
    }
    names
}

/// Says what is about to be mounted, unless something is mounted there.
fn claim(folder: &Root, state: &State) -> Result<(), Error> {
    if state.writable
        && folder.exists(&name(UPPER)?)?
        && !folder.dir(&name(UPPER)?)?.list()?.is_empty()
    {
        return Err(Error::asked(
            format!("in {} is what was written to another mount", state.dest),
            format!("keep or remove {}/{UPPER}", state.dest),
        ));
    }
    let mut draft = folder.draft(&name(STATE)?, 0o600)?;
    put(&mut draft, state)?;
    match draft.commit_new() {
        Ok(_) => Ok(()),
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::AlreadyExists) => {
            Err(Error::asked(
                format!("something is mounted at {} already", state.dest),
                format!("take it down first: apko erofs umount {}", state.dest),
            ))
        }
        Err(error) => Err(error.into()),
    }
}

fn write(folder: &Root, state: &State) -> Result<(), Error> {
    let mut draft = folder.draft(&name(STATE)?, 0o600)?;
    put(&mut draft, state)?;
    draft.commit()?;
    Ok(())
}

fn put(out: &mut dyn std::io::Write, state: &State) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(state).unwrap_or_default() + "\n";
    out.write_all(text.as_bytes()).map_err(|source| {
        let error = boltworks_fsx::Error::Stream {
            action: "say what is mounted",
            source,
        };
        error.into()
    })
}

fn mount_image(
    source: &Source,
    (folder, place): (&Root, &Path),
    state: &State,
) -> Result<(), Error> {
    let merged = folder
        .make_dir(&name(MERGED)?)
        .map(|_| place.join(MERGED))?;
    if let (false, [layer]) = (state.writable, source.layers.as_slice()) {
        return state.way.mount_layer(&layer.path, &merged);
    }
    let layers = folder.make_dir(&name(LAYERS)?)?;
    let mut lower = Vec::new();
    for (at, layer) in source.layers.iter().enumerate() {
        let own = format!("{at:02}");
        layers.make_dir(&name(&own)?)?;
        let path = place.join(LAYERS).join(own);
        state.way.mount_layer(&layer.path, &path)?;
        lower.push(path);
    }
    let quoted: Vec<OsString> = lower.iter().rev().map(|path| quoted(path)).collect();
    let mut options = OsString::from("lowerdir=");
    options.push(quoted.join(OsStr::new(":")));
    if state.writable {
        for (key, own) in [("upperdir", UPPER), ("workdir", WORK)] {
            folder.make_dir(&name(own)?)?;
            options.push(format!(",{key}="));
            options.push(self::quoted(&place.join(own)));
        }
    } else {
        options.push(",ro");
    }
    state.way.overlay(options, &merged)
}

/// A path within the options of overlayfs, which cuts at commas and colons.
fn quoted(path: &Path) -> OsString {
    let mut bytes = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    OsStr::from_bytes(&bytes).to_owned()
}

fn parse(text: &str, path: &Path) -> Result<State, Error> {
    let state: Option<State> = serde_json::from_str(text).ok();
    let state = state.filter(|state| state.form == FORM);
    state.ok_or_else(|| {
        Error::asked(
            format!(
                "what is mounted at {} cannot be read in {STATE}",
                path.display()
            ),
            format!("see `findmnt`, unmount by hand, and remove {STATE}"),
        )
    })
}

/// What is mounted, by its names beneath the folder: none but what is mounted there.
fn relative(state: &State, path: &Path) -> Result<Vec<String>, Error> {
    let is_layer = |name: &str| {
        let number = name.strip_prefix("layers/").unwrap_or_default();
        number.len() >= 2 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let own = |mount: &String| {
        let name = Path::new(mount).strip_prefix(&state.dest).ok()?.to_str()?;
        (name == MERGED || is_layer(name)).then(|| name.to_owned())
    };
    let names = state
        .mounts
        .iter()
        .map(own)
        .collect::<Option<Vec<String>>>();
    names.ok_or_else(|| {
        Error::asked(
            format!(
                "{STATE} in {} names what is not mounted by it",
                path.display()
            ),
            "see `findmnt`, unmount by hand, and remove it",
        )
    })
}

/// Takes down what is mounted at these names, in their order. At an error, how many are left.
fn take_down(folder: &Root, names: &[String], way: Way) -> Result<(), (usize, Error)> {
    for (at, own) in names.iter().enumerate() {
        take_one_down(folder, own, way).map_err(|error| (names.len() - at, error))?;
    }
    Ok(())
}

/// What is no longer mounted is down.
fn take_one_down(folder: &Root, own: &str, way: Way) -> Result<(), Error> {
    let path = name(own)?;
    let above = match path.parent() {
        Some(above) => folder.dir(&above),
        None => folder.try_clone(),
    };
    let above = match above {
        Err(error) if error.is_not_found() => return Ok(()),
        above => above?,
    };
    let place = above
        .path_for_children()?
        .join(Path::new(OsStr::from_bytes(path.file_name())));
    match rustix::mount::unmount(&place, UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(Errno::PERM) if way == Way::Fuse => take_down_through_fuse(&place),
        Err(error) => Err(refused(own, error)),
    }
}

fn unmount_layer(path: &Path, way: Way) -> Result<(), Error> {
    let Some(own) = path.file_name() else {
        return Err(refused(&path.to_string_lossy(), Errno::INVAL));
    };
    let place = Root::open(parent(path))?.path_for_children()?.join(own);
    match rustix::mount::unmount(&place, UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) if way == Way::Fuse => take_down_through_fuse(&place),
        Err(error) => Err(refused(&path.to_string_lossy(), error)),
    }
}

fn refused(what: &str, error: Errno) -> Error {
    let (why, help) = match error {
        Errno::BUSY => (
            "it is in use",
            "leave it, end what has files open in it, and run this again",
        ),
        Errno::INVAL => (
            "nothing is mounted there",
            "name the folder that it was mounted at",
        ),
        _ => ("the kernel refuses", "see `findmnt`"),
    };
    Error::asked(format!("{what} is not unmounted: {why} ({error})"), help)
}

/// Removes the folders that things were mounted at. What is not empty stays: it is somebody's.
fn sweep(folder: &Root) {
    let Ok(place) = folder.path_for_children() else {
        return;
    };
    let layers = name(LAYERS).and_then(|name| Ok(folder.dir(&name)?.list()?));
    for layer in layers.unwrap_or_default() {
        let own = OsStr::from_bytes(&layer.name);
        remove(&place.join(LAYERS).join(own));
    }
    for own in ["work/work", "work/index", WORK, LAYERS, MERGED, UPPER] {
        remove(&place.join(own));
    }
}

fn remove(folder: &Path) {
    if let Err(error) = rustix::fs::rmdir(folder) {
        tracing::debug!(folder = %folder.display(), %error, "stays");
    }
}
