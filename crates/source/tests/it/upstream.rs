//! Somebody's git repositories, made by git at fixed times and served on loopback: by `git daemon`, and
//! over HTTP by `git http-backend` behind a small CGI server.

#![expect(
    clippy::disallowed_methods,
    reason = "files and servers are what the tests are about"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a server meets requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As git does.
    Serve,
    /// With a redirect to the same path at another address.
    Redirect(String),
    /// With silence.
    Hang,
    /// With this status, the first so many times.
    Disturbed(u16, usize),
}

/// Repositories in a folder, and servers of them.
#[derive(Debug)]
pub(crate) struct Upstream {
    folder: PathBuf,
    own: Option<tempfile::TempDir>,
    requests: Arc<Mutex<Vec<String>>>,
    daemons: Vec<Child>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // It may have ended by itself.
            drop(daemon.kill());
            drop(daemon.wait());
        }
        drop(self.own.take());
    }
}

impl Upstream {
    /// In a folder of its own.
    pub(crate) fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut upstream = Self::at(own.path());
        upstream.own = Some(own);
        upstream
    }

    /// In somebody's folder.
    pub(crate) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            own: None,
            requests: Arc::default(),
            daemons: Vec::new(),
        }
    }

    /// A new repository of this name, with nothing in it.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let repository = Repository {
            path: self.folder.join(name),
            time: 1_700_000_000,
        };
        std::fs::create_dir_all(&repository.path).unwrap();
        repository.git(["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// A server over HTTP; its address without a slash at the end.
    pub(crate) fn http(&self, manner: Manner) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = self.folder.clone();
        let requests = Arc::clone(&self.requests);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (root, requests, manner) =
                    (root.clone(), Arc::clone(&requests), manner.clone());
                thread::spawn(move || answer(stream, &root, &requests, &manner));
            }
        });
        format!("http://127.0.0.1:{port}")
    }

    /// A server of git's own protocol; its address without a slash at the end.
    pub(crate) fn daemon(&mut self) -> String {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // The program itself: `git daemon` would start it and leave it behind.
        let programs = command(&self.folder).arg("--exec-path").output();
        let programs = String::from_utf8(programs.unwrap().stdout).unwrap();
        let daemon = Command::new(format!("{}/git-daemon", programs.trim()))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", self.folder.display()))
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("git daemon does not start (apt-get install -y git)");
        self.daemons.push(daemon);
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        format!("git://127.0.0.1:{port}")
    }

    /// What was asked for over HTTP since the last time.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// A repository with its files.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) path: PathBuf,
    time: u64,
}

impl Repository {
    /// One that is there already.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            time: 1_700_000_000,
        }
    }

    /// Runs git in it; what it prints.
    pub(crate) fn git<const N: usize>(&self, args: [&str; N]) -> String {
        let time = format!("@{} +0000", self.time);
        let output = command(&self.path)
            .env("GIT_AUTHOR_DATE", &time)
            .env("GIT_COMMITTER_DATE", &time)
            .args(args)
            .output()
            .expect("git is missing: apt-get install -y git");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits a file an hour after the last commit; the commit's name.
    pub(crate) fn commit(&mut self, file: &str, text: &str) -> String {
        self.write(file, text);
        self.commit_all(&format!("{file} changes"))
    }

    /// Commits everything; the commit's name.
    pub(crate) fn commit_all(&mut self, message: &str) -> String {
        self.time += 3600;
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(["rev-parse", "HEAD"])
    }

    /// An object made of these bytes, however odd.
    pub(crate) fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let mut child = command(&self.path)
            .args(["hash-object", "-w", "--literally", "--stdin", "-t", kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Another commit of the branch `main`, of a folder made of these bytes.
    pub(crate) fn commit_tree(&self, tree: &[u8]) -> String {
        let tree = self.object("tree", tree);
        let text = format!(
            "tree {tree}\nauthor A <a@b.example> 1700000000 +0000\n\
             committer A <a@b.example> 1700000000 +0000\n\nodd\n"
        );
        let commit = self.object("commit", text.as_bytes());
        self.git(["update-ref", "refs/heads/main", &commit]);
        commit
    }
}

/// Git with nobody's configuration.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_ALLOW_PROTOCOL", "file")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@b.example")
        .env("GIT_COMMITTER_NAME", "C")
        .env("GIT_COMMITTER_EMAIL", "c@b.example")
        .env_remove("GIT_DIR");
    command
}

/// What somebody asks for.
struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn read(reader: &mut impl std::io::BufRead) -> Option<Self> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let mut asked = Self {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let (encoding, length) = (
            asked.header("transfer-encoding"),
            asked.header("content-length"),
        );
        asked.body = body(reader, &encoding, &length);
        Some(asked)
    }

    fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// Answers one request as told.
fn answer(mut stream: TcpStream, root: &Path, requests: &Mutex<Vec<String>>, manner: &Manner) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(asked) = Asked::read(&mut reader) else {
        return;
    };
    let before = {
        let mut requests = requests.lock().unwrap();
        requests.push(format!("{} {}", asked.method, asked.target));
        requests.len()
    };
    let status = match manner {
        Manner::Hang => return thread::sleep(Duration::from_mins(1)),
        Manner::Redirect(to) => Some(format!("301 Moved\r\nLocation: {to}{}", asked.target)),
        Manner::Disturbed(status, times) if before <= *times => Some(format!("{status} No")),
        Manner::Serve | Manner::Disturbed(..) => None,
    };
    match status {
        Some(status) => {
            let text =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            drop(stream.write_all(text.as_bytes()));
        }
        None => serve(&mut stream, root, asked),
    }
}

/// Answers by git's own CGI program.
fn serve(stream: &mut TcpStream, root: &Path, asked: Asked) {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let mut child = command(root)
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROTOCOL", asked.header("git-protocol"))
        .env("HTTP_CONTENT_ENCODING", asked.header("content-encoding"))
        .env("CONTENT_TYPE", asked.header("content-type"))
        .env("CONTENT_LENGTH", asked.body.len().to_string())
        .env("REQUEST_METHOD", &asked.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeding = thread::spawn(move || drop(stdin.write_all(&asked.body)));
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut status, mut head) = ("200 OK".to_owned(), String::new());
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        match line.strip_prefix("Status: ") {
            Some(said) => said.trim().clone_into(&mut status),
            None => head += &line,
        }
    }
    let head = format!("HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n");
    if stream.write_all(head.as_bytes()).is_ok() {
        drop(std::io::copy(&mut output, stream));
    }
    drop(child.kill());
    drop(child.wait());
    feeding.join().unwrap();
}

fn body(reader: &mut impl std::io::BufRead, encoding: &str, length: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if encoding != "chunked" {
        body.resize(length.parse().unwrap_or(0), 0);
        reader.read_exact(&mut body).unwrap();
        return body;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
