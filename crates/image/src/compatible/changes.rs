//! What the image file changes once the packages are there: accounts, paths, certificates, keys,
//! services, busybox's links.

use std::sync::Arc;

use boltworks_apk::Control;
use boltworks_crypto::sha256;
use boltworks_fsx::Limit;
use boltworks_recipe::resolved::{Accounts, Image, PathKind, PathMutation};
use boltworks_rootfs::Opened;

use super::files::{Fault, Files, Id, What};
use super::names::{base, dir, join};
use crate::certificates::{self, BUNDLES, FOLDER, JAVA, provided_files};
use crate::keystore::{self, Trusted};
use crate::place::verify_name;
use crate::{Error, pem};

/// No file that is read here to be changed or understood is larger.
const TEXT_LIMIT: Limit = Limit::mib(64);
const BUSYBOX: &[u8] = b"/bin/busybox";
/// The home of who has none.
const HOMELESS: &str = "/dev/null";
/// What others may do with a file of which they are to be given nothing unasked.
const OTHERS: u32 = 0o6022;

fn fault(what: impl Into<String>) -> impl FnOnce(Fault) -> Error {
    let what = what.into();
    move |fault| Error::refused(what, fault.words())
}

/// A file's bytes, if it is there.
pub(super) fn text(files: &Files, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let Ok(id) = files.existing_file(path.as_bytes()) else {
        return Ok(None);
    };
    let bytes = files.get(id).content().read_vec(TEXT_LIMIT);
    bytes.map(Some).map_err(|source| Error::Write {
        action: "read a file of the image that is to be changed",
        source,
    })
}

/// Lines of `:`-separated fields, as many as there must be.
pub(super) fn table(bytes: &[u8], fields: usize) -> Vec<Result<Vec<String>, String>> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(|line| {
        let parts: Vec<String> = line.trim().split(':').map(str::to_owned).collect();
        if parts.len() == fields {
            Ok(parts)
        } else {
            Err(line.to_owned())
        }
    });
    lines.collect()
}

/// A number as apko reads and writes it again.
pub(super) fn number(text: &str) -> Option<u32> {
    let number: i64 = text.parse().ok()?;
    Some(u32::try_from(number.rem_euclid(1 << 32)).unwrap_or_default())
}

/// Adds users and groups, and makes every user's home that is missing.
pub(super) fn accounts(files: &mut Files, accounts: &Accounts) -> Result<(), Error> {
    if !accounts.groups.is_empty() {
        let mut lines = rows(files, ("etc/group", 0o644, 4), &[2])?;
        let added = accounts.groups.iter().map(|group| {
            let members = group.members.join(",");
            format!("{}:x:{}:{members}", group.groupname, group.gid)
        });
        lines.extend(added);
        rewrite(files, "etc/group", &lines)?;
    }
    let mut lines = rows(files, ("etc/passwd", 0o644, 7), &[2, 3])?;
    lines.extend(accounts.users.iter().map(|user| {
        let (name, uid, gid) = (&user.username, user.uid, user.gid);
        let (home, shell) = (&user.homedir, &user.shell);
        format!("{name}:x:{uid}:{gid}:Account created by apko:{home}:{shell}")
    }));
    for line in &lines {
        home(files, line)?;
    }
    rewrite(files, "etc/passwd", &lines)?;
    if !accounts.users.is_empty() {
        let mut lines = rows(files, ("etc/shadow", 0o640, 9), &[])?;
        // The time of the last change is read and not written again.
        for line in &mut lines {
            let mut parts: Vec<&str> = line.split(':').collect();
            if let Some(changed) = parts.get_mut(2) {
                *changed = "";
            }
            *line = parts.join(":");
        }
        lines.extend(
            accounts
                .users
                .iter()
                .map(|user| format!("{}:!:::::::", user.username)),
        );
        rewrite(files, "etc/shadow", &lines)?;
    }
    Ok(())
}

/// The lines of a table, which is made where it is missing.
fn rows(
    files: &mut Files,
    (path, mode, fields): (&str, u32, usize),
    numbers: &[usize],
) -> Result<Vec<String>, Error> {
    files.file(path.as_bytes(), mode).map_err(fault(path))?;
    let bytes = text(files, path)?.unwrap_or_default();
    let mut lines = Vec::new();
    for row in table(&bytes, fields) {
        let wrong =
            |line: &str| Error::refused(format!("/{path}"), format!("'{line}' is no line of it"));
        let mut row = row.map_err(|line| wrong(&line))?;
        for at in numbers {
            if let Some(field) = row.get_mut(*at) {
                *field = number(field).ok_or_else(|| wrong(field))?.to_string();
            }
        }
        lines.push(row.join(":"));
    }
    Ok(lines)
}

fn rewrite(files: &mut Files, path: &str, lines: &[String]) -> Result<(), Error> {
    let lines = lines.iter().flat_map(|line| [line.as_str(), "\n"]);
    let text: String = lines.collect();
    let written = files.write(path.as_bytes(), text.into_bytes(), 0o644);
    written.map(|_| ()).map_err(fault(path))
}

fn home(files: &mut Files, line: &str) -> Result<(), Error> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, _] = fields.as_slice() else {
        return Ok(());
    };
    if *home == HOMELESS {
        return Ok(());
    }
    let what = || format!("accounts: the home '{home}' of '{name}'");
    match files.find(home.as_bytes()) {
        Ok(id) if files.get(id).is_dir() => return Ok(()),
        Ok(_) => return Err(Error::refused(what(), Fault::NotDirectory.words())),
        Err(Fault::Missing) => {}
        Err(other) => return Err(fault(what())(other)),
    }
    let inside = home.trim_start_matches('/');
    verify_name(&boltworks_fsx::RelPath::new(super::names::clean(
        inside.as_bytes(),
    ))?)?;
    files
        .make_dirs(&dir(home.as_bytes()), 0o755)
        .map_err(fault(what()))?;
    let id = files
        .make_dir(home.as_bytes(), 0o700)
        .map_err(fault(what()))?;
    let made = files.get_mut(id);
    (made.uid, made.gid) = (number(uid).unwrap_or(0), number(gid).unwrap_or(0));
    Ok(())
}

/// Carries out the `paths` of the image file. What is said of a link is done to what it leads to,
/// unless it would give others something that was not theirs; those that were left are told.
pub(super) fn paths(files: &mut Files, paths: &[PathMutation]) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    for (at, mutation) in paths.iter().enumerate() {
        let what = format!("paths[{at}] {}", mutation.path);
        let path = mutation.path.as_bytes();
        let inside = super::names::clean(&[b"/", path].concat());
        if let Ok(path) = boltworks_fsx::RelPath::new(inside.get(1..).unwrap_or_default()) {
            verify_name(&path)?;
        }
        make(files, mutation).map_err(fault(what.clone()))?;
        let is_alone = mutation.kind == PathKind::Permissions;
        if mutation.recursive
            && let Ok(top) = files.find(path)
        {
            change_all(files, (path, top), mutation, &mut left);
            continue;
        }
        let changed = change(files, path, mutation, &mut left);
        if is_alone {
            changed.map_err(fault(what))?;
        }
    }
    Ok(left)
}

fn make(files: &mut Files, mutation: &PathMutation) -> Result<(), Fault> {
    let path = mutation.path.as_bytes();
    let source = mutation.source.as_deref().unwrap_or_default().as_bytes();
    match mutation.kind {
        PathKind::Permissions => return Ok(()),
        PathKind::Directory => {
            let mode = mutation.permissions.unwrap_or(0);
            return files.make_dirs(path, mode & 0o7777).map(|_| ());
        }
        PathKind::EmptyFile | PathKind::Hardlink | PathKind::Symlink => {
            files.make_dirs(&dir(path), 0o755)?;
        }
    }
    match mutation.kind {
        PathKind::EmptyFile => files.write(path, Vec::new(), 0o644)?,
        PathKind::Hardlink => {
            if files.find(path).is_ok() {
                files.remove(path)?;
            }
            files.link(source, path)?
        }
        _ => files.symlink(source, path)?,
    };
    Ok(())
}

fn change(
    files: &mut Files,
    path: &[u8],
    mutation: &PathMutation,
    left: &mut Vec<String>,
) -> Result<(), Fault> {
    let id = files.find(path)?;
    let mode = mutation.permissions.unwrap_or(0) & 0o7777;
    let is_link = path != b"/" && files.link_at(path).is_some();
    let inode = files.get_mut(id);
    let (uid, gid) = mutation.owner().unwrap_or((inode.uid, inode.gid));
    let gives = mode & !inode.mode & OTHERS != 0 || (uid, gid) != (inode.uid, inode.gid);
    if is_link && gives {
        left.push(String::from_utf8_lossy(path).into_owned());
        return Ok(());
    }
    inode.mode = mode;
    (inode.uid, inode.gid) = (uid, gid);
    Ok(())
}

fn change_all(
    files: &mut Files,
    (path, id): (&[u8], Id),
    mutation: &PathMutation,
    left: &mut Vec<String>,
) {
    let mut todo = vec![(path.to_vec(), id)];
    while let Some((path, id)) = todo.pop() {
        if let What::Dir(children) = &files.get(id).what {
            todo.extend(children.iter().map(|(name, id)| (join(&path, name), *id)));
        }
        // A link that leads nowhere is nothing to change.
        let _is_there = change(files, &path, mutation, left).is_ok();
    }
}

/// Adds the certificates of the image file and of packages, and digests beside every bundle.
pub(super) fn certificates(
    files: &mut Files,
    (image, opened): (&Image, &[Arc<Opened>]),
    time: i64,
) -> Result<(), Error> {
    let mut added = own_certificates(files, image, time)?;
    for path in provided_files(&image.certificate_providers, opened) {
        let found = text(files, path)?.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((pem, der)) = found.and_then(|text| certificates::only(&text)) {
            let alias = format!("pkg-{}", sha256(&der));
            added.push((pem, Trusted { alias, der }));
        }
    }
    if !added.is_empty() {
        trust(files, added, time)?;
    }
    for bundle in BUNDLES.into_iter().chain([JAVA]) {
        if let Some(bytes) = text(files, bundle)? {
            let name = String::from_utf8_lossy(base(bundle.as_bytes())).into_owned();
            let line = format!("{}  {name}\n", sha256(&bytes));
            let above = String::from_utf8_lossy(&dir(bundle.as_bytes())).into_owned();
            let beside = format!("{above}/.{name}.sha256");
            put(files, &beside, line.into_bytes(), (0o444, time))?;
        }
    }
    Ok(())
}

/// Puts certificates into the bundles and into Java's store.
fn trust(files: &mut Files, added: Vec<(String, Trusted)>, time: i64) -> Result<(), Error> {
    for bundle in BUNDLES {
        if let Some(mut bytes) = text(files, bundle)? {
            for (pem, _) in &added {
                bytes.extend_from_slice(pem.as_bytes());
                bytes.push(b'\n');
            }
            put(files, bundle, bytes, (0o644, time))?;
        }
    }
    let Some(bytes) = text(files, JAVA)? else {
        return Ok(());
    };
    let added: Vec<Trusted> = added.into_iter().map(|(_, trusted)| trusted).collect();
    let millis = u64::try_from(time).unwrap_or_default().saturating_mul(1000);
    let bytes = keystore::with(&bytes, &added, millis).map_err(|reason| {
        let reason = format!("they cannot be added to /{JAVA}: {reason}");
        Error::refused("certificates", reason)
    })?;
    put(files, JAVA, bytes, (0o644, time))
}

/// The certificates of the image file, each a file now.
fn own_certificates(
    files: &mut Files,
    image: &Image,
    time: i64,
) -> Result<Vec<(String, Trusted)>, Error> {
    let mut added = Vec::new();
    for (at, certificate) in image.certificates.iter().enumerate() {
        let what = format!("certificates.additional[{at}]");
        let (pem, der) = certificates::only(&certificate.content)
            .ok_or_else(|| Error::refused(what.as_str(), "it is not one PEM certificate"))?;
        let name = certificate.name.as_deref().unwrap_or_default();
        if !certificates::is_name(name) {
            return Err(Error::refused(what, certificates::NAME_REASON));
        }
        files
            .make_dirs(FOLDER.as_bytes(), 0o755)
            .map_err(fault(what.as_str()))?;
        let alias = format!("{name}-{}", sha256(&der));
        let path = format!("{FOLDER}/{alias}.crt");
        put(files, &path, pem.clone().into_bytes(), (0o644, time))?;
        added.push((pem, Trusted { alias, der }));
    }
    Ok(added)
}

fn put(
    files: &mut Files,
    path: &str,
    bytes: Vec<u8>,
    (mode, time): (u32, i64),
) -> Result<(), Error> {
    let id = files
        .write(path.as_bytes(), bytes, mode)
        .map_err(fault(path))?;
    files.get_mut(id).mtime = time;
    Ok(())
}

/// Adds the keys that only an apk in the image is to trust.
pub(super) fn runtime_keys(files: &mut Files, image: &Image, time: i64) -> Result<(), Error> {
    let mut keys: Vec<_> = image.runtime_keyring.iter().collect();
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    for key in keys {
        let what = format!("contents.runtime_keyring '{}'", key.name.escape_debug());
        let is_name = !key.name.is_empty() && !key.name.contains(['/', '\0', '\n']);
        let pem = pem::only(&key.content, "PUBLIC KEY").filter(|_| is_name);
        let Some((pem, _)) = pem else {
            return Err(Error::refused(
                what,
                "it is not one public key with a file's name",
            ));
        };
        let path = format!("etc/apk/keys/{}", key.name);
        if files.find(path.as_bytes()).is_ok() {
            return Err(Error::refused(what, "another key has that name"));
        }
        put(files, &path, pem.into_bytes(), (0o644, time))?;
    }
    Ok(())
}

/// Writes the run script of each service. Only root can write there, unlike in apko's images.
pub(super) fn services(files: &mut Files, image: &Image) -> Result<(), Error> {
    for (name, command) in &image.services {
        let what = format!("entrypoint.services '{}'", name.escape_debug());
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if !is_name {
            return Err(Error::refused(what, "a name is no path"));
        }
        let folder = format!("sv/{name}");
        files
            .make_dirs(folder.as_bytes(), 0o755)
            .map_err(fault(what.as_str()))?;
        let script = format!("#!/bin/execlineb\n{command}\n");
        files
            .write(
                format!("{folder}/run").as_bytes(),
                script.into_bytes(),
                0o755,
            )
            .map_err(fault(what))?;
    }
    Ok(())
}

/// Links the commands that a list in the image names to busybox. Without a list there are none.
pub(super) fn busybox(files: &mut Files, packages: &[&Control]) -> Result<bool, Error> {
    let Ok(program) = files.find(BUSYBOX) else {
        return Ok(true);
    };
    let mtime = files.get(program).mtime;
    let mut brings = None;
    for package in packages {
        let offers = |package: &Control| {
            let mut offered = package.provides.iter();
            offered.any(|one| one.to_string().contains("busybox"))
        };
        if package.name.as_str() == "busybox" || offers(package) {
            brings = Some(package.name.as_str());
        }
        if package.name.as_str() == "busybox" {
            break;
        }
    }
    let Some(list) = brings.map(|name| format!("/etc/busybox-paths.d/{name}")) else {
        return Ok(false);
    };
    let Some(list) = text(files, &list)? else {
        return Ok(false);
    };
    for link in list.split(|byte| *byte == b'\n') {
        let folder = dir(link);
        if link == BUSYBOX || link.is_empty() || folder == b"." {
            continue;
        }
        let what = || String::from_utf8_lossy(link).into_owned();
        let inside = super::names::clean(&[b"/", link].concat());
        verify_name(&boltworks_fsx::RelPath::new(
            inside.get(1..).unwrap_or_default(),
        )?)?;
        let id = files.make_dirs(&folder, 0o755).map_err(fault(what()))?;
        files.get_mut(id).mtime = mtime;
        match files.symlink(BUSYBOX, link) {
            Ok(_) => {}
            Err(Fault::Exists) => {
                let there = files.itself(link).map(|id| &files.get(id).what);
                if !matches!(there, Ok(What::File | What::Symlink(_))) {
                    return Err(fault(what())(Fault::Exists));
                }
            }
            Err(other) => return Err(fault(what())(other)),
        }
    }
    Ok(true)
}
