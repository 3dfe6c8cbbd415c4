//! Images: what a candidate holds, where it may go, and what can be read afterwards.

use boltworks_fsx::Root;
use boltworks_model::{Artifact, ArtifactKind, Sha256};
use boltworks_oci::media_type;
use boltworks_release::{Candidate, Error, ImageRequest, Standing, Tag, publish, publish_all};
use serde_json::Value;

use crate::fixture::{Factory, Image, MADE, cleared, name};
use crate::{bytes, released};

#[test]
fn everything_of_an_image_is_public_and_nothing_else() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    let secret = factory.store.put_bytes(b"secret").unwrap();
    let release = factory.release_image("web:1", &image);
    assert_eq!((release.sequence, release.before), (1, None));
    let released = released(&factory);
    let manifest = released
        .image_manifest("web", Tag::Name("1"))
        .unwrap()
        .unwrap();
    assert_eq!(bytes(&manifest), image.parts.manifest.bytes);
    assert_eq!(manifest.media_type, media_type::MANIFEST);
    let by_digest = released
        .image_manifest("web", Tag::Digest(&manifest.digest))
        .unwrap();
    assert_eq!(by_digest.unwrap().digest, manifest.digest);
    let layer = image.parts.layers[0].digest;
    for digest in [image.parts.config.digest, layer, image.documents[0].digest] {
        assert_eq!(
            released.blob("web", &digest).unwrap().unwrap().digest,
            digest
        );
        assert!(
            released
                .image_manifest("web", Tag::Digest(&digest))
                .unwrap()
                .is_none()
        );
        assert!(released.blob("shop", &digest).unwrap().is_none());
    }
    for digest in [secret.digest, image.parts.index.digest] {
        assert!(factory.store.has(&digest).unwrap());
        assert!(released.blob("web", &digest).unwrap().is_none());
    }
    assert!(
        released
            .image_manifest("web", Tag::Name("2"))
            .unwrap()
            .is_none()
    );
    assert!(
        released
            .image_manifest("web", Tag::Name("../x"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn documents_are_found_from_the_image() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    let released = released(&factory);
    let about = image.parts.manifest.digest;
    let referrers = released.referrers("web", &about).unwrap();
    let [referrer] = referrers.as_slice() else {
        panic!("{referrers:?}")
    };
    assert_eq!(referrer.artifact_type.as_deref(), Some(media_type::SPDX));
    let manifest = released
        .image_manifest("web", Tag::Digest(&referrer.digest))
        .unwrap();
    let manifest: Value = serde_json::from_slice(&bytes(&manifest.unwrap())).unwrap();
    assert_eq!(manifest["subject"]["digest"], about.prefixed());
    assert_eq!(
        manifest["layers"][0]["digest"],
        image.documents[0].digest.prefixed()
    );
    let empty: Sha256 = manifest["config"]["digest"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        bytes(&released.blob("web", &empty).unwrap().unwrap()),
        b"{}"
    );
    assert!(released.referrers("web", &empty).unwrap().is_empty());
}

#[test]
fn many_images_are_released_together_and_each_for_itself() {
    let mut factory = Factory::new();
    let images = ["web", "shop", "mail", "news"].map(|name| factory.image(name, name.as_bytes()));
    let [web, shop, mail, news] = &images;
    let meanwhile = factory.release_image("shop:1", web);
    // A blob of mail's is gone.
    let root = Root::open(factory.folder.path()).unwrap();
    let lost = format!("blobs/sha256/{}", mail.parts.config.digest);
    root.remove_file(&lost.parse().unwrap()).unwrap();
    let requests = images.each_ref().map(|image| request(image, None));
    let candidates = Candidate::images(&factory.store, &requests).unwrap();
    let is_there: Vec<bool> = candidates.iter().map(Result::is_ok).collect();
    assert_eq!(is_there, [true, true, false, true]);
    // The repository of news is no place for an image without a tag.
    let channels = ["web:1", "shop:1", "mail:1", "news"].map(name);
    let moves = channels
        .iter()
        .zip(candidates)
        .filter_map(|(channel, candidate)| {
            let candidate = candidate.ok()?;
            Some((channel, None, cleared(candidate)))
        });
    let outcomes = publish_all(&mut factory.records, moves.collect(), MADE).unwrap();
    let of = |name: &str| {
        let mut outcomes = outcomes.iter();
        let found = outcomes.find(|(channel, _)| channel.as_str() == name);
        found.map(|(_, outcome)| outcome)
    };
    assert!(of("web:1").unwrap().is_ok());
    assert!(of("shop:1").unwrap().as_ref().is_err_and(Error::is_moved));
    assert!(matches!(of("news").unwrap(), Err(Error::Channel { .. })));
    assert!(of("mail:1").is_none());
    let current = |name: &str| factory.records.current(&name.parse().unwrap()).unwrap();
    assert_eq!(current("shop:1"), Some(meanwhile));
    assert_eq!(current("news"), None);
    let released = released(&factory);
    let digest = web.parts.manifest.digest;
    assert_eq!(released.referrers("web", &digest).unwrap().len(), 1);
    for image in [shop, news] {
        let digest = image.parts.manifest.digest;
        let layer = image.parts.layers[0].digest;
        for repository in ["web", "shop", "news"] {
            let found = released.image_manifest(repository, Tag::Digest(&digest));
            assert!(found.unwrap().is_none());
            assert!(released.blob(repository, &layer).unwrap().is_none());
        }
    }
}

#[test]
fn what_a_channel_has_is_judged_again_without_its_layers() {
    let mut factory = Factory::new();
    let images = ["web", "shop"].map(|name| factory.image(name, name.as_bytes()));
    let [web, shop] = &images;
    factory.release_image("web:1", web);
    let standing = |image: &Image, attachments| {
        let place = (&factory.store, &factory.records);
        let request = ImageRequest {
            artifact: &image.artifact,
            packages: &[],
            attachments,
            before: Some(&web.artifact),
        };
        Standing::image(place, &name("web:1"), &request).unwrap()
    };
    let layer = &web.parts.layers[0];
    let root = Root::open(factory.folder.path()).unwrap();
    let lost = format!("blobs/sha256/{}", layer.digest);
    root.remove_file(&lost.parse().unwrap()).unwrap();
    let stands = standing(web, &web.documents).unwrap();
    let parts = &web.parts;
    let size = parts.manifest.size() + parts.config.size() + layer.size;
    assert_eq!(stands.download(), size);
    // What is said of it now was not public yet, and the channel has no other image.
    assert_eq!(standing(web, &shop.documents), None);
    assert_eq!(standing(shop, &shop.documents), None);
}

#[test]
fn an_index_brings_its_images() {
    let mut factory = Factory::new();
    let mut image = factory.image("web", b"hello");
    let manifest = image.parts.manifest.digest;
    image.artifact.digest = image.parts.index.digest;
    image.artifact.size = image.parts.index.size();
    factory.release_image("web:1", &image);
    let released = released(&factory);
    let index = released
        .image_manifest("web", Tag::Name("1"))
        .unwrap()
        .unwrap();
    assert_eq!(index.media_type, media_type::INDEX);
    assert!(
        released
            .image_manifest("web", Tag::Digest(&manifest))
            .unwrap()
            .is_some()
    );
    assert!(
        released
            .blob("web", &image.parts.layers[0].digest)
            .unwrap()
            .is_some()
    );
    assert_eq!(released.referrers("web", &manifest).unwrap().len(), 1);
}

fn refusal(factory: &Factory, image: &Image) -> String {
    let request = request(image, None);
    Candidate::image(&factory.store, &request)
        .unwrap_err()
        .to_string()
}

fn request<'a>(image: &'a Image, before: Option<&'a Artifact>) -> ImageRequest<'a> {
    ImageRequest {
        artifact: &image.artifact,
        packages: &[],
        attachments: &image.documents,
        before,
    }
}

#[test]
fn layers_that_are_public_are_not_hashed_again() {
    let factory = Factory::new();
    let [web, other] = ["web", "other"].map(|name| factory.image(name, name.as_bytes()));
    let layer = &web.parts.layers[0];
    let root = Root::open(factory.folder.path()).unwrap();
    let file = format!("blobs/sha256/{}", layer.digest).parse().unwrap();
    let spoil = |bytes: &[u8]| {
        root.remove_file(&file).unwrap();
        root.write(&file, bytes, 0o644).unwrap();
    };
    let candidate = |before| {
        let made = Candidate::image(&factory.store, &request(&web, before));
        made.map(drop).map_err(|error| error.to_string())
    };
    let length = usize::try_from(layer.size).unwrap();
    spoil(&vec![0; length]);
    assert_eq!(candidate(Some(&web.artifact)), Ok(()));
    // One that was public with another image was looked at with that, and no other was.
    for before in [None, Some(&other.artifact)] {
        assert!(candidate(before).unwrap_err().contains("is damaged"));
    }
    spoil(&vec![0; length - 1]);
    assert!(
        candidate(Some(&web.artifact))
            .unwrap_err()
            .contains("bytes")
    );
    root.remove_file(&file).unwrap();
    assert!(
        candidate(Some(&web.artifact))
            .unwrap_err()
            .contains("does not have it")
    );
}

#[test]
fn an_image_that_is_not_whole_is_no_candidate() {
    let factory = Factory::new();
    let good = factory.image("web", b"hello");
    let with = |change: &dyn Fn(&mut Image)| {
        let mut image = good.clone();
        change(&mut image);
        refusal(&factory, &image)
    };
    let missing = Sha256::new([7; 32]);
    assert!(with(&|image| image.artifact.digest = missing).contains("does not have it"));
    assert!(with(&|image| image.artifact.size += 1).contains("its size"));
    assert!(with(&|image| image.artifact.coordinate.kind = ArtifactKind::Apk).contains("no image"));
    assert!(with(&|image| image.documents[0].digest = missing).contains("does not have it"));
    assert!(with(&|image| image.documents[0].about = missing).contains("no manifest of it"));
    assert!(with(&|image| image.documents[0].media_type = "x".into()).contains("no media type"));
    let text = String::from_utf8(good.parts.manifest.bytes.clone()).unwrap();
    let layer = good.parts.layers[0].digest.prefixed();
    let size = good.parts.layers[0].size;
    for (from, to, expected) in [
        (layer, missing.prefixed(), "does not have it"),
        (
            format!("\"size\":{size}"),
            format!("\"size\":{}", size + 1),
            "bytes",
        ),
    ] {
        let bad = factory
            .store
            .put_bytes(text.replace(&from, &to).as_bytes())
            .unwrap();
        let refused = with(&|image| {
            image.artifact.digest = bad.digest;
            image.artifact.size = bad.size;
            image.documents.clear();
        });
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_channel_takes_what_it_is_for_from_who_knows_where_it_points() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    let release = |factory: &mut Factory, channel: &str, before| {
        let candidate = cleared(factory.image_candidate(&image));
        publish(
            &mut factory.records,
            &name(channel),
            before,
            candidate,
            MADE,
        )
    };
    let wrong = release(&mut factory, "web", None).unwrap_err();
    assert!(matches!(wrong, Error::Channel { .. }), "{wrong}");
    let moved = release(&mut factory, "web:1", Some(Sha256::new([7; 32]))).unwrap_err();
    assert!(moved.is_moved(), "{moved}");
    let first = release(&mut factory, "web:1", None).unwrap();
    let again = release(&mut factory, "web:1", Some(first.after())).unwrap();
    assert_eq!(first, again);
    let judgement: Value = serde_json::from_str(&first.judgement).unwrap();
    assert_eq!(judgement["policy"], "release");
    assert_eq!(
        judgement["judged"],
        serde_json::json!(["sbom", "signature", "repositories"])
    );
    assert_eq!(judgement["not_judged"][0], "materials");
}

#[test]
fn old_releases_stay_readable_and_new_ones_are_seen_at_once() {
    let mut factory = Factory::new();
    let old = factory.image("web", b"old");
    let new = factory.image("web", b"new");
    factory.release_image("web:1", &old);
    let released = released(&factory);
    let current = || {
        released
            .image_manifest("web", Tag::Name("1"))
            .unwrap()
            .unwrap()
    };
    assert_eq!(current().digest, old.artifact.digest);
    let first_since = current().since;
    factory.release_image("web:1", &new);
    assert_eq!(current().digest, new.artifact.digest);
    assert!(current().since > first_since);
    let digest = &old.artifact.digest;
    assert!(
        released
            .image_manifest("web", Tag::Digest(digest))
            .unwrap()
            .is_some()
    );
    assert!(
        released
            .blob("web", &old.parts.layers[0].digest)
            .unwrap()
            .is_some()
    );
    factory.release_image("web:2", &old);
    factory.release_image("app/shop:1", &old);
    assert_eq!(released.tags("web", "", 10).unwrap().unwrap(), ["1", "2"]);
    assert_eq!(released.tags("web", "2", 10).unwrap().unwrap(), [""; 0]);
    assert_eq!(released.tags("nothing", "", 10).unwrap(), None);
    assert_eq!(released.repositories("", 10).unwrap(), ["app/shop", "web"]);
}
