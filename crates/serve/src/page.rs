//! The page for people at `/`: what is served, and the commands to get it.

use std::fmt::Write;

use boltworks_model::ArtifactKind;
use boltworks_release::{Error, Release, ReleasedStore};
use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\
pre{background:#f3f3f3;padding:.6rem .8rem;overflow-x:auto}code{font-size:.9rem}\
.dim{color:#666;font-size:.9rem;overflow-wrap:anywhere}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}pre{background:#222}\
.dim{color:#999}}";

/// The page. `host` is the address the visitor used.
pub(crate) fn render(released: &ReleasedStore, host: &str) -> Result<String, Error> {
    let channels = released.channels()?;
    let mut page = String::new();
    let host = if is_host(host) { host } else { "HOST" };
    write(
        &mut page,
        format_args!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Boltworks</title><style>{STYLE}</style></head><body>\
         <h1>Released here</h1>"
        ),
    );
    if channels.is_empty() {
        write(&mut page, format_args!("<p>Nothing yet.</p>"));
    }
    for release in of_kind(&channels, ArtifactKind::Image) {
        image(&mut page, release, host);
    }
    for release in of_kind(&channels, ArtifactKind::ApkIndex) {
        repository(&mut page, release, host);
    }
    let keys = released.public_keys()?;
    if !keys.is_empty() {
        write(&mut page, format_args!("<h2>Keys</h2><ul>"));
        for key in keys {
            let (name, digest) = (escape(&key.name), key.digest.prefixed());
            write(
                &mut page,
                format_args!(
                    "<li><a href=\"/keys/{name}\">{name}</a> <span class=\"dim\">{digest}, signs {}</span>",
                    escape(&key.repositories.join(", "))
                ),
            );
        }
        write(&mut page, format_args!("</ul>"));
    }
    write(&mut page, format_args!("</body></html>\n"));
    Ok(page)
}

fn of_kind(channels: &[Release], kind: ArtifactKind) -> impl Iterator<Item = &Release> {
    channels
        .iter()
        .filter(move |release| release.artifact.coordinate.kind == kind)
}

fn image(page: &mut String, release: &Release, host: &str) {
    let name = escape(release.channel.as_str());
    write(
        page,
        format_args!("<h2>{name}</h2><pre><code>podman pull {host}/{name}</code></pre>"),
    );
    facts(page, release);
}

fn repository(page: &mut String, release: &Release, host: &str) {
    let channel = escape(release.channel.as_str());
    let repository = release.channel.repository();
    let name = escape(
        repository
            .rsplit_once('/')
            .map_or(repository, |(name, _)| name),
    );
    write(
        page,
        format_args!(
            "<h2>{channel}</h2><pre><code>echo http://{host}/apk/{name} &gt;&gt; /etc/apk/repositories\
         </code></pre>"
        ),
    );
    facts(page, release);
}

/// Digest, time, and what was judged and what not.
fn facts(page: &mut String, release: &Release) {
    let digest = release.after().prefixed();
    write(
        page,
        format_args!(
            "<p class=\"dim\">{digest}<br>release {}, {}",
            release.sequence, release.at
        ),
    );
    let judgement: Value = serde_json::from_str(&release.judgement).unwrap_or_default();
    for (field, label) in [("judged", "judged"), ("not_judged", "not judged")] {
        let words = judgement.get(field).and_then(Value::as_array);
        let words: Vec<&str> = words
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !words.is_empty() {
            write(
                page,
                format_args!("<br>{label}: {}", escape(&words.join(", "))),
            );
        }
    }
    write(page, format_args!("</p>"));
}

/// Writing to a string cannot fail.
fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).unwrap_or_default();
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn is_host(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    !text.is_empty() && text.len() <= 260 && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_visitor_is_believed() {
        assert!(is_host("localhost:8080") && is_host("[::1]:80"));
        for text in ["", "<script>", "a b", "a\"", "a/b", "ä"] {
            assert!(!is_host(text), "{text}");
        }
        assert_eq!(
            escape("<a href='\"&\"'>"),
            "&lt;a href=&#39;&quot;&amp;&quot;&#39;&gt;"
        );
    }
}
