//! Where everything of an image will be: known before the first byte is written.

use std::collections::{BTreeMap, HashMap};

use super::folder::{self, Name};
use super::{
    BLOCK, BLOCKS, CHARACTER, COMPACT, EXTENDED, FILE, FOLDER, LINK, MAX_TARGET, PIPE, SLOT,
    attributes, device,
};
use crate::{Error, Kind, Node, RelPath, Tree};

/// The root's place among the inodes.
pub(super) const ROOT: usize = 0;

/// Why some image cannot be: it would have more blocks than have numbers.
const TOO_LARGE: &str = "the image would have more than 16 TiB";
/// The most bytes of one file: blocks have numbers of 32 bits.
const MOST: u64 = BLOCK << 32;

/// An inode that is to be.
pub(super) struct Inode<'t> {
    pub(super) node: &'t Node,
    /// One of its names, for errors.
    path: Option<&'t RelPath>,
    /// How many names it has; of a folder, with those that its own folders have for it.
    pub(super) links: u32,
    /// What is in a folder, by name.
    children: BTreeMap<&'t [u8], usize>,
    /// The folder that a folder is in.
    parent: usize,
    /// Its number.
    pub(super) number: u64,
    pub(super) is_compact: bool,
    /// How many bytes it has beside its attributes.
    pub(super) len: u64,
    /// Where these begin, if not behind it.
    pub(super) block: Option<u32>,
}

impl Inode<'_> {
    /// Type and permissions.
    pub(super) fn mode(&self) -> u16 {
        let bits = u16::try_from(self.node.meta.mode & 0o7777).unwrap_or_default();
        match self.node.kind {
            Kind::Dir => FOLDER | bits,
            Kind::File(_) | Kind::Hardlink(_) => FILE | bits,
            Kind::Symlink(_) => LINK | 0o777,
            Kind::CharDevice { .. } => CHARACTER | bits,
            Kind::BlockDevice { .. } => BLOCKS | bits,
            Kind::Fifo => PIPE | bits,
        }
    }

    /// The type as folders have it.
    const fn kind(&self) -> u8 {
        match self.node.kind {
            Kind::File(_) | Kind::Hardlink(_) => 1,
            Kind::Dir => 2,
            Kind::CharDevice { .. } => 3,
            Kind::BlockDevice { .. } => 4,
            Kind::Fifo => 5,
            Kind::Symlink(_) => 7,
        }
    }

    pub(super) fn refused(&self, reason: &'static str) -> Error {
        let path = self
            .path
            .map_or_else(|| "/".to_owned(), ToString::to_string);
        Error::Entry {
            action: "write into EROFS",
            path,
            reason,
        }
    }
}

/// An image that is to be.
pub(super) struct Plan<'t> {
    inodes: Vec<Inode<'t>>,
    /// Their order.
    pub(super) order: Vec<usize>,
    /// The block in which inodes begin.
    pub(super) first_inode: u32,
    /// How many bytes inodes have with all that is beside them.
    pub(super) inodes_len: u64,
    /// How many blocks there are.
    pub(super) blocks: u32,
}

impl<'t> Plan<'t> {
    /// Where these files will be beneath a root, in an image of this time.
    pub(super) fn of(tree: &'t Tree, root: &'t Node, time: i64) -> Result<Self, Error> {
        let mut plan = Self {
            inodes: inodes(tree, root)?,
            order: Vec::new(),
            first_inode: 0,
            inodes_len: 0,
            blocks: 0,
        };
        plan.order = plan.in_order();
        let mut offset = 0;
        for at in plan.order.clone() {
            offset = plan.place(at, offset, time)?;
        }
        plan.inodes_len = offset;
        plan.find_blocks()?;
        Ok(plan)
    }

    pub(super) fn get(&self, at: usize) -> &Inode<'t> {
        &self.inodes[at]
    }

    /// Folder by folder, what is in one in byte order; what has several names, at its first.
    fn in_order(&self) -> Vec<usize> {
        let mut seen = vec![false; self.inodes.len()];
        let (mut order, mut todo) = (Vec::new(), vec![ROOT]);
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                order.push(at);
                todo.extend(self.get(at).children.values().rev());
            }
        }
        order
    }

    /// The names in a folder, with those of itself and of the one it is in.
    pub(super) fn names(&self, at: usize) -> Vec<Name<'t>> {
        let name = |text: &'t [u8], at: usize| {
            let inode = self.get(at);
            Name {
                text,
                inode: inode.number,
                kind: inode.kind(),
            }
        };
        let folder = self.get(at);
        let own = [name(b".", at), name(b"..", folder.parent)];
        let below = folder.children.iter();
        let mut names: Vec<Name<'t>> = below.map(|(text, at)| name(text, *at)).collect();
        names.extend(own);
        names.sort_unstable_by_key(|name| name.text);
        names
    }

    /// Places an inode behind what is there; where the next may begin.
    fn place(&mut self, at: usize, mut offset: u64, time: i64) -> Result<u64, Error> {
        let inode = self.get(at);
        let len = match &inode.node.kind {
            Kind::Dir => folder::len(&self.names(at)),
            Kind::File(content) => content.len(),
            Kind::Symlink(target) => target.len() as u64,
            _ => 0,
        };
        verify(inode, len)?;
        let meta = &inode.node.meta;
        let is_compact = u16::try_from(meta.uid.max(meta.gid)).is_ok()
            && u16::try_from(inode.links).is_ok()
            && u32::try_from(len).is_ok()
            && meta.mtime == time;
        let core = if is_compact { COMPACT } else { EXTENDED };
        let attributes = attributes::len(&meta.xattrs).map_err(|reason| inode.refused(reason))?;
        let head = core + attributes;
        let is_short = len > 0 && head + len <= BLOCK;
        let has_room = (offset + head) % BLOCK + len <= BLOCK;
        let is_behind = match inode.node.kind {
            Kind::File(_) => is_short && has_room,
            _ => len > 0 && has_room,
        };
        if offset % BLOCK + core > BLOCK {
            offset = offset.next_multiple_of(BLOCK);
        }
        let is_behind = is_behind && offset % BLOCK + head + len <= BLOCK;
        let behind = if is_behind { len } else { 0 };
        let inode = &mut self.inodes[at];
        inode.is_compact = is_compact;
        inode.number = offset / SLOT;
        inode.len = len;
        inode.block = (!is_behind && len > 0).then_some(0);
        Ok(offset + (head + behind).next_multiple_of(SLOT))
    }

    /// Finds the blocks of what is not behind its inode.
    fn find_blocks(&mut self) -> Result<(), Error> {
        let mut next: u64 = 1;
        let narrow = |block: u64, inode: &Inode<'_>| {
            u32::try_from(block).map_err(|_| inode.refused(TOO_LARGE))
        };
        for at in &self.order {
            let inode = &mut self.inodes[*at];
            if inode.block.is_some() {
                inode.block = Some(narrow(next, inode)?);
                next = next.saturating_add(inode.len.div_ceil(BLOCK));
            }
        }
        let root = &self.inodes[ROOT];
        self.first_inode = narrow(next, root)?;
        let all = next.saturating_add(self.inodes_len.div_ceil(BLOCK));
        self.blocks = narrow(all, root)?;
        Ok(())
    }
}

/// The inodes of a tree, with the names that each folder has.
fn inodes<'t>(tree: &'t Tree, root: &'t Node) -> Result<Vec<Inode<'t>>, Error> {
    let mut inodes = vec![inode(root, None)];
    let mut places: HashMap<&[u8], usize> = HashMap::from([(b"".as_slice(), ROOT)]);
    for (path, node) in tree.iter() {
        if !matches!(node.kind, Kind::Hardlink(_)) {
            places.insert(path.as_bytes(), inodes.len());
            inodes.push(inode(node, Some(path)));
        }
    }
    for (path, _) in tree.iter() {
        let target = tree.link_target(path).map(RelPath::as_bytes);
        let at = target.and_then(|target| places.get(target)).copied();
        let at = at.ok_or_else(|| refused(path, "the file that it is a name of is not there"))?;
        let (above, name) = path.split();
        let parent = places.get(above.unwrap_or_default()).copied();
        let parent = parent.filter(|parent| inodes[*parent].node.is_dir());
        let parent = parent.ok_or_else(|| refused(path, "the folder above it is not there"))?;
        inodes[parent].children.insert(name, at);
        inodes[at].links = inodes[at].links.saturating_add(1);
        if inodes[at].node.is_dir() {
            inodes[at].parent = parent;
            inodes[parent].links = inodes[parent].links.saturating_add(1);
        }
    }
    inodes[ROOT].links += 1;
    Ok(inodes)
}

fn inode<'t>(node: &'t Node, path: Option<&'t RelPath>) -> Inode<'t> {
    Inode {
        node,
        path,
        links: u32::from(node.is_dir()),
        children: BTreeMap::new(),
        parent: ROOT,
        number: 0,
        is_compact: false,
        len: 0,
        block: None,
    }
}

fn refused(path: &RelPath, reason: &'static str) -> Error {
    Error::entry("write into EROFS", path, reason)
}

/// Refuses what has no place in the format.
fn verify(inode: &Inode<'_>, len: u64) -> Result<(), Error> {
    match &inode.node.kind {
        _ if len > MOST => Err(inode.refused(TOO_LARGE)),
        Kind::Symlink(target) if target.is_empty() || target.contains(&0) || len > MAX_TARGET => {
            Err(inode.refused("the link's target is empty, too long or has a NUL byte"))
        }
        &(Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor })
            if device(major, minor).is_none() =>
        {
            Err(inode.refused("the device's number is out of range"))
        }
        _ => Ok(()),
    }
}
