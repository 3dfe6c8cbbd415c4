//! What this machine's own clients are configured to use: the files are read here, and
//! understood in [`boltworks_net::machine`].

use std::collections::BTreeMap;

use boltworks_fsx::{Bounded, Limit, RelPath, Root};
use boltworks_net::machine::{apt, pip};
use boltworks_net::{Proxies, Settings};

use crate::{Error, Program, PythonIndex};

/// No configuration file is larger.
const MAX_FILE: Limit = Limit::mib(1);
/// Variables that every program which uses the network should see.
const NETWORK_VARIABLES: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The machine: its root directory and the environment this program was started with.
#[derive(Debug)]
pub struct Machine {
    root: Root,
    environment: BTreeMap<String, String>,
}

impl Machine {
    /// A machine whose files are beneath `root` (`/`, but for tests).
    pub const fn new(root: Root, environment: BTreeMap<String, String>) -> Self {
        Self { root, environment }
    }

    /// Settings for an HTTP client: the proxies of the environment.
    pub fn client_settings(&self) -> Settings {
        Settings {
            proxies: Proxies::from_environment(&self.environment),
            ..Settings::default()
        }
    }

    /// The variables that programs which use the network should see.
    pub fn network_environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        environment.retain(|name, _| NETWORK_VARIABLES.contains(&name.as_str()));
        environment
    }

    /// The base address of Debian's archive, from apt's configuration.
    ///
    /// # Errors
    /// [`Error::NoArchive`] if apt does not use it.
    pub fn debian_archive(&self) -> Result<String, Error> {
        let mut sources = Vec::new();
        if let Some(text) = self.text("/etc/apt/sources.list") {
            sources.extend(apt::parse_one_line(&text));
        }
        for name in self.names("etc/apt/sources.list.d") {
            let path = format!("/etc/apt/sources.list.d/{name}");
            let is_one_line = name.strip_suffix(".list").is_some();
            if !is_one_line && name.strip_suffix(".sources").is_none() {
                continue;
            }
            let Some(text) = self.text(&path) else {
                continue;
            };
            sources.extend(if is_one_line {
                apt::parse_one_line(&text)
            } else {
                apt::parse_deb822(&text)
            });
        }
        apt::debian_archive(&sources)
            .map(str::to_owned)
            .ok_or(Error::NoArchive)
    }

    /// The index of Python packages, from pip's configuration or, without one, from pip itself.
    ///
    /// # Errors
    /// [`Error::NoPythonIndex`] if neither knows.
    pub fn python_index(&self) -> Result<PythonIndex, Error> {
        let variable = |name: &str| self.environment.get(name).filter(|value| !value.is_empty());
        let mut paths = vec![
            "/etc/xdg/pip/pip.conf".to_owned(),
            "/etc/pip.conf".to_owned(),
        ];
        if let Some(home) = variable("HOME") {
            paths.push(format!("{home}/.pip/pip.conf"));
            let config = variable("XDG_CONFIG_HOME")
                .map_or_else(|| format!("{home}/.config"), String::clone);
            paths.push(format!("{config}/pip/pip.conf"));
        }
        paths.extend(variable("VIRTUAL_ENV").map(|environment| format!("{environment}/pip.conf")));
        paths.extend(variable("PIP_CONFIG_FILE").cloned());
        let texts: Vec<String> = paths.iter().filter_map(|path| self.text(path)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let url = match pip::index_url(&self.environment, &texts) {
            Some(url) => url,
            None => self.ask_pip()?,
        };
        PythonIndex::new(&url)
    }

    fn ask_pip(&self) -> Result<String, Error> {
        let question = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
        let mut program = Program::new("python3", "python3-pip").args(["-I", "-c", question]);
        for name in ["PATH", "HOME"] {
            if let Some(value) = self.environment.get(name) {
                program = program.env(name, value);
            }
        }
        match program.text(Limit::kib(64)) {
            Ok(answer) => Ok(answer.trim().to_owned()),
            Err(error) => {
                tracing::debug!(%error, "pip could not be asked");
                Err(Error::NoPythonIndex)
            }
        }
    }

    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// The whole environment.
    pub const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// A configuration file's text; what cannot be read configures nothing.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = self.root.open_in_root(path.as_bytes()).ok()?;
        match Bounded::new(file, MAX_FILE).read_text() {
            Ok(text) => Some(text),
            Err(error) => {
                tracing::warn!(path, %error, "a configuration file was not read");
                None
            }
        }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let list = |path: &str| {
            self.root
                .dir(&RelPath::try_from(path).ok()?)
                .ok()?
                .list()
                .ok()
        };
        list(folder)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| String::from_utf8(entry.name).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(
        files: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for (path, text) in files {
            let path = RelPath::try_from(*path).unwrap();
            root.make_dir(&path.parent().unwrap()).unwrap();
            root.write(&path, text.as_bytes(), 0o644).unwrap();
        }
        let environment = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        (folder, Machine::new(root, environment))
    }

    #[test]
    fn both_forms_of_apt_configuration_are_found() {
        let stanza =
            "Types: deb\nURIs: http://m.example/debian\nSuites: trixie\nComponents: main\n";
        let line = "deb http://l.example/debian trixie main\n";
        let archive = |files: &[(&str, &str)]| machine(files, &[]).1.debian_archive();
        assert_eq!(
            archive(&[("etc/apt/sources.list.d/debian.sources", stanza)]).unwrap(),
            "http://m.example/debian"
        );
        assert_eq!(
            archive(&[("etc/apt/sources.list", line)]).unwrap(),
            "http://l.example/debian"
        );
        let error = archive(&[("etc/apt/sources.list.d/debian.sources.bak", stanza)]).unwrap_err();
        assert!(error.to_string().contains("stage0.debian.mirror"));
    }

    #[test]
    fn pip_files_are_read_in_pips_order() {
        let (_folder, machine) = machine(
            &[
                (
                    "etc/pip.conf",
                    "[global]\nindex-url = https://global.example/simple\n",
                ),
                (
                    "home/me/.config/pip/pip.conf",
                    "[global]\nindex-url = https://user.example/simple\n",
                ),
            ],
            &[("HOME", "/home/me")],
        );
        assert_eq!(
            machine.python_index().unwrap().address().to_string(),
            "https://user.example/simple"
        );
    }

    #[test]
    fn programs_see_the_proxies_and_nothing_else() {
        let (_folder, machine) = machine(&[], &[("https_proxy", "http://p:1"), ("TOKEN", "x")]);
        assert_eq!(
            machine
                .network_environment()
                .into_keys()
                .collect::<Vec<_>>(),
            ["https_proxy"]
        );
    }
}
