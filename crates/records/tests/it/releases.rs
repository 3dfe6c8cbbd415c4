//! Channels and what they make public.

use std::sync::Barrier;

use boltworks_model::{ArtifactKind, ChannelName, Timestamp};
use boltworks_records::{Error, NewRelease, PublicBlob, Records, ReleasedBlob, Role};

use crate::{artifact, digest, fresh};

fn channel(name: &str) -> ChannelName {
    name.parse().unwrap()
}

fn blob(role: Role, byte: u8, name: Option<&str>) -> ReleasedBlob {
    ReleasedBlob {
        digest: digest(byte),
        size: 5,
        role,
        media_type: "application/x".into(),
        about: None,
        name: name.map(str::to_owned),
    }
}

fn image(byte: u8, blobs: Vec<ReleasedBlob>) -> NewRelease {
    NewRelease {
        artifact: artifact(ArtifactKind::Image, "web", byte),
        judgement: "{}".into(),
        at: Timestamp(i64::from(byte)),
        blobs,
    }
}

#[test]
fn a_channel_moves_only_from_where_it_is() {
    let (_folder, mut records) = fresh();
    let web = channel("web:1.4");
    let moved = |result| matches!(result, Err(Error::Moved { .. }));
    assert!(moved(records.compare_and_swap(
        &web,
        Some(digest(9)),
        &image(1, vec![])
    )));
    assert_eq!(records.current(&web).unwrap(), None);
    let first = records
        .compare_and_swap(&web, None, &image(1, vec![]))
        .unwrap();
    assert!(moved(records.compare_and_swap(
        &web,
        None,
        &image(2, vec![])
    )));
    let second = records
        .compare_and_swap(&web, Some(digest(1)), &image(2, vec![]))
        .unwrap();
    let third = records
        .compare_and_swap(&web, Some(digest(2)), &image(1, vec![]))
        .unwrap();
    let sequences = [&first, &second, &third].map(|release| release.sequence);
    assert_eq!(sequences, [1, 2, 3]);
    assert_eq!(third.before, Some(digest(2)));
    let times = [&first, &second, &third].map(|release| release.at.0);
    assert_eq!(times, [1, 2, 3], "the third was made when a clock said 1");
    assert_eq!(records.current(&web).unwrap(), Some(third.clone()));
    assert_eq!(records.channels().unwrap(), std::slice::from_ref(&third));
    assert_eq!(records.history(&web).unwrap(), [first, second, third]);
}

#[test]
fn of_many_channels_one_that_was_moved_meanwhile_stays() {
    let (folder, mut records) = fresh();
    let names = ["a:1", "b:1", "c:1", "d:1"].map(channel);
    let [a, b, c, d] = &names;
    let same = image(1, vec![blob(Role::Manifest, 1, None)]);
    let first = records.compare_and_swap(a, None, &same).unwrap();
    let meanwhile = records
        .compare_and_swap(b, None, &image(9, vec![]))
        .unwrap();
    let public = image(2, vec![blob(Role::Layer, 22, None)]);
    let refused = image(3, vec![blob(Role::Layer, 33, None)]);
    let moves = [
        (a, Some(digest(1)), &same),
        (b, None, &refused),
        (c, None, &public),
        (d, None, &public),
        (d, None, &refused),
    ];
    let moved = records.compare_and_swap_all(&moves).unwrap();
    let [again, stayed, new, other, late] = moved.as_slice() else {
        panic!("{moved:?}");
    };
    assert_eq!(again.as_ref().unwrap(), &first);
    for (outcome, name) in [(stayed, b), (late, d)] {
        assert!(matches!(outcome, Err(Error::Moved { channel, .. }) if channel == name));
    }
    assert_eq!(new.as_ref().unwrap().sequence, 1);
    drop(records);
    // All of it is on disk, and nothing of what was refused.
    let path = folder.path().join("records.db");
    let records = Records::open_read_only(&path).unwrap();
    assert_eq!(records.history(a).unwrap(), [first]);
    assert_eq!(records.history(b).unwrap(), [meanwhile]);
    assert_eq!(records.current(c).unwrap().as_ref(), new.as_ref().ok());
    assert_eq!(
        records.history(d).unwrap().as_slice(),
        [other.as_ref().unwrap().clone()]
    );
    let is_public = |name: &str, byte| !records.released(name, &digest(byte)).unwrap().is_empty();
    assert!(is_public("c", 22) && is_public("d", 22));
    assert!(!is_public("b", 33) && !is_public("d", 33));
}

#[test]
fn a_repeated_move_is_no_move_unless_it_makes_something_public() {
    let (_folder, mut records) = fresh();
    let web = channel("web:1.4");
    let blobs = vec![blob(Role::Manifest, 1, None)];
    let first = records
        .compare_and_swap(&web, None, &image(1, blobs.clone()))
        .unwrap();
    let again = records
        .compare_and_swap(&web, Some(digest(1)), &image(1, blobs))
        .unwrap();
    assert_eq!(first, again);
    let more = image(1, vec![blob(Role::Attachment, 2, None)]);
    assert_eq!(
        records
            .compare_and_swap(&web, Some(digest(1)), &more)
            .unwrap()
            .sequence,
        2
    );
    assert_eq!(records.history(&web).unwrap().len(), 2);
}

#[test]
fn blobs_are_public_in_their_repository_and_role_for_ever() {
    let (_folder, mut records) = fresh();
    let web = channel("web:1.4");
    let mut referrer = blob(Role::Referrer, 3, None);
    referrer.about = Some(digest(1));
    let blobs = vec![
        blob(Role::Manifest, 1, None),
        blob(Role::Layer, 2, None),
        referrer.clone(),
    ];
    records
        .compare_and_swap(&web, None, &image(1, blobs.clone()))
        .unwrap();
    records
        .compare_and_swap(&web, Some(digest(1)), &image(4, vec![]))
        .unwrap();
    for blob in &blobs {
        let public = PublicBlob {
            blob: blob.clone(),
            since: Timestamp(1),
        };
        assert_eq!(records.released("web", &blob.digest).unwrap(), [public]);
        assert_eq!(records.released("shop", &blob.digest).unwrap(), []);
    }
    assert_eq!(records.referrers("web", &digest(1)).unwrap(), [referrer]);
    assert_eq!(records.referrers("web", &digest(2)).unwrap(), []);
    assert_eq!(
        records.released_digests().unwrap(),
        [digest(1), digest(2), digest(3)]
    );
}

#[test]
fn a_file_name_means_what_the_newest_release_says() {
    let (_folder, mut records) = fresh();
    let os = channel("os/x86_64");
    let index = |byte, blobs| NewRelease {
        artifact: artifact(ArtifactKind::ApkIndex, "os", byte),
        ..image(byte, blobs)
    };
    let zlib = |byte| blob(Role::Apk, byte, Some("zlib-1.3.1-r0.apk"));
    let key = blob(Role::Key, 9, Some("web.rsa.pub"));
    records
        .compare_and_swap(&os, None, &index(1, vec![zlib(2), key.clone()]))
        .unwrap();
    records
        .compare_and_swap(&os, Some(digest(1)), &index(3, vec![zlib(4)]))
        .unwrap();
    records
        .compare_and_swap(&os, Some(digest(3)), &index(5, vec![zlib(2)]))
        .unwrap();
    records
        .compare_and_swap(&os, Some(digest(5)), &index(6, vec![zlib(4)]))
        .unwrap();
    let named = |name| records.released_name("os/x86_64", name).unwrap();
    let public = PublicBlob {
        blob: zlib(4),
        since: Timestamp(6),
    };
    assert_eq!(named("zlib-1.3.1-r0.apk"), Some(public));
    assert_eq!(named("zlib-1.3.1-r1.apk"), None);
    assert_eq!(records.released("os/x86_64", &digest(2)).unwrap().len(), 1);
    let public = PublicBlob {
        blob: key,
        since: Timestamp(1),
    };
    assert_eq!(
        records.released_names(Role::Key).unwrap(),
        [("os/x86_64".into(), public)]
    );
}

#[test]
fn lists_are_paged_in_byte_order() {
    let (_folder, mut records) = fresh();
    for name in ["web:b", "web:B", "web:a", "shop:1", "app/x:1"] {
        records
            .compare_and_swap(&channel(name), None, &image(1, vec![]))
            .unwrap();
    }
    assert_eq!(records.tags("web", "", 100).unwrap(), ["B", "a", "b"]);
    assert_eq!(records.tags("web", "B", 1).unwrap(), ["a"]);
    assert_eq!(records.tags("web", "b", 1).unwrap(), [] as [&str; 0]);
    let repositories = |after, most| {
        records
            .repositories(ArtifactKind::Image, after, most)
            .unwrap()
    };
    assert_eq!(repositories("", 100), ["app/x", "shop", "web"]);
    assert_eq!(repositories("app/x", 1), ["shop"]);
    assert!(
        records
            .repositories(ArtifactKind::ApkIndex, "", 100)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn of_those_who_move_a_channel_at_once_one_wins() {
    let (folder, records) = fresh();
    drop(records);
    let path = folder.path().join("records.db");
    let start = Barrier::new(4);
    let race = |byte: u8| -> bool {
        let mut records = Records::open(&path).unwrap();
        start.wait();
        records
            .compare_and_swap(&channel("web:1.4"), None, &image(byte, vec![]))
            .is_ok()
    };
    let race = &race;
    let wins: Vec<bool> = std::thread::scope(|scope| {
        let threads = [1, 2, 3, 4].map(|byte| scope.spawn(move || race(byte)));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(wins.iter().filter(|&&won| won).count(), 1);
}
