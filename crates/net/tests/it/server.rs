//! A real HTTP server on loopback that misbehaves on request.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How one request is met; the last one of a script stays.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// With the body, or the part that is asked for.
    Serve,
    /// With the whole body, whatever is asked for.
    ServeWhole,
    /// With so many bytes of what was announced, and then the connection is closed.
    CloseAfter(usize),
    /// With so many bytes, and then silence.
    StallAfter(usize),
    /// With a reset before any answer.
    Reset,
    /// With the whole body, and a length that is so much larger.
    LieBy(u64),
    /// With fewer bytes announced than the body has.
    Understate(usize),
    /// With a part that begins somewhere else than was asked for.
    WrongPart,
    /// With a status and headers.
    Status(u16, String),
    /// With bytes without an announced length, without end.
    Endless,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Act>,
    requests: Vec<String>,
    body: Vec<u8>,
    tag: String,
    media_type: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    port: u16,
}

impl Server {
    pub(crate) fn start(body: &[u8], script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = script.into_iter().collect();
        let state = State {
            script,
            requests: Vec::new(),
            body: body.to_vec(),
            tag: "\"one\"".to_owned(),
            media_type: "application/octet-stream".to_owned(),
        };
        let server = Self {
            state: Arc::new(Mutex::new(state)),
            port,
        };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                thread::spawn(move || answer(stream, &state));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far, each with its headers in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(crate) fn set_media_type(&self, media_type: &str) {
        media_type.clone_into(&mut self.state.lock().unwrap().media_type);
    }

    pub(crate) fn replace(&self, body: &[u8], tag: &str) {
        let mut state = self.state.lock().unwrap();
        state.body = body.to_vec();
        tag.clone_into(&mut state.tag);
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let act = {
        let mut state = state.lock().unwrap();
        if state.script.len() > 1 {
            state.script.pop_front()
        } else {
            state.script.front().cloned()
        }
    };
    let act = act.unwrap_or(Act::Serve);
    if matches!(act, Act::Reset) {
        // Closing with unread bytes in the queue makes the system send a reset.
        let mut one = [0];
        stream.read_exact(&mut one).ok();
        state.lock().unwrap().requests.push("reset".to_owned());
        return;
    }
    let Some(head) = read_head(&mut stream) else {
        return;
    };
    let (body, tag, media_type) = {
        let mut state = state.lock().unwrap();
        state.requests.push(head.clone());
        (
            state.body.clone(),
            state.tag.clone(),
            state.media_type.clone(),
        )
    };
    // The client may have gone away, which is what some tests are about.
    respond(&mut stream, &act, &head, &body, (&tag, &media_type)).ok();
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).to_lowercase())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn respond(
    stream: &mut TcpStream,
    act: &Act,
    head: &str,
    body: &[u8],
    (tag, media_type): (&str, &str),
) -> std::io::Result<()> {
    let asked: Option<usize> = header(head, "range")
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .filter(|_| header(head, "if-range").is_none_or(|wanted| wanted == tag))
        .filter(|_| !matches!(act, Act::ServeWhole | Act::LieBy(_)));
    if let Act::Status(status, headers) = act {
        write!(
            stream,
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        return Ok(());
    }
    if matches!(act, Act::Endless) {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 4096])?;
        }
    }
    if asked.is_some_and(|from| from >= body.len()) {
        write!(
            stream,
            "HTTP/1.1 416 X\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        return Ok(());
    }
    let from = asked.unwrap_or(0);
    let part = &body[from..];
    let told = match act {
        Act::LieBy(more) => part.len() as u64 + more,
        Act::Understate(less) => (part.len() - less) as u64,
        _ => part.len() as u64,
    };
    match asked {
        Some(_) => {
            let shift = usize::from(matches!(act, Act::WrongPart));
            write!(
                stream,
                "HTTP/1.1 206 X\r\nContent-Range: bytes {}-{}/{}\r\n",
                from + shift,
                body.len() - 1,
                body.len()
            )?;
        }
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(
        stream,
        "ETag: {tag}\r\nContent-Type: {media_type}\r\nContent-Length: {told}\r\nConnection: close\r\n\r\n"
    )?;
    match act {
        Act::CloseAfter(count) => stream.write_all(&part[..(*count).min(part.len())]),
        Act::StallAfter(count) => {
            stream.write_all(&part[..(*count).min(part.len())])?;
            stream.flush()?;
            thread::sleep(Duration::from_secs(5));
            Ok(())
        }
        _ => stream.write_all(part),
    }
}
