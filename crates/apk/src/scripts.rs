//! What a package runs when it comes and goes.

use std::collections::BTreeMap;
use std::fmt;

/// When a script runs. Ordered as packages hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptKind {
    /// When a directory changed that the package watches.
    Trigger,
    /// Before the package's files appear.
    PreInstall,
    /// After the package's files appeared.
    PostInstall,
    /// Before the package's files go.
    PreDeinstall,
    /// After the package's files went.
    PostDeinstall,
    /// Before another version's files are replaced.
    PreUpgrade,
    /// After another version's files were replaced.
    PostUpgrade,
}

impl ScriptKind {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Trigger,
        Self::PreInstall,
        Self::PostInstall,
        Self::PreDeinstall,
        Self::PostDeinstall,
        Self::PreUpgrade,
        Self::PostUpgrade,
    ];

    /// The script's name, without the dot in front: `post-install`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDeinstall => "pre-deinstall",
            Self::PostDeinstall => "post-deinstall",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
        }
    }

    /// The kind of that [name](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ScriptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The scripts of one package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scripts(BTreeMap<ScriptKind, Vec<u8>>);

impl Scripts {
    /// None.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a script; what it was before is returned.
    pub fn insert(&mut self, kind: ScriptKind, text: Vec<u8>) -> Option<Vec<u8>> {
        self.0.insert(kind, text)
    }

    /// The script of one kind.
    pub fn get(&self, kind: ScriptKind) -> Option<&[u8]> {
        self.0.get(&kind).map(Vec::as_slice)
    }

    /// All scripts, in the order of their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (ScriptKind, &[u8])> {
        self.0.iter().map(|(&kind, text)| (kind, text.as_slice()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ScriptKind, Vec<u8>)> for Scripts {
    fn from_iter<I: IntoIterator<Item = (ScriptKind, Vec<u8>)>>(scripts: I) -> Self {
        Self(scripts.into_iter().collect())
    }
}
