//! curl and skopeo.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::Value;

use crate::Server;

/// What curl got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of an OCI error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// Runs curl on a path with further arguments.
pub(crate) fn curl(server: &Server, path: &str, arguments: &[&str]) -> Reply {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--include",
            "--path-as-is",
            "--max-time",
            "30",
        ])
        .args(arguments)
        .arg(server.url(path))
        .output()
        .expect("needs curl: apt-get install curl");
    assert!(
        output.status.success(),
        "{path}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&output.stdout)
}

pub(crate) fn get(server: &Server, path: &str) -> Reply {
    curl(server, path, &[])
}

fn parse(bytes: &[u8]) -> Reply {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    }
}

/// Runs skopeo; it must succeed.
pub(crate) fn skopeo(arguments: &[&str]) -> Output {
    let output = Command::new("skopeo")
        .arg("--insecure-policy")
        .args(arguments)
        .output()
        .expect("needs skopeo: apt-get install skopeo");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
