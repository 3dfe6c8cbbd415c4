//! Registries: whom to log in as, from the configuration of docker, podman, curl and apko on this
//! machine, and how they are reached.

use std::path::{Path, PathBuf};

use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::Ambient;
pub use boltworks_net::Login;
use boltworks_net::{Address, Client, OriginBoundCredential};
use boltworks_oci::Reference;
use boltworks_registry::{Access, Credentials, Registry, with_login};
use boltworks_source::Machine;

use crate::{Error, Host};

/// No file of logins is larger.
const MAX_LOGINS: Limit = Limit::mib(1);

/// The way to registries.
pub struct Registries<'a> {
    client: Client,
    machine: Machine,
    credentials: Credentials,
    ambient: Ambient<'a>,
}

impl<'a> Registries<'a> {
    /// Reads what this machine is configured to use. Nothing is asked yet.
    ///
    /// # Errors
    /// A file of logins that cannot be understood; [`Error::Asked`] where nothing may be fetched.
    pub fn new(host: &Host, ambient: Ambient<'a>) -> Result<Self, Error> {
        if host.offline {
            return Err(Error::asked(
                "nothing is pushed or pulled with --offline",
                "leave --offline out, or write a layout with `boltworks image build`",
            ));
        }
        let machine = Machine::new(Root::open(Path::new("/"))?, host.environment.clone());
        let mut settings = machine.client_settings();
        settings.user_agent.clone_from(&host.program);
        Ok(Self {
            client: Client::new(settings),
            credentials: credentials(&machine)?,
            machine,
            ambient,
        })
    }

    /// The repository that a name is in.
    pub fn open(&self, name: &Reference, access: Access) -> Result<Registry<'_>, Error> {
        let ask = |helper: &str, server: &str| {
            self.machine
                .ask_credential_helper(helper, server, self.ambient.clock)
        };
        let host = name.registry().unwrap_or_default();
        let held = self.credentials.of(host, name.repository(), &ask)?;
        Ok(Registry::new(
            &self.client,
            name,
            access,
            held,
            self.ambient,
        )?)
    }
}

/// Writes a login for a registry into docker's file, as `docker login` and apko's `login` do; the file.
/// Nothing is asked of the registry.
///
/// # Errors
/// A file that cannot be understood or written, or one that leaves logins to a helper.
pub fn log_in(host: &Host, registry: &str, login: &Login) -> Result<PathBuf, Error> {
    let variable = |name: &str| {
        let value = host.environment.get(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let folder = variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")));
    let folder = folder.ok_or_else(|| {
        Error::asked(
            "there is no place for logins",
            "set HOME or DOCKER_CONFIG to a folder",
        )
    })?;
    let root = Root::create(&folder)?;
    let name = RelPath::try_from("config.json")?;
    let file = folder.join("config.json");
    let text = match root.read_text(&name, MAX_LOGINS) {
        Ok(text) => Some(text),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    let shown = file.display().to_string();
    let text = with_login(&shown, text.as_deref(), registry, login)?;
    root.write(&name, text.as_bytes(), 0o600)?;
    Ok(file)
}

/// What docker, podman, curl and apko would use, the more special place first.
fn credentials(machine: &Machine) -> Result<Credentials, Error> {
    let variable = |name: &str| machine.variable(name).map(str::to_owned);
    let home = variable("HOME");
    let in_home = |path: &str| home.as_ref().map(|home| format!("{home}/{path}"));
    let docker = variable("DOCKER_CONFIG").or_else(|| in_home(".docker"));
    let config = variable("XDG_CONFIG_HOME").or_else(|| in_home(".config"));
    let files = [
        variable("REGISTRY_AUTH_FILE"),
        docker.map(|folder| format!("{folder}/config.json")),
        variable("XDG_RUNTIME_DIR").map(|folder| format!("{folder}/containers/auth.json")),
        config.map(|folder| format!("{folder}/containers/auth.json")),
    ];
    let mut credentials = Credentials::default();
    for file in files.into_iter().flatten() {
        if let Some(text) = machine.text(&file) {
            credentials.add_docker(&file, &text)?;
        }
    }
    add_of_hosts(machine, &mut credentials)?;
    Ok(credentials)
}

/// Adds what is known of hosts, whatever they serve.
fn add_of_hosts(machine: &Machine, credentials: &mut Credentials) -> Result<(), Error> {
    if let Some(text) = machine.variable("HTTP_AUTH") {
        credentials.add_http_auth(text)?;
    }
    let home = machine.variable("HOME");
    let netrc = machine.variable("NETRC").map(str::to_owned);
    let netrc = netrc.or_else(|| home.map(|home| format!("{home}/.netrc")));
    if let Some(text) = netrc.and_then(|file| machine.text(&file)) {
        credentials.add_netrc(&text);
    }
    Ok(())
}

/// What a server of packages is shown: the login that `HTTP_AUTH` or netrc have for it. Over plain HTTP
/// only this machine is shown one.
pub(crate) fn login_at(
    machine: &Machine,
    address: &Address,
) -> Result<Option<OriginBoundCredential>, Error> {
    let mut credentials = Credentials::default();
    add_of_hosts(machine, &mut credentials)?;
    let origin = address.origin();
    let login = credentials.login(origin.host());
    if login.is_some() && !origin.is_protected() {
        tracing::warn!(%origin, "no password is sent over plain HTTP");
        return Ok(None);
    }
    Ok(login.map(|login| login.bound_to(origin.clone())))
}

#[cfg(test)]
mod tests {
    use boltworks_registry::Held;

    use super::*;

    #[test]
    fn the_more_special_place_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let login = |name: &str| {
            format!(r#"{{"auths":{{"r.example":{{"username":"{name}","password":"x"}}}}}}"#)
        };
        let files = [
            ("named.json", login("named")),
            ("home/.docker/config.json", login("docker")),
            ("home/.config/containers/auth.json", login("podman")),
            ("home/.netrc", "default login curl password x".to_owned()),
        ];
        for (path, text) in &files {
            let path = RelPath::try_from(*path).unwrap();
            if let Some(parent) = path.parent() {
                root.make_dir(&parent).unwrap();
            }
            root.write(&path, text.as_bytes(), 0o600).unwrap();
        }
        let who = |environment: &[(&str, &str)], registry: &str| {
            let environment = environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            let machine = Machine::new(root.try_clone().unwrap(), environment);
            let ask = |_: &str, _: &str| Err("there is no helper".to_owned());
            let held = credentials(&machine).unwrap().of(registry, "web", &ask);
            match held.unwrap() {
                Some(Held::Login(login)) => login.user,
                _ => "nobody".to_owned(),
            }
        };
        let home = ("HOME", "/home");
        assert_eq!(who(&[], "r.example"), "nobody");
        assert_eq!(who(&[home], "r.example"), "docker");
        assert_eq!(
            who(&[home, ("REGISTRY_AUTH_FILE", "/named.json")], "r.example"),
            "named"
        );
        assert_eq!(
            who(&[home, ("DOCKER_CONFIG", "/none")], "r.example"),
            "podman"
        );
        assert_eq!(who(&[home], "other.example"), "curl");
        let variable = ("HTTP_AUTH", "basic:other.example:apko:x");
        assert_eq!(who(&[home, variable], "other.example"), "apko");
    }

    #[test]
    fn a_login_is_written_where_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let environment = [("HOME".to_owned(), folder.path().display().to_string())];
        let host = Host {
            exe: PathBuf::new(),
            program: "tests".to_owned(),
            jobs: 1,
            environment: environment.into(),
            offline: false,
        };
        for name in ["one", "two"] {
            let file = log_in(&host, "r.example", &Login::new(name, "x")).unwrap();
            assert_eq!(file, folder.path().join(".docker/config.json"));
        }
        let root = Root::open(Path::new("/")).unwrap();
        let machine = Machine::new(root, host.environment);
        let ask = |_: &str, _: &str| Err("there is no helper".to_owned());
        let held = credentials(&machine).unwrap().of("r.example", "web", &ask);
        assert!(matches!(held.unwrap(), Some(Held::Login(login)) if login.user == "two"));
    }
}
