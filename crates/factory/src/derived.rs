//! Images that stand upon others: the variants that the factory's file asks for. And the tests of images.

use boltworks_config::Variant;
use boltworks_plan::{ImageItem, Pin, Subject};
use boltworks_recipe::parse_image_test;
use boltworks_recipe::resolved::Image;
use boltworks_version::apk::Dependency;

use crate::catalog::{Loaded, stem};
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
        let name = stem(path).trim_end_matches(".test").to_owned();
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

/// The image with more packages, each once.
fn with_packages(image: &Image, packages: &[String]) -> Result<Image, String> {
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
