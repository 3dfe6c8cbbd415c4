//! What must be so in an image, held against its files and its configuration.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_fsx::{Kind, Limit, Node, RelPath, Tree};
use boltworks_image::place::{parent_resolved, resolved};
use boltworks_oci::Config;
use boltworks_recipe::image_test::{Check, FileCheck};

use super::{Contents, Fault, Running};
use crate::Error;

/// What looking at an image is called.
pub(super) const STEP: &str = "check";
/// The largest file that is searched.
const SEARCHED: Limit = Limit(64 << 20);
/// Where apk's database is.
const INSTALLED: [&str; 2] = ["usr/lib/apk/db/installed", "lib/apk/db/installed"];
/// Programs that are shells.
const SHELLS: [&str; 9] = [
    "sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "busybox",
];
/// Where programs are.
const PLACES: [&str; 6] = [
    "bin/",
    "sbin/",
    "usr/bin/",
    "usr/sbin/",
    "usr/local/bin/",
    "usr/local/sbin/",
];

impl Running<'_, '_> {
    /// Holds the image against what must be so.
    pub(super) fn check(&mut self, check: &Check) -> Result<Option<Fault>, Error> {
        self.say("== check")?;
        let wrong = faults(&self.contents, check)?;
        for line in &wrong {
            self.say(&format!("✗ {line}"))?;
        }
        if wrong.is_empty() {
            self.say("all is as it must be")?;
        }
        let how = match wrong.as_slice() {
            [] => return Ok(None),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
        };
        Ok(Some(Fault {
            step: STEP,
            how,
            code: None,
            script: String::new(),
        }))
    }

    pub(super) fn say(&mut self, line: &str) -> Result<(), Error> {
        Ok(self.log.bytes(format!("{line}\n").as_bytes())?)
    }
}

fn faults(contents: &Contents, check: &Check) -> Result<Vec<String>, Error> {
    let Contents { tree, config } = contents;
    let mut wrong = of_config(config, check);
    if let Some(wanted) = check.shell {
        let shells = shells(tree);
        match (wanted, shells.first()) {
            (false, Some(shell)) => wrong.push(format!("there is a shell, /{shell}")),
            (true, None) => wrong.push("there is no shell".to_owned()),
            _ => {}
        }
    }
    if let Some(most) = check.max_size {
        let sizes = tree.iter().filter_map(|(_, node)| match &node.kind {
            Kind::File(content) => Some(content.len()),
            _ => None,
        });
        let size: u64 = sizes.sum();
        if size > most {
            wrong.push(format!("its files have {size} bytes, more than {most}"));
        }
    }
    let packages = packages(tree)?;
    let missing = check
        .present
        .iter()
        .filter(|name| !packages.contains(*name));
    wrong.extend(missing.map(|name| format!("package {name} is not in it")));
    let there = check.absent.iter().filter(|name| packages.contains(*name));
    wrong.extend(there.map(|name| format!("package {name} is in it")));
    for file in &check.files {
        wrong.extend(of_file(tree, file)?);
    }
    Ok(wrong)
}

fn of_config(config: &Config, check: &Check) -> Vec<String> {
    let process = &config.process;
    let mut wrong = Vec::new();
    let mut hold = |what: &str, wanted: Option<String>, found: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            wrong.push(format!("{what} is '{found}', not '{wanted}'"));
        }
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let words = |words: &Option<Vec<String>>| words.clone().unwrap_or_default().join(" ");
    hold("the user", check.user.clone(), text(&process.user));
    hold(
        "the working folder",
        check.work_dir.clone(),
        text(&process.working_dir),
    );
    let wanted = |words: &Option<Vec<String>>| words.as_ref().map(|words| words.join(" "));
    hold(
        "the entry point",
        wanted(&check.entrypoint),
        words(&process.entrypoint),
    );
    hold("the arguments are", wanted(&check.cmd), words(&process.cmd));
    let set: BTreeMap<&str, &str> = process
        .env
        .iter()
        .filter_map(|line| line.split_once('='))
        .collect();
    for (name, wanted) in &check.environment {
        let found = set.get(name.as_str()).copied().unwrap_or_default();
        hold(
            &format!("the variable {name}"),
            Some(wanted.clone()),
            found.to_owned(),
        );
    }
    wrong
}

fn shells(tree: &Tree) -> Vec<String> {
    let places = PLACES.iter();
    let names = places.flat_map(|place| SHELLS.iter().map(move |shell| format!("{place}{shell}")));
    names
        .filter(|name| {
            let path = RelPath::try_from(name.as_str());
            path.is_ok_and(|path| tree.get(&path).is_some_and(|node| !node.is_dir()))
        })
        .collect()
}

/// The packages that the image's own database names.
fn packages(tree: &Tree) -> Result<BTreeSet<String>, Error> {
    for place in INSTALLED {
        let path = resolved(tree, &RelPath::try_from(place)?);
        let Ok(path) = path else {
            continue;
        };
        let Some(content) = tree.file(&path) else {
            continue;
        };
        let bytes = content
            .read_vec(SEARCHED)
            .map_err(|source| unread(&path, source))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let names = text.lines().filter_map(|line| line.strip_prefix("P:"));
        return Ok(names.map(str::to_owned).collect());
    }
    Ok(BTreeSet::new())
}

fn unread(path: &RelPath, source: std::io::Error) -> Error {
    boltworks_image::Error::Content {
        path: path.clone(),
        source,
    }
    .into()
}

/// What a path names, with links to folders followed, but for the last part. What leads in a circle
/// leads to nothing.
fn found<'t>(tree: &'t Tree, text: &str) -> Result<Option<(RelPath, &'t Node)>, Error> {
    let Ok(path) = parent_resolved(tree, &RelPath::try_from(text)?) else {
        return Ok(None);
    };
    Ok(tree.get(&path).map(|node| (path, node)))
}

fn of_file(tree: &Tree, check: &FileCheck) -> Result<Vec<String>, Error> {
    let name = &check.path;
    let found = found(tree, name)?;
    let Some((path, node)) = found else {
        return Ok(if check.absent {
            Vec::new()
        } else {
            vec![format!("/{name} is not there")]
        });
    };
    if check.absent {
        return Ok(vec![format!("/{name} is there")]);
    }
    let mut wrong = Vec::new();
    let kind = match &node.kind {
        Kind::Dir => "directory",
        Kind::Symlink(_) => "symlink",
        Kind::File(_) | Kind::Hardlink(_) => "file",
        _ => "something else",
    };
    if let Some(wanted) = check.kind.as_deref().filter(|wanted| *wanted != kind) {
        wrong.push(format!("/{name} is a {kind}, not a {wanted}"));
    }
    let meta = &node.meta;
    if let Some(wanted) = check.mode.filter(|wanted| *wanted != meta.mode) {
        wrong.push(format!(
            "/{name} has the mode {:#o}, not {wanted:#o}",
            meta.mode
        ));
    }
    for (what, wanted, own) in [
        ("owner", check.uid, meta.uid),
        ("group", check.gid, meta.gid),
    ] {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != own) {
            wrong.push(format!("/{name} has the {what} {own}, not {wanted}"));
        }
    }
    if let Some(wanted) = &check.target {
        let target = match &node.kind {
            Kind::Symlink(target) => String::from_utf8_lossy(target).into_owned(),
            _ => String::new(),
        };
        if target != *wanted {
            wrong.push(format!("/{name} leads to '{target}', not to '{wanted}'"));
        }
    }
    if let Some(wanted) = &check.contains {
        let content = tree.file(&path);
        let bytes = content
            .map(|content| content.read_vec(SEARCHED))
            .transpose();
        let bytes = bytes.map_err(|source| unread(&path, source))?;
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if !text.is_some_and(|text| text.contains(wanted.as_str())) {
            wrong.push(format!("/{name} does not contain '{wanted}'"));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::Meta;

    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        let mut put = |path: &str, node: Node| {
            tree.insert(path.parse().unwrap(), node).unwrap();
        };
        put(
            "etc/passwd",
            Node::file(Meta::new(0o644, 0), "root:x:0:0\n".as_bytes()),
        );
        put("bin", Node::symlink(Meta::new(0o777, 0), "usr/bin"));
        put(
            "usr/bin/dash",
            Node::file(Meta::new(0o755, 0), "".as_bytes()),
        );
        put("usr/bin/sh", Node::symlink(Meta::new(0o777, 0), "dash"));
        put(
            "usr/lib/apk/db/installed",
            Node::file(Meta::new(0o644, 0), "P:one\nV:1\n\nP:two\n".as_bytes()),
        );
        tree
    }

    fn told(text: &str) -> String {
        let test = boltworks_recipe::parse_image_test("t", text).unwrap();
        let config = Config {
            process: boltworks_oci::Process {
                user: Some("65532".to_owned()),
                env: vec!["A=1".to_owned()],
                entrypoint: Some(vec!["/a".to_owned(), "-b".to_owned()]),
                ..boltworks_oci::Process::default()
            },
            ..boltworks_oci::read_config(
                br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
            )
            .unwrap()
        };
        let contents = Contents {
            tree: tree(),
            config,
        };
        faults(&contents, &test.check).unwrap().join("; ")
    }

    #[test]
    fn what_is_so_is_not_told() {
        let text = "check:\n  user: '65532'\n  entrypoint: /a -b\n  environment: {A: '1'}\n  shell: true\n  max-size: 1KiB\n  packages: {present: [one], absent: [three]}\n  files:\n  - {path: /etc/passwd, mode: 0o644, uid: 0, gid: 0, type: file, contains: 'root:'}\n  - {path: /bin/sh, type: symlink, target: dash}\n  - {path: /etc/shadow, absent: true}\n";
        assert_eq!(told(text), "");
    }

    #[test]
    fn what_is_not_so_is_told() {
        assert_eq!(
            told("check: {user: root, shell: false, max-size: 1}\n"),
            "the user is '65532', not 'root'; there is a shell, /usr/bin/sh; its files have 28 bytes, more than 1"
        );
        assert_eq!(
            told("check: {packages: {present: [three], absent: [two]}}\n"),
            "package three is not in it; package two is in it"
        );
        assert_eq!(
            told(
                "check:\n  files:\n  - {path: /etc/passwd, mode: 0o600, uid: 1, contains: x1}\n  - {path: /bin/dash, absent: true}\n  - {path: /srv}\n"
            ),
            "/etc/passwd has the mode 0o644, not 0o600; /etc/passwd has the owner 0, not 1; /etc/passwd does not contain 'x1'; /bin/dash is there; /srv is not there"
        );
    }
}
