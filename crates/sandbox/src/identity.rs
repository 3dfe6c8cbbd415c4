//! Whose processes a guest's are, seen from the host.

use boltworks_fsx::{Limit, RelPath, Root};

use crate::{Refused, refusal};

/// Who steps run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The host's uid, and gid.
    pub(crate) build_uid: u32,
    /// The same, where the first process must become that user: the factory runs as root.
    pub(crate) become_uid: Option<u32>,
}

impl Identity {
    /// An ordinary user's steps run as that user. Root's run as `build_uid`, never as root: a
    /// process with the host's uid 0 may write sysctls even without capabilities.
    pub(crate) fn choose(build_uid: u32) -> Result<Self, Refused> {
        let own = rustix::process::geteuid();
        if !own.is_root() {
            return Ok(Self {
                build_uid: own.as_raw(),
                become_uid: None,
            });
        }
        if build_uid == 0 {
            return Err(refusal::root_as_build_user());
        }
        let map = Root::open("/proc/self".as_ref())
            .and_then(|proc| proc.read_text(&RelPath::try_from("uid_map")?, Limit::mib(1)))
            .map_err(|error| refusal::no_proc(&error))?;
        let map = Map::parse(&map);
        if map.outside(build_uid).is_some() {
            return Ok(Self {
                build_uid,
                become_uid: Some(build_uid),
            });
        }
        // Root of a user namespace that knows no such uid: harmless if root is not root outside.
        match map.outside(0) {
            Some(0) | None => Err(refusal::unmapped_build_user(build_uid)),
            Some(_) => Ok(Self {
                build_uid: 0,
                become_uid: None,
            }),
        }
    }
}

/// A user namespace's table of ids: first inside, first outside, how many (`user_namespaces(7)`).
struct Map(Vec<(u32, u32, u32)>);

impl Map {
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut numbers = line
                .split_ascii_whitespace()
                .map(|number| number.parse().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The id outside, if there is one.
    fn outside(&self, id: u32) -> Option<u32> {
        self.0.iter().find_map(|(inside, outside, count)| {
            let offset = id.checked_sub(*inside).filter(|offset| offset < count)?;
            outside.checked_add(offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Map;

    #[test]
    fn ids_are_mapped_by_ranges() {
        let everything = Map::parse("         0          0 4294967295\n");
        assert_eq!(everything.outside(64_999), Some(64_999));
        let rootless = Map::parse("0 1000 1\n1 100000 65536\n");
        assert_eq!(rootless.outside(0), Some(1000));
        assert_eq!(rootless.outside(64_999), Some(164_998));
        assert_eq!(rootless.outside(65_537), None);
        assert_eq!(Map::parse("0 1000 1\n").outside(64_999), None);
        assert_eq!(Map::parse("garbage\n").outside(0), None);
    }
}
