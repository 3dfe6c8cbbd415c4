//! Images that stand upon others: the variants that the factory's file asks for, and overlays. And the
//! tests of images.

use std::collections::BTreeMap;

use boltworks_config::Variant;
use boltworks_model::ChannelName;
use boltworks_plan::{ImageItem, Pin, Subject};
use boltworks_recipe::parse_image_test;
use boltworks_recipe::resolved::Image;
use boltworks_version::apk::Dependency;
use boltworks_yaml::{Place, closest};

use crate::catalog::{Loaded, TEST_ENDING, stem};
use crate::{Error, Home, image_tests};

impl Loaded {
    /// Adds to each image that has a variant the image beside it. What was added, and the file that it
    /// comes from.
    pub(crate) fn add_variants(&mut self, home: &Home) -> Result<Vec<(Subject, String)>, Error> {
        let mut added = Vec::new();
        for (ending, variant) in &home.config.variants {
            self.verify_named(home, variant)?;
            let images = self.catalog.images.values();
            let images: Vec<ImageItem> = images
                .filter(|item| variant.is_of(ending, &item.name))
                .cloned()
                .collect();
            for item in images {
                added.extend(self.add_variant(ending, variant, &item));
            }
            let unread = self.catalog.unread_of(boltworks_plan::ActionKind::Image);
            let unread: Vec<String> = unread
                .map(|subject| subject.name.clone())
                .filter(|name| variant.is_of(ending, name))
                .collect();
            for name in unread {
                let subject = Subject::image(format!("{name}-{ending}"));
                let why = format!("it stands upon image {name}, which is not understood");
                self.catalog.unread.insert(subject.clone(), why);
                added.push((subject, format!("variants of {name}")));
            }
        }
        Ok(added)
    }

    /// Takes note of the tests of an image. What cannot be tested is not made.
    pub(crate) fn add_image_test(&mut self, path: &str, text: Result<&str, &Error>) {
        let name = stem(path.strip_suffix(TEST_ENDING).unwrap_or(path)).to_owned();
        let subject = Subject::image(&name);
        let read = text.map_err(Error::told).and_then(|text| {
            parse_image_test(path, text).map_err(|error| Error::from(error).told())
        });
        let why = match (read, self.catalog.images.get_mut(&name)) {
            (Ok(test), Some(item)) => {
                let digest = image_tests::digest(&test).prefixed();
                item.tests = vec![Pin::new(name.clone(), digest)];
                self.image_tests.insert(name, test);
                return;
            }
            (Err(why), _) => why,
            (Ok(_), None) => format!("{path} has tests of it, and there is no such image"),
        };
        self.catalog.images.remove(&name);
        self.catalog.unread.entry(subject).or_insert(why);
    }

    fn add_variant(
        &mut self,
        ending: &str,
        variant: &Variant,
        below: &ImageItem,
    ) -> Option<(Subject, String)> {
        let name = format!("{}-{ending}", below.name);
        let subject = Subject::image(&name);
        let source = self.images.get(&below.name)?.clone();
        let path = source.path.clone();
        match with_packages(&below.image, &variant.packages) {
            Ok(image) => {
                let item = ImageItem {
                    name: name.clone(),
                    image,
                    upon: Some(below.name.clone()),
                    tests: Vec::new(),
                };
                // Where a file is called so, it is told of when both are known.
                self.catalog.images.insert(name.clone(), item);
                self.images.insert(name, source);
            }
            Err(why) => {
                self.catalog.unread.insert(subject.clone(), why);
            }
        }
        Some((subject, path))
    }

    fn verify_named(&self, home: &Home, variant: &Variant) -> Result<(), Error> {
        let is_there = |name: &String| {
            self.catalog.images.contains_key(name)
                || self.catalog.unread.contains_key(&Subject::image(name))
        };
        let mut named = variant.images.iter().flatten();
        match named.find(|name| !is_there(name)) {
            None => Ok(()),
            Some(name) => {
                let known = self.images.keys().map(String::as_str);
                Err(home.no_image_to_vary(name, known))
            }
        }
    }
}

/// An image that a file stands upon.
pub(crate) struct Overlaid {
    /// Its name.
    pub(crate) name: String,
    /// The file it comes from.
    pub(crate) file: String,
    /// The packages that its variant adds to those of the file.
    pub(crate) packages: Vec<String>,
}

/// The image that an overlay names: by its file, as a variant of that, or by a channel.
pub(crate) fn overlaid(
    home: &Home,
    files: &BTreeMap<String, String>,
    written: &str,
    place: Place,
) -> Result<Overlaid, Error> {
    let channel = written.parse().ok();
    let channel = channel.and_then(|channel: ChannelName| home.config.channels.get(&channel));
    let name = channel.map_or(written, |channel| channel.image.as_str());
    let own = files.get(name).map(|file| (file, Vec::new()));
    let varied = || {
        home.config.variants.iter().find_map(|(ending, variant)| {
            let stem = name.strip_suffix(ending)?.strip_suffix('-')?;
            let file = files.get(stem)?;
            let is_one = variant.is_of(ending, stem);
            is_one.then(|| (file, variant.packages.clone()))
        })
    };
    let Some((file, packages)) = own.or_else(varied) else {
        let message = format!("there is no image '{written}' to stand upon");
        let suggestion = closest(written, files.keys().map(String::as_str)).map(str::to_owned);
        let error = boltworks_yaml::Error::new(place, message).suggest(suggestion);
        return Err(boltworks_recipe::Error::from(error).into());
    };
    Ok(Overlaid {
        name: name.to_owned(),
        file: file.clone(),
        packages,
    })
}

/// The image with more packages, each once.
pub(crate) fn with_packages(image: &Image, packages: &[String]) -> Result<Image, String> {
    let mut image = image.clone();
    for text in packages {
        let wanted: Dependency = text
            .parse()
            .map_err(|error| format!("'{text}', which its variant adds, is no package: {error}"))?;
        if !image.packages.contains(&wanted) {
            image.packages.push(wanted);
        }
    }
    Ok(image)
}
