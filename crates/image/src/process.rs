//! How a container of the image starts: entry point, environment, user, labels.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Timestamp;
use boltworks_oci::Process;
use boltworks_recipe::resolved::Image;

use crate::Error;

const CREATED: &str = "org.opencontainers.image.created";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";

/// The annotations of manifest, index and labels: the image file's own, the time, and the
/// repository and commit it came from, where it does not say them itself.
pub fn annotations(image: &Image, created: Timestamp) -> BTreeMap<String, String> {
    let mut annotations = image.annotations.clone();
    let mut add = |key: &str, value: String| {
        annotations.entry(key.to_owned()).or_insert(value);
    };
    add(CREATED, created.to_string());
    if let Some((url, commit)) = image
        .vcs_url
        .as_deref()
        .and_then(|vcs| vcs.rsplit_once('@'))
    {
        add(SOURCE, url.to_owned());
        add(REVISION, commit.to_owned());
    }
    annotations
}

/// What the image's configuration says of the process in it.
pub fn process(image: &Image, labels: BTreeMap<String, String>) -> Result<Process, Error> {
    let mut env = Vec::new();
    for (name, value) in &image.environment {
        let is_name = !name.is_empty() && !name.contains(['=', '\0']);
        if !is_name || value.contains('\0') {
            let what = format!("environment '{}'", name.escape_debug());
            return Err(Error::refused(
                what,
                "a name has no '=', and nothing has a NUL",
            ));
        }
        env.push(format!("{name}={value}"));
    }
    if let Some(signal) = &image.stop_signal {
        let is_signal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-');
        if signal.is_empty() || !signal.chars().all(is_signal) {
            return Err(Error::refused(
                "stop-signal",
                format!("'{signal}' is no signal"),
            ));
        }
    }
    let some = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    Ok(Process {
        user: image.accounts.run_as.clone(),
        env,
        entrypoint: some(&image.entrypoint),
        cmd: some(&image.cmd),
        volumes: image.volumes.iter().cloned().collect(),
        working_dir: image.work_dir.clone(),
        labels,
        stop_signal: image.stop_signal.clone(),
        ..Process::default()
    })
}

/// The process of a base image with what the image upon it says: volumes if it has any, and labels. As apko
/// does it nothing is left of the base's variables and labels; else they stay where the other says nothing.
pub(crate) fn upon(base: &Process, own: Process, is_as_apko: bool) -> Process {
    let volumes = if own.volumes.is_empty() {
        base.volumes.clone()
    } else {
        own.volumes
    };
    let (mut env, mut labels) = (own.env, own.labels);
    if !is_as_apko {
        let name = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
        let below: BTreeSet<String> = base.env.iter().map(name).collect();
        // A file says nothing of variables upon a base image: its own are the defaults.
        env.retain(|line| !below.contains(&name(line)));
        env.extend(base.env.iter().cloned());
        env.sort();
        for (key, value) in &base.labels {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Process {
        volumes,
        env,
        labels,
        ..base.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        let mut image = Image {
            entrypoint: vec!["/usr/sbin/web".into(), "-D".into()],
            volumes: vec!["/srv".into()],
            work_dir: Some("/srv".into()),
            stop_signal: Some("SIGINT".into()),
            vcs_url: Some("git+ssh://git@host.example/web@abc123".into()),
            ..Image::default()
        };
        image.environment.insert("PATH".into(), "/bin".into());
        image.environment.insert("A".into(), "x=y".into());
        image.annotations.insert(REVISION.into(), "mine".into());
        image.accounts.run_as = Some("65532".into());
        image
    }

    #[test]
    fn the_process_is_whole() {
        let labels = annotations(&image(), Timestamp(0));
        let process = process(&image(), labels).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&process).unwrap(), @r#"
{
  "User": "65532",
  "Env": [
    "A=x=y",
    "PATH=/bin"
  ],
  "Entrypoint": [
    "/usr/sbin/web",
    "-D"
  ],
  "Volumes": {
    "/srv": {}
  },
  "WorkingDir": "/srv",
  "Labels": {
    "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
    "org.opencontainers.image.revision": "mine",
    "org.opencontainers.image.source": "git+ssh://git@host.example/web"
  },
  "StopSignal": "SIGINT"
}
"#);
    }

    #[test]
    fn what_cannot_start_is_refused() {
        let mut bad = image();
        bad.environment.insert("A=B".into(), String::new());
        assert!(process(&bad, BTreeMap::new()).is_err());
        let mut bad = image();
        bad.stop_signal = Some("SIG INT".into());
        assert!(process(&bad, BTreeMap::new()).is_err());
    }
}
