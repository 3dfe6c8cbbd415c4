//! What variants add to a factory: their packages, and a channel beside each that their images have.

use boltworks_model::ChannelName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::factory::{Channel, Factory, Fault};

/// What an image has more beside it. Its layers begin with those of the image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Variant {
    /// The images that have it (default: all).
    pub images: Option<Vec<String>>,
    /// The packages that are added (default for `dev`: busybox and apk-tools).
    pub packages: Vec<String>,
}

impl Variant {
    /// Whether an image has it. What is called like a variant already has none of that kind.
    pub fn is_of(&self, ending: &str, image: &str) -> bool {
        let is_one = image
            .strip_suffix(ending)
            .is_some_and(|stem| stem.ends_with('-'));
        let is_named = |images: &Vec<String>| images.iter().any(|name| name == image);
        !is_one && self.images.as_ref().is_none_or(is_named)
    }
}

/// The variant that has packages of its own where none are named.
const DEV: &str = "dev";
/// A shell, and apk for what else is wanted.
const DEV_PACKAGES: [&str; 2] = ["busybox", "apk-tools"];

/// Fills in what is not written of variants, or says what cannot be.
pub(crate) fn add(factory: &mut Factory) -> Option<Fault> {
    for (name, variant) in &mut factory.variants {
        let is_word = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !is_word {
            let message =
                format!("'{name}' cannot be what names end in: lower-case letters and digits");
            return Some(Fault::new(name, message));
        }
        if variant.packages.is_empty() && name == DEV {
            variant.packages = DEV_PACKAGES.map(str::to_owned).to_vec();
        }
        if variant.packages.is_empty() {
            let message = format!("the variant '{name}' adds no packages");
            return Some(Fault::new(name, message));
        }
    }
    let mut added = Vec::new();
    for (name, variant) in &factory.variants {
        for (channel, Channel { image }) in &factory.channels {
            if !variant.is_of(name, image) {
                continue;
            }
            let Ok(beside) = format!("{channel}-{name}").parse::<ChannelName>() else {
                let message = format!("'{channel}-{name}' is too long for a channel's name");
                return Some(Fault::new(channel.as_str(), message));
            };
            let image = format!("{image}-{name}");
            let other = factory.channels.get(&beside);
            if other.is_some_and(|other| other.image != image) {
                let message =
                    format!("the channel '{beside}' is that of '{image}', by the variant '{name}'");
                return Some(Fault::new(beside.as_str(), message));
            }
            added.push((beside, Channel { image }));
        }
    }
    factory.channels.extend(added);
    None
}

#[cfg(test)]
mod tests {
    use crate::parse;

    const HEAD: &str = "factory: web\nstage0: {}\n";

    fn read(text: &str) -> Result<String, boltworks_yaml::Error> {
        let factory = parse("boltworks.yaml", &format!("{HEAD}{text}"))?;
        let channels = factory.channels.iter();
        let channels = channels.map(|(channel, at)| format!("{channel}={}", at.image));
        let variants = factory.variants.iter();
        let variants = variants.map(|(name, own)| format!("{name}:{}", own.packages.join("+")));
        Ok(channels.chain(variants).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_channel_has_one_beside_it() {
        let channels = "channels: {'web:1': {image: web}, 'static:2': {image: static}}\n";
        insta::assert_snapshot!(read(&format!("{channels}variants: {{dev: {{}}}}\n")).unwrap(), @"static:2=static static:2-dev=static-dev web:1=web web:1-dev=web-dev dev:busybox+apk-tools");
        insta::assert_snapshot!(read(&format!("{channels}variants: {{dev: {{images: [web], packages: [bash]}}}}\n")).unwrap(), @"static:2=static web:1=web web:1-dev=web-dev dev:bash");
        insta::assert_snapshot!(read("channels: {'web:1': {image: web-dev}}\nvariants: {dev: {}}\n").unwrap(), @"web:1=web-dev dev:busybox+apk-tools");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |text: &str| read(text).unwrap_err().to_string();
        insta::assert_snapshot!(refused("variants:\n  debug: {}\n"), @"boltworks.yaml:4:3: the variant 'debug' adds no packages");
        insta::assert_snapshot!(refused("variants:\n  De-v: {}\n"), @"boltworks.yaml:4:3: 'De-v' cannot be what names end in: lower-case letters and digits");
        insta::assert_snapshot!(refused("channels:\n  web:1: {image: web}\n  web:1-dev: {image: other}\nvariants: {dev: {}}\n"), @"boltworks.yaml:5:3: the channel 'web:1-dev' is that of 'web-dev', by the variant 'dev'");
    }
}
