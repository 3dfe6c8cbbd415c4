//! Images in Debian's own registry: pushed by the program, read back by skopeo and podman; logins from
//! everywhere; pulled from the program's own server.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::program::program;
use boltworks_tests::small::Small;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Folder, Registry, Server};

use crate::melange::Desk;

const IMAGE: &str = "\
contents:
  keyring: [local.rsa.pub]
  repositories: [packages]
  packages: [echo]
archs: [x86_64]
";

/// A folder with a repository of one package, its key, and an image file.
fn desk() -> Result<Desk> {
    let desk = Desk::new()?;
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let build = "build recipes/echo.yaml --signing-key local.rsa --out-dir packages";
    desk.with_os(build).ok()?;
    std::fs::write(desk.path("web.yaml"), IMAGE)?;
    Ok(desk)
}

fn image(folder: &Path, words: &str) -> Result<Command> {
    Ok(Command::new(program()?)
        .dir(folder)
        .env("HOME", folder)
        .arg("image")
        .args(words.split_whitespace()))
}

fn skopeo(words: &str) -> Result<Command> {
    Ok(Command::new(need("skopeo")?).args(words.split_whitespace()))
}

/// An OCI layout of one image that needs no factory to be made.
fn layout(folder: &Path) -> Result<PathBuf> {
    let layout = folder.join("layout");
    std::fs::create_dir_all(layout.join("blobs/sha256"))?;
    let put = |text: &str| -> Result<String> {
        let file = folder.join("blob");
        std::fs::write(&file, text)?;
        let sum = Command::new(need("sha256sum")?)
            .arg(&file)
            .ok()?
            .to_string();
        let digits = sum
            .split(|letter: char| !letter.is_ascii_hexdigit())
            .find(|word| word.len() == 64)
            .context("no digest")?
            .to_owned();
        std::fs::rename(&file, layout.join("blobs/sha256").join(&digits))?;
        Ok(format!(
            "\"digest\":\"sha256:{digits}\",\"size\":{}",
            text.len()
        ))
    };
    let oci = "application/vnd.oci.image";
    let config =
        put(r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#)?;
    let manifest = put(&format!(
        r#"{{"schemaVersion":2,"mediaType":"{oci}.manifest.v1+json","config":{{"mediaType":"{oci}.config.v1+json",{config}}},"layers":[]}}"#
    ))?;
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{oci}.manifest.v1+json",{manifest}}}]}}"#
    );
    std::fs::write(layout.join("index.json"), index)?;
    std::fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    Ok(layout)
}

#[test]
fn an_image_is_published_and_read_back() -> Result<()> {
    let (desk, registry) = (desk()?, Registry::open()?);
    let here = desk.path(".");
    let to = &registry.address;
    let publish = format!(
        "publish web.yaml {to}/team/web:1 {to}/team/web:latest {to}/other/web:1 -r packages \
         -k local.rsa.pub --image-refs refs --attach-sboms"
    );
    let published = image(&here, &publish)?.ok()?;
    let refs = std::fs::read_to_string(desk.path("refs"))?;
    let (one, index) = refs.trim().split_once('\n').context("two names")?;
    published.says(index)?;
    published.says("taken over")?;
    ensure!(
        index.starts_with(&format!("{to}/team/web@sha256:")),
        "{refs}"
    );

    skopeo(&format!(
        "inspect --tls-verify=false --raw docker://{to}/team/web:latest"
    ))?
    .ok()?
    .says(one.split_once('@').context("a digest")?.1)?;
    skopeo(&format!(
        "copy --src-tls-verify=false docker://{to}/other/web:1"
    ))?
    .arg(format!("oci:{}:1", desk.path("copied").display()))
    .ok()?;
    let storage = desk.path("storage");
    let podman = |words: &str| -> Result<Command> {
        Ok(Command::new(need("podman")?)
            .arg("--root")
            .arg(storage.join("root"))
            .arg("--runroot")
            .arg(storage.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(words.split_whitespace()))
    };
    podman(&format!("pull --tls-verify=false {index}"))?.ok()?;
    podman(&format!("rmi {index}"))?.ok()?;

    // The SBOMs hang at the image; this registry has no list of what does, so a tag is one.
    let digits = one.rsplit(':').next().context("digits")?;
    skopeo(&format!(
        "inspect --tls-verify=false --raw docker://{to}/team/web:sha256-{digits}"
    ))?
    .ok()?
    .says("application/spdx+json")?;

    // Once more, and nothing is sent.
    let again = image(&here, &format!("{publish} --json"))?.ok()?.json()?;
    ensure!(again["reference"] == index, "{again}");
    for repository in again["repositories"].as_array().context("repositories")? {
        ensure!(repository["pushed"] == 0, "{again}");
    }
    Ok(())
}

#[test]
fn of_several_images_in_a_layout_a_tag_chooses() -> Result<()> {
    let (desk, registry) = (desk()?, Registry::open()?);
    let here = desk.path(".");
    let to = &registry.address;
    std::fs::create_dir(desk.path("layout"))?;
    let build = |tag: &str, date: &str| -> Result<String> {
        let words = format!(
            "build web.yaml web:{tag} layout -k local.rsa.pub --sbom=false --json --build-date {date}"
        );
        let said = image(&here, &words)?.ok()?.json()?;
        Ok(said["digest"].as_str().context("a digest")?.to_owned())
    };
    let index = |name: &str| -> Result<String> {
        let path = desk.path("layout/index.json");
        let text = std::fs::read_to_string(path)?;
        let (_, rest) = text
            .split_once("\"manifests\":[")
            .context(name.to_owned())?;
        let (entries, _) = rest.rsplit_once(']').context(name.to_owned())?;
        Ok(entries.to_owned())
    };
    let one = build("1", "2026-01-02T00:00:00Z")?;
    let first = index("1")?;
    let two = build("2", "2026-01-03T00:00:00Z")?;
    let second = index("2")?;
    let other = second.replace("\"2\"", "\"3\"");
    let arm = first.replace("\"1\"", "\"3\"").replace("amd64", "arm64");
    ensure!(one != two && first.contains(&one) && arm.contains("arm64"));
    let all = format!("{first},{second},{other},{arm}");
    let text = format!("{{\"schemaVersion\":2,\"manifests\":[{all}]}}");
    std::fs::write(desk.path("layout/index.json"), text)?;

    let push = |from: &str, tag: &str| image(&here, &format!("push {from} {to}/web:{tag} --json"));
    let refused = push("layout", "none")?.fails(2)?;
    refused.says(
        "holds several images: 1 (linux/amd64), 2 (linux/amd64), 3 (linux/amd64, linux/arm64)",
    )?;
    refused.says("name one by its tag: layout:1")?;
    push("layout:4", "none")?
        .fails(2)?
        .says("layout holds no image of the tag 4: there are 1")?;
    let pushed = push("layout:2", "two")?.ok()?.json()?;
    ensure!(pushed["digest"] == two, "{pushed}");
    // Those of one tag for several platforms are pushed as an index of them.
    push("layout:3", "three")?.ok()?;
    let inspect = format!("inspect --tls-verify=false --raw docker://{to}/web:three");
    let raw = skopeo(&inspect)?.ok()?;
    raw.says(&one)?;
    raw.says(&two)?;
    ensure!(!raw.to_string().contains("ref.name"), "{raw}");
    Ok(())
}

#[test]
fn logins_come_from_where_clients_keep_them() -> Result<()> {
    let (folder, registry) = (Folder::new()?, Registry::closed()?);
    let here = folder.path();
    layout(here)?;
    let to = &registry.address;
    let host = to.split(':').next().context("a host")?;
    let push = |tag: &str| image(here, &format!("push layout {to}/team/web:{tag}"));
    let refused = push("nobody")?.fails(1)?;
    refused.says("as nobody, for no login is known for it: it answered 401")?;
    refused.says("podman login")?;

    // `me:hunter2` and `me:other`
    let auths = |pair: &str| format!(r#"{{"auths":{{"{to}":{{"auth":"{pair}"}}}}}}"#);
    std::fs::create_dir(here.join("docker"))?;
    std::fs::write(here.join("docker/config.json"), auths("bWU6aHVudGVyMg=="))?;
    push("docker")?
        .env("DOCKER_CONFIG", here.join("docker"))
        .ok()?;
    std::fs::write(here.join("wrong.json"), auths("bWU6b3RoZXI="))?;
    let wrong = push("wrong")?.env("REGISTRY_AUTH_FILE", here.join("wrong.json"));
    let wrong = wrong.fails(1)?;
    wrong.says("as me: it answered 401")?;
    ensure!(!wrong.to_string().contains("other"), "{wrong}");

    push("apko")?
        .env("HTTP_AUTH", format!("basic:{host}:me:hunter2"))
        .ok()?;
    std::fs::write(
        here.join("curl"),
        format!("machine {host} login me password hunter2\n"),
    )?;
    push("curl")?.env("NETRC", here.join("curl")).ok()?;

    // A program that knows it, and gets the name of the registry as its input.
    std::fs::create_dir(here.join("bin"))?;
    let helper = here.join("bin/docker-credential-tests");
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = 'get {to}' ] || exit 1\n\
         echo '{{\"ServerURL\":\"{to}\",\"Username\":\"me\",\"Secret\":\"hunter2\"}}'\n"
    );
    std::fs::write(&helper, script)?;
    Command::new("chmod").arg("+x").arg(&helper).ok()?;
    let config = format!(r#"{{"credHelpers":{{"{to}":"tests"}}}}"#);
    std::fs::create_dir(here.join(".docker"))?;
    std::fs::write(here.join(".docker/config.json"), config)?;
    let path = format!("{}:/usr/bin:/bin", here.join("bin").display());
    push("helper")?.env("PATH", path).ok()?;
    let alone = push("alone")?.env("PATH", "/usr/bin:/bin").fails(1)?;
    alone.says("ask docker-credential-tests for the login")?;

    let tags = Command::new(need("curl")?)
        .args(["--silent", "--fail", "--user", "me:hunter2"])
        .arg(format!("http://{to}/v2/team/web/tags/list"))
        .ok()?
        .json()?;
    let mut tags: Vec<_> = tags["tags"].as_array().context("tags")?.clone();
    tags.sort_by_key(ToString::to_string);
    ensure!(tags == ["apko", "curl", "docker", "helper"], "{tags:?}");
    Ok(())
}

/// A server of the folder it runs in that wants to be shown `me:hunter2`.
const ASKING: &str = r#"
import http.server, sys
class Asking(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") == "Basic bWU6aHVudGVyMg==":
            return super().do_GET()
        self.send_error(401)
    do_HEAD = do_GET
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asking)
print("at", server.server_port, "now", file=sys.stderr, flush=True)
server.serve_forever()
"#;

#[test]
fn packages_come_from_where_one_must_log_in() -> Result<()> {
    let desk = desk()?;
    let here = desk.path(".");
    let mut server = Command::new(need("python3")?)
        .args(["-c", ASKING])
        .dir(&here)
        .start()?;
    server.wait_for(" now")?;
    let said = server.said()?;
    let port = said.split(' ').nth(1).context("a port")?.to_owned();
    let at = format!("http://127.0.0.1:{port}/packages");
    std::fs::write(
        desk.path("web.yaml"),
        IMAGE.replace("[packages]", &format!("[\"{at}\"]")),
    )?;
    let build = |out: &str| -> Result<Command> {
        Ok(Command::new(program()?)
            .dir(&here)
            .env("XDG_CACHE_HOME", desk.path("cache"))
            .args(["apko", "build", "web.yaml", "web:1", out]))
    };
    build("nobody.tar")?
        .fails(1)?
        .says("the server answered 401")?;
    let logins = "basic:other.example:x:y,basic:127.0.0.1:me:hunter2";
    build("apko.tar")?.env("HTTP_AUTH", logins).ok()?;
    std::fs::remove_dir_all(desk.path("cache"))?;
    std::fs::write(
        desk.path("curl"),
        "machine 127.0.0.1 login me password hunter2\n",
    )?;
    build("curl.tar")?.env("NETRC", desk.path("curl")).ok()?;
    Ok(())
}

#[test]
fn what_the_factory_released_is_pulled_and_pushed() -> Result<()> {
    let (small, registry) = (Small::new()?, Registry::open()?);
    small.up()?;
    let server = Server::of(&small)?;
    let here = small.folder().path();
    image(here, &format!("pull {}/small:1 pulled", server.address))?.ok()?;
    skopeo("inspect")?
        .arg(format!("oci:{}:1", here.join("pulled").display()))
        .ok()?
        .says("sha256:")?;
    let pushed = |from: &str, command: Command| -> Result<String> {
        let to = &registry.address;
        let said = command
            .args(["push", from, &format!("{to}/small:{from}"), "--json"])
            .ok()?
            .json()?;
        Ok(said["digest"].as_str().context("a digest")?.to_owned())
    };
    let from_layout = pushed("pulled", image(here, "")?)?;
    let from_factory = pushed("small", small.command(["image"])?)?;
    ensure!(
        from_layout == from_factory,
        "{from_layout} is not {from_factory}"
    );
    // The factory's has its SBOMs with it, unless they are not wanted.
    let digits = from_factory.rsplit(':').next().context("digits")?;
    let about = format!(
        "inspect --tls-verify=false --raw docker://{}/small:sha256-{digits}",
        registry.address
    );
    let referrers = skopeo(&about)?.ok()?;
    for kind in [
        "application/spdx+json",
        "application/ld+json",
        "application/vnd.cyclonedx+json",
    ] {
        referrers.says(kind)?;
    }
    let other = Registry::open()?;
    let bare = format!(
        "push small {}/small:bare --attach-sboms=false",
        other.address
    );
    small.command(["image"])?.args(bare.split(' ')).ok()?;
    skopeo(&about.replace(&registry.address, &other.address))?.fails(1)?;
    image(here, &format!("pull {}/small:2 gone", server.address))?
        .fails(1)?
        .says("the registry does not have it")?;
    ensure!(!here.join("gone/index.json").exists());
    Ok(())
}
