//! A registry on loopback that keeps what it is given, and misbehaves on request.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use boltworks_crypto::sha256;

/// How often, of a hundred requests, each thing goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// The connection is reset before the request is read.
    pub(crate) reset: u64,
    /// Nothing is said until the other side gives up.
    pub(crate) stall: u64,
    /// 429 or 500 or 503.
    pub(crate) refuse: u64,
    /// What is asked is done, and the answer is lost.
    pub(crate) lose: u64,
    /// A part of the body is taken, or sent, and then the connection is closed.
    pub(crate) tear: u64,
}

/// What a registry does that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Says of a blob that was sent that it has another digest.
    BlobDigest,
    /// The same of a manifest.
    ManifestDigest,
    /// Says of a manifest that is not there that it is another.
    HeadDigest,
    /// Sends other bytes for blobs.
    BlobBytes,
    /// Sends more bytes for blobs than they have.
    BlobLength,
    /// Sends another manifest than was asked for.
    ManifestBytes,
    /// Sends headers without end.
    EndlessHeaders,
    /// Sends manifests without end.
    EndlessManifest,
    /// Wants what is sent to go to the other server.
    RedirectUpload,
    /// Sends uploads to the other server by `Location`.
    LocationElsewhere,
    /// Has the other server send blobs.
    RedirectBlob,
    /// Forgets uploads after their first piece.
    Forgetful,
    /// Says that it has got more than was sent.
    LargeRange,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// By repository and digest.
    pub(crate) manifests: BTreeMap<String, (String, Vec<u8>)>,
    pub(crate) tags: BTreeMap<String, String>,
    uploads: BTreeMap<u64, Vec<u8>>,
    /// How many uploads there ever were.
    begun: u64,
    /// Requests with their headers, in lower case.
    pub(crate) log: Vec<String>,
    pub(crate) faults: Faults,
    pub(crate) seed: u64,
    pub(crate) lie: Option<Lie>,
    /// What is answered to whoever shows no login: the header's value.
    pub(crate) challenge: Option<String>,
    /// What must be shown.
    pub(crate) wanted: Vec<String>,
    /// Where things are sent that should stay here.
    pub(crate) elsewhere: String,
    /// Whether the list of referrers is kept.
    pub(crate) has_referrers: bool,
    /// What a token server gives, and how often it has.
    pub(crate) token: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    pub(crate) host: String,
}

enum Fault {
    Reset,
    Stall,
    Refuse,
    Lose,
    Tear,
}

impl State {
    /// A number below 100, another one each time.
    fn random(&mut self) -> u64 {
        // SplitMix64.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }

    fn fault(&mut self) -> Option<Fault> {
        let mut at = self.random();
        let faults = self.faults;
        for (share, fault) in [
            (faults.reset, Fault::Reset),
            (faults.stall, Fault::Stall),
            (faults.refuse, Fault::Refuse),
            (faults.lose, Fault::Lose),
            (faults.tear, Fault::Tear),
        ] {
            if at < share {
                return Some(fault);
            }
            at -= share;
        }
        None
    }

    fn lies(&self, lie: Lie) -> bool {
        self.lie == Some(lie)
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self {
            state: Arc::default(),
            host: listener.local_addr().unwrap().to_string(),
        };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // The client may have gone away, which is what some tests are about.
                thread::spawn(move || answer(stream, &state).ok());
            }
        });
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn lying(lie: Lie) -> Self {
        let server = Self::start();
        server.state().lie = Some(lie);
        server
    }

    /// No tag of `team/web` points at anything that is not whole. How many there are.
    pub(crate) fn verify_tags(&self) -> usize {
        let state = self.state();
        for digest in state.tags.values() {
            let (_, bytes) = &state.manifests[&format!("team/web@{digest}")];
            let mut open = vec![bytes.clone()];
            while let Some(bytes) = open.pop() {
                let text = String::from_utf8(bytes).unwrap();
                for word in text.split('"').filter(|word| word.starts_with("sha256:")) {
                    let manifest = state.manifests.get(&format!("team/web@{word}"));
                    let blob = state.blobs.get(word);
                    assert!(manifest.is_some() || blob.is_some(), "{word} is missing");
                    open.extend(manifest.map(|(_, bytes)| bytes.clone()));
                    assert!(blob.is_none_or(|blob| sha256(blob).prefixed() == *word));
                }
            }
        }
        state.tags.len()
    }
}

struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    head: String,
    length: usize,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<Asked> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let asked = Asked {
        method,
        path: path.to_owned(),
        query: pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        length: 0,
        head: head
            .lines()
            .enumerate()
            .map(|(at, line)| match line.split_once(": ") {
                Some((name, value)) if at > 0 => format!("{}: {value}\n", name.to_lowercase()),
                _ => format!("{line}\n"),
            })
            .collect(),
    };
    let length = asked
        .header("content-length")
        .and_then(|text| text.parse().ok());
    Ok(Asked {
        length: length.unwrap_or(0),
        ..asked
    })
}

/// Status, headers, body.
type Reply = (u16, Vec<String>, Vec<u8>);

fn answer(mut stream: TcpStream, shared: &Mutex<State>) -> io::Result<()> {
    let fault = shared.lock().unwrap().fault();
    if matches!(fault, Some(Fault::Reset)) {
        // Closing with unread bytes in the queue makes the system send a reset.
        return stream.read_exact(&mut [0]);
    }
    let asked = read_head(&mut stream)?;
    shared.lock().unwrap().log.push(asked.head.clone());
    let is_torn = matches!(fault, Some(Fault::Tear));
    let takes = if is_torn {
        asked.length / 3
    } else {
        asked.length
    };
    let mut body = vec![0; takes];
    stream.read_exact(&mut body)?;
    match fault {
        Some(Fault::Stall) => {
            return stream.read(&mut [0]).map(drop);
        }
        Some(Fault::Refuse) => {
            let which = shared.lock().unwrap().random() % 3;
            let (status, more) =
                [(429, "Retry-After: 2\r\n"), (500, ""), (503, "")][which as usize];
            return write!(
                stream,
                "HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        _ => {}
    }
    if shared.lock().unwrap().lies(Lie::EndlessHeaders) {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
        loop {
            write!(stream, "X-More: {}\r\n", "x".repeat(1000))?;
        }
    }
    if is_torn && asked.length > 0 {
        // What came of a piece is kept, as registries do.
        if asked.method == "PATCH" {
            let mut state = shared.lock().unwrap();
            take_piece(&mut state, &asked, &body);
        }
        return Ok(());
    }
    let (status, headers, content) = reply(shared, &asked, &body);
    if matches!(fault, Some(Fault::Lose)) {
        return Ok(());
    }
    let state = shared.lock().unwrap();
    let endless = state.lies(Lie::EndlessManifest) && asked.path.contains("/manifests/");
    drop(state);
    let headers: Vec<String> = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let headers = headers.concat();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}Connection: close\r\n"
    )?;
    if endless && asked.method == "GET" {
        write!(stream, "\r\n")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
        }
    }
    write!(stream, "Content-Length: {}\r\n\r\n", content.len())?;
    if asked.method != "HEAD" {
        let sent = if is_torn {
            content.len() / 2
        } else {
            content.len()
        };
        stream.write_all(&content[..sent])?;
    }
    Ok(())
}

fn plain(status: u16) -> Reply {
    (status, Vec::new(), Vec::new())
}

fn reply(shared: &Mutex<State>, asked: &Asked, body: &[u8]) -> Reply {
    let mut state = shared.lock().unwrap();
    if let Some(token) = state.token.clone() {
        let shown = asked.header("authorization").unwrap_or_default().to_owned();
        if !state.wanted.is_empty() && !state.wanted.contains(&shown) {
            return plain(401);
        }
        return (
            200,
            Vec::new(),
            format!(r#"{{"token":"{token}"}}"#).into_bytes(),
        );
    }
    if let Some(challenge) = state.challenge.clone() {
        let shown = asked.header("authorization").unwrap_or_default();
        if !state.wanted.iter().any(|wanted| wanted == shown) {
            let said = br#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#;
            return (
                401,
                vec![format!("WWW-Authenticate: {challenge}")],
                said.to_vec(),
            );
        }
    }
    let Some((repository, rest)) = split(&asked.path) else {
        return plain(if asked.path == "/v2/" { 200 } else { 404 });
    };
    match (asked.method.as_str(), rest) {
        ("POST", "blobs/uploads/") => begin(&mut state, asked, repository),
        ("GET" | "HEAD", _) if rest.starts_with("blobs/uploads/") => progress(&state, asked),
        ("PATCH", _) if state.lies(Lie::RedirectUpload) => {
            (307, vec![format!("Location: {}/stolen", state.elsewhere)], Vec::new())
        }
        ("PATCH", _) => take_piece(&mut state, asked, body),
        ("PUT", _) if rest.starts_with("blobs/uploads/") => close(&mut state, asked, body),
        (_, _) if rest.starts_with("blobs/") => blob(&state, asked, &rest["blobs/".len()..]),
        ("PUT", _) if rest.starts_with("manifests/") => {
            put_manifest(&mut state, asked, (repository, &rest["manifests/".len()..]), body)
        }
        (_, _) if rest.starts_with("manifests/") => {
            manifest(&state, repository, &rest["manifests/".len()..])
        }
        (_, _) if rest.starts_with("referrers/") && state.has_referrers => (
            200,
            Vec::new(),
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#.to_vec(),
        ),
        _ => plain(404),
    }
}

fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    let at = ["/blobs/", "/manifests/", "/referrers/"]
        .iter()
        .filter_map(|part| path.find(part))
        .min()?;
    Some((&path[..at], &path[at + 1..]))
}

fn begin(state: &mut State, asked: &Asked, repository: &str) -> Reply {
    if let Some(digest) = asked.query.get("mount")
        && state.blobs.contains_key(digest)
    {
        return (
            201,
            vec![format!("Docker-Content-Digest: {digest}")],
            Vec::new(),
        );
    }
    state.begun += 1;
    let number = state.begun;
    state.uploads.insert(number, Vec::new());
    let base = if state.lies(Lie::LocationElsewhere) {
        state.elsewhere.clone()
    } else {
        String::new()
    };
    let location = format!("Location: {base}/v2/{repository}/blobs/uploads/{number}?s=1");
    (202, vec![location], Vec::new())
}

fn number(asked: &Asked) -> u64 {
    let last = asked.path.rsplit('/').next();
    last.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn range_of(upload: &[u8]) -> String {
    format!("Range: 0-{}", upload.len().saturating_sub(1))
}

fn progress(state: &State, asked: &Asked) -> Reply {
    match state.uploads.get(&number(asked)) {
        Some(upload) => (204, vec![range_of(upload)], Vec::new()),
        None => plain(404),
    }
}

fn take_piece(state: &mut State, asked: &Asked, body: &[u8]) -> Reply {
    let (is_forgetful, is_boasting) = (state.lies(Lie::Forgetful), state.lies(Lie::LargeRange));
    let first = asked
        .header("content-range")
        .and_then(|range| range.split_once('-'));
    let first: usize = first.and_then(|(first, _)| first.parse().ok()).unwrap_or(0);
    let Some(upload) = state.uploads.get_mut(&number(asked)) else {
        return plain(404);
    };
    if first != upload.len() {
        return (416, vec![range_of(upload)], Vec::new());
    }
    upload.extend_from_slice(body);
    let range = if is_boasting {
        "Range: 0-99999999999".to_owned()
    } else {
        range_of(upload)
    };
    if is_forgetful {
        state.uploads.remove(&number(asked));
    }
    (
        202,
        vec![range, format!("Location: {}?s=2", asked.path)],
        Vec::new(),
    )
}

fn close(state: &mut State, asked: &Asked, body: &[u8]) -> Reply {
    let Some(mut upload) = state.uploads.remove(&number(asked)) else {
        return plain(404);
    };
    upload.extend_from_slice(body);
    let digest = sha256(&upload).prefixed();
    if asked.query.get("digest") != Some(&digest) {
        let said = br#"{"errors":[{"code":"DIGEST_INVALID","message":"mixed up"}]}"#;
        return (400, Vec::new(), said.to_vec());
    }
    let said = if state.lies(Lie::BlobDigest) {
        sha256(b"other").prefixed()
    } else {
        digest.clone()
    };
    state.blobs.insert(digest, upload);
    (
        201,
        vec![format!("Docker-Content-Digest: {said}")],
        Vec::new(),
    )
}

fn blob(state: &State, asked: &Asked, digest: &str) -> Reply {
    let Some(bytes) = state.blobs.get(digest) else {
        return plain(404);
    };
    let mut bytes = bytes.clone();
    if asked.method == "GET" {
        if state.lies(Lie::RedirectBlob) {
            return (
                307,
                vec![format!("Location: {}{}", state.elsewhere, asked.path)],
                Vec::new(),
            );
        }
        if state.lies(Lie::BlobBytes)
            && let Some(byte) = bytes.last_mut()
        {
            *byte ^= 1;
        }
        if state.lies(Lie::BlobLength) {
            bytes.extend_from_slice(b"more");
        }
        let from = asked.header("range").and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
        if let Some(from) = from.filter(|from| *from < bytes.len()) {
            let range = format!(
                "Content-Range: bytes {from}-{}/{}",
                bytes.len() - 1,
                bytes.len()
            );
            return (206, vec![range], bytes.split_off(from));
        }
    }
    (200, vec![format!("Docker-Content-Digest: {digest}")], bytes)
}

fn put_manifest(
    state: &mut State,
    asked: &Asked,
    (repository, name): (&str, &str),
    body: &[u8],
) -> Reply {
    let digest = sha256(body).prefixed();
    let text = String::from_utf8_lossy(body);
    let kind = asked.header("content-type").unwrap_or_default().to_owned();
    // As a good registry, it takes no manifest whose parts it has not.
    let is_index = kind.contains("index");
    let mut digests = text.split('"').filter(|word| word.starts_with("sha256:"));
    let is_whole = digests.all(|word| {
        state.blobs.contains_key(word)
            || state
                .manifests
                .contains_key(&format!("{repository}@{word}"))
    });
    let may_lack = text.contains("\"subject\"") || (is_index && name.starts_with("sha256-"));
    if !is_whole && !may_lack {
        let said =
            br#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"a part is missing"}]}"#;
        return (400, Vec::new(), said.to_vec());
    }
    state
        .manifests
        .insert(format!("{repository}@{digest}"), (kind, body.to_vec()));
    if !name.starts_with("sha256:") {
        state
            .tags
            .insert(format!("{repository}:{name}"), digest.clone());
    }
    let said = if state.lies(Lie::ManifestDigest) {
        sha256(b"other").prefixed()
    } else {
        digest
    };
    (
        201,
        vec![format!("Docker-Content-Digest: {said}")],
        Vec::new(),
    )
}

fn manifest(state: &State, repository: &str, name: &str) -> Reply {
    let digest = state.tags.get(&format!("{repository}:{name}"));
    let digest = digest.map_or(name, String::as_str);
    match state.manifests.get(&format!("{repository}@{digest}")) {
        None if state.lies(Lie::HeadDigest) => {
            let said = sha256(b"other").prefixed();
            (
                200,
                vec![format!("Docker-Content-Digest: {said}")],
                Vec::new(),
            )
        }
        None => plain(404),
        Some((kind, bytes)) => {
            let mut bytes = bytes.clone();
            if state.lies(Lie::ManifestBytes) {
                bytes.push(b'\n');
            }
            let headers = vec![
                format!("Content-Type: {kind}"),
                format!("Docker-Content-Digest: {digest}"),
            ];
            (200, headers, bytes)
        }
    }
}
