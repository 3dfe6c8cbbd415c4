//! Packages made by enemies: each is refused with an error of its own.

use boltworks_apk::{Error, Limits, OpenOptions, PackageFile, Scratch, Scripts, Section};
use boltworks_fsx::{Content, Limit, Meta, Node, Tree};
use proptest::prelude::*;

use crate::kit::*;

fn limited(bytes: &[u8], limits: Limits) -> Error {
    let options = OpenOptions {
        keyring: None,
        limits,
    };
    PackageFile::read(Content::Bytes(bytes.into()), &options).unwrap_err()
}

#[test]
fn files_that_leave_the_root() {
    let refusal = |raw: Raw<'_>| refusal(&with_data(&data(&[raw])));
    insta::assert_snapshot!(refusal(Raw { name: "../etc/passwd", ..Raw::default() }), @"read the archive of the data section: read the tar archive at byte 1024: '../etc/passwd': a component is '..'");
    insta::assert_snapshot!(refusal(Raw { name: "usr/../../etc", ..Raw::default() }), @"read the archive of the data section: read the tar archive at byte 1024: 'usr/../../etc': a component is '..'");
    insta::assert_snapshot!(refusal(Raw { name: "/etc/passwd", ..Raw::default() }), @"read the archive of the data section: read the tar archive at byte 1024: '/etc/passwd': it is absolute");
    let link = |link| Raw {
        kind: b'1',
        link,
        summed: false,
        ..Raw::default()
    };
    insta::assert_snapshot!(refusal(link("../../etc/shadow")), @"read the archive of the data section: read the tar archive at byte 0: '../../etc/shadow': a component is '..'");
    insta::assert_snapshot!(refusal(link("/etc/shadow")), @"read the archive of the data section: read the tar archive at byte 0: '/etc/shadow': it is absolute");
    insta::assert_snapshot!(refusal(link("etc/shadow")), @"take 'usr/x' into a package: it is a hard link to something that is no file before it in the package");
    let device = |kind| Raw {
        kind,
        summed: false,
        ..Raw::default()
    };
    insta::assert_snapshot!(refusal(device(b'3')), @"read the archive of the data section: read the tar archive at byte 0: the device 'usr/x' is not allowed here");
    insta::assert_snapshot!(refusal(device(b'4')), @"read the archive of the data section: read the tar archive at byte 0: the device 'usr/x' is not allowed here");
}

#[test]
fn names_that_would_become_lines() {
    for name in ["usr/a\nb", "usr/\u{1b}[2J", "usr/a\rF:etc"] {
        let raw = Raw {
            name,
            ..Raw::default()
        };
        let refused = open(&with_data(&data(&[raw]))).unwrap_err();
        let shown = name.replace('\n', "\\n");
        let shown = shown.replace(|c: char| c.is_control(), "\u{fffd}");
        let expected = format!("take '{shown}' into a package: its name holds a control character");
        assert_eq!(reasons(&refused), expected);
    }
}

#[test]
fn links_that_would_become_lines() {
    for link in ["a\nF:etc", "\u{1b}[2J", "a\u{7f}"] {
        let raw = Raw {
            kind: b'2',
            link,
            summed: false,
            ..Raw::default()
        };
        insta::allow_duplicates! {
            insta::assert_snapshot!(refusal(&with_data(&data(&[raw]))), @"take 'usr/x' into a package: the target it links to holds a control character");
        }
    }
}

#[test]
fn relations_that_lead_upwards() {
    let data = gzip(&data(&[Raw::default()]));
    let with = |line: &str| {
        let info = pkginfo(&data) + line;
        refusal(&signed(
            &archive(&[(".PKGINFO", info.as_bytes())], false),
            &data,
        ))
    };
    for name in ["../../etc/passwd", "cmd:../x", "a/..", "so:.."] {
        for field in ["provides", "depend", "replaces", "install_if"] {
            let refused = with(&format!("{field} = {name}\n"));
            assert!(
                refused.contains(name) && !refused.contains("taken"),
                "{field} {name}: {refused}"
            );
        }
    }
    let control = with("provides = a\u{7}b\n");
    assert!(
        control.contains("'provides' holds a control character"),
        "{control}"
    );
    assert_eq!(
        with("depend = /bin/sh\nprovides = cmd:[.\n"),
        "it was taken"
    );
}

#[test]
fn files_that_lie_about_what_is_there() {
    let refusal = |entries: &[Raw<'_>]| refusal(&with_data(&data(entries)));
    let plain = |name| Raw {
        name,
        content: b"x",
        ..Raw::default()
    };
    let link = |name, link| Raw {
        kind: b'2',
        name,
        link,
        summed: false,
        ..Raw::default()
    };
    let hard = |name, link| Raw {
        kind: b'1',
        ..self::link(name, link)
    };
    let dir = |name| Raw {
        kind: b'5',
        name,
        summed: false,
        ..Raw::default()
    };
    insta::assert_snapshot!(refusal(&[link("usr", "/etc"), plain("usr/x")]), @"read the archive of the data section: place 'usr/x': it is beneath something that is no directory");
    insta::assert_snapshot!(refusal(&[plain("usr/x"), link("usr", "/etc")]), @"read the archive of the data section: place 'usr': there is a directory that is not empty");
    insta::assert_snapshot!(refusal(&[plain("usr"), plain("usr/x")]), @"read the archive of the data section: place 'usr/x': it is beneath something that is no directory");
    insta::assert_snapshot!(refusal(&[plain("x"), plain("x")]), @"read the archive of the data section: read the tar archive at byte 3072: 'x' comes twice");
    insta::assert_snapshot!(refusal(&[dir("x/"), plain("x")]), @"read the archive of the data section: read the tar archive at byte 1536: 'x' comes twice");
    insta::assert_snapshot!(refusal(&[dir("usr/"), hard("x", "usr")]), @"take 'x' into a package: it is a hard link to something that is no file before it in the package");
    insta::assert_snapshot!(refusal(&[hard("a", "b"), plain("b")]), @"take 'a' into a package: it is a hard link to something that is no file before it in the package");
    insta::assert_snapshot!(refusal(&[plain(".PKGINFO")]), @"read the data section: '.PKGINFO' has no place there");
    insta::assert_snapshot!(refusal(&[dir(".git/")]), @"read the data section: '.git' has no place there");
}

fn link<'a>(name: &'a str, link: &'a str) -> Raw<'a> {
    Raw {
        kind: b'2',
        name,
        link,
        summed: false,
        ..Raw::default()
    }
}

#[test]
fn checksums_are_required_and_right() {
    let unsummed = Raw {
        content: b"x",
        summed: false,
        ..Raw::default()
    };
    insta::assert_snapshot!(refusal(&with_data(&data(&[unsummed]))), @"verify 'usr/x': its header has no checksum");
    let mut wrong = data(&[Raw {
        content: b"right",
        ..Raw::default()
    }]);
    let at = wrong
        .windows(5)
        .position(|bytes| bytes == b"right")
        .unwrap();
    wrong[at] = b'w';
    insta::assert_snapshot!(refusal(&with_data(&wrong)), @"verify 'usr/x': its checksum is another than its header says");
    // A link's checksum is that of its target, not of its content.
    let link = Raw {
        summed: true,
        ..link("x", "y")
    };
    insta::assert_snapshot!(refusal(&with_data(&data(&[link]))), @"verify 'x': its checksum is another than its header says");
}

#[test]
fn the_data_section_is_one_member_and_the_last() {
    let plain = data(&[Raw {
        content: b"x",
        ..Raw::default()
    }]);
    let (front, back) = plain.split_at(1024);
    let control = |data: &[u8]| archive(&[(".PKGINFO", pkginfo(data).as_bytes())], false);
    let two = [gzip(front), gzip(back)].concat();
    insta::assert_snapshot!(refusal(&signed(&control(&two), &two)), @"read the data section: it must be exactly one gzip member, but another one follows");
    let whole = gzip(&plain);
    let empty = [whole.clone(), gzip(b"")].concat();
    insta::assert_snapshot!(refusal(&signed(&control(&empty), &empty)), @"read the data section: it must be exactly one gzip member, but another one follows");
    insta::assert_snapshot!(refusal(&signed(&control(&whole), &empty)), @"read the data section: it must be exactly one gzip member, but another one follows");
    let trailing = [whole.clone(), b"x".to_vec()].concat();
    insta::assert_snapshot!(refusal(&signed(&control(&trailing), &trailing)), @"read the data section: bytes follow it that belong to no section");
    let zeros = [whole.clone(), vec![0; 512]].concat();
    insta::assert_snapshot!(refusal(&signed(&control(&whole), &zeros)), @"read the data section: bytes follow it that belong to no section");
    insta::assert_snapshot!(refusal(&signed(&control(&whole), b"")), @"read the data section: the file ends before it");
    insta::assert_snapshot!(refusal(&signed(&control(b"PK"), b"PK")), @"read the data section: it is not a gzip member");
}

#[test]
fn members_without_end_are_not_waited_for() {
    let control = gzip(&archive(&[(".PKGINFO", pkginfo(b"").as_bytes())], false));
    let signature = signature(&control, KEY);
    let package = [signature, control].concat();
    for member in [gzip(b""), gzip(&[0; 1024])] {
        let endless = [package.clone(), member.repeat(10_000)].concat();
        let error = open(&endless).unwrap_err();
        assert!(
            matches!(error, Error::SeveralMembers(Section::Data)),
            "{error}"
        );
    }
    let signatures = gzip(&archive(&[(".SIGN.RSA256.web.rsa.pub", b"x")], false)).repeat(1000);
    let error = limited(&signatures, Limits::default());
    assert!(
        matches!(
            error,
            Error::Misplaced {
                section: Section::Control,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn end_marks_are_where_they_belong() {
    let data = gzip(&data(&[]));
    let info = pkginfo(&data);
    let with_end = archive(&[(".PKGINFO", info.as_bytes())], true);
    insta::assert_snapshot!(refusal(&signed(&with_end, &data)), @"read the archive of the control section: it has an end mark, which hides what follows from apk");
    let endless = gzip(
        &Raw {
            content: b"x",
            ..Raw::default()
        }
        .bytes(),
    );
    let control = archive(&[(".PKGINFO", pkginfo(&endless).as_bytes())], false);
    insta::assert_snapshot!(refusal(&signed(&control, &endless)), @"read the archive of the data section: read the tar archive at byte 2048: it is cut off: the end mark is missing");
    let control = gzip(&archive(&[(".PKGINFO", info.as_bytes())], false));
    let signature = gzip(&archive(&[(".SIGN.RSA256.web.rsa.pub", b"x")], true));
    insta::assert_snapshot!(refusal(&[signature, control, data].concat()), @"read the archive of the signature section: it has an end mark, which hides what follows from apk");
}

#[test]
fn control_sections_that_are_none() {
    let data = gzip(&data(&[]));
    let info = pkginfo(&data);
    let info = info.as_bytes();
    let refusal = |files: &[(&str, &[u8])]| refusal(&signed(&archive(files, false), &data));
    insta::assert_snapshot!(refusal(&[(".melange.yaml", b"")]), @"read the control section: it has no '.PKGINFO'; are sections swapped or missing?");
    insta::assert_snapshot!(refusal(&[(".PKGINFO", info), ("usr", b"")]), @"read the control section: 'usr' has no place there");
    insta::assert_snapshot!(refusal(&[(".PKGINFO", info), (".x/y", b"")]), @"read the control section: '.x/y' has no place there");
    insta::assert_snapshot!(refusal(&[(".PKGINFO", info), (".INSTALL", b"")]), @"read the control section: '.INSTALL' has no place there");
    insta::assert_snapshot!(refusal(&[(".PKGINFO", info), (".SIGN.RSA256.web.rsa.pub", b"")]), @"read the control section: '.SIGN.RSA256.web.rsa.pub' has no place there");
    insta::assert_snapshot!(refusal(&[(".PKGINFO", b"pkgname = a\xff")]), @"read line 1 of .PKGINFO: it is not UTF-8");
    insta::assert_snapshot!(refusal(&[(".PKGINFO", b"pkgname = a\npkgver = 1\narch = x\n")]), @"verify the data section: the control section has no 'datahash'");
}

#[test]
fn sections_that_are_swapped_or_cut() {
    let bytes = sound();
    let [_, control, data, end] = sections(&bytes);
    let (signature, rest) = bytes.split_at(control);
    let (control_section, data_section) = rest.split_at(data - control);
    let swapped = |parts: [&[u8]; 3]| refusal(&parts.concat());
    insta::assert_snapshot!(swapped([control_section, signature, data_section]), @"verify the signature: there is none");
    insta::assert_snapshot!(swapped([signature, data_section, control_section]), @"verify the signature by 'web.rsa.pub': verify the RSA signature");
    insta::assert_snapshot!(swapped([data_section, control_section, signature]), @"verify the signature: there is none");
    insta::assert_snapshot!(swapped([signature, control_section, control_section]), @"read the data section: '.PKGINFO' has no place there");
    for length in 0..end {
        let error = open(&bytes[..length]).unwrap_err();
        let is_cut = matches!(error, Error::Truncated(_) | Error::Missing(_));
        // Without its first member, a package is an unsigned one.
        assert!(
            is_cut || matches!(error, Error::Unsigned),
            "{length}: {error}"
        );
    }
    // Stacked, the next package's signature seems to be data.
    insta::assert_snapshot!(refusal(&[signature, control_section, &bytes].concat()), @"read the data section: '.SIGN.RSA256.web.rsa.pub' has no place there");
}

#[test]
fn data_swapped_under_a_valid_signature() {
    let bytes = sound();
    let mut tree = tree();
    let evil = Node::file(Meta::new(0o755, EPOCH), *b"#!/bin/sh\necho evil\n");
    tree.insert(path("usr/bin/hello"), evil).unwrap();
    let (other, _) = write(&control(), &Scripts::new(), &tree);
    let (front, back) = (sections(&bytes)[2], sections(&other)[2]);
    let mixed = [&bytes[..front], &other[back..]].concat();
    let error = open(&mixed).unwrap_err();
    assert!(matches!(error, Error::DataHash { .. }), "{error}");
}

#[test]
fn nothing_of_a_package_that_changed_since_it_was_opened_is_used() {
    let (_directory, root) = scratch();
    let bytes = sound();
    let handle = file(&root, &bytes);
    let package = PackageFile::open(handle.clone(), &OpenOptions::default()).unwrap();
    let place = sections(&bytes)[2] + 30;
    std::os::unix::fs::FileExt::write_all_at(&*handle, &[bytes[place] ^ 1], place as u64).unwrap();
    let mut scratch = Scratch::new(&root).unwrap();
    assert!(package.unpack_into(&mut scratch).is_err());
    assert!(package.files().is_err());
    assert!(scratch.is_empty());
}

#[test]
fn signatures_that_are_none() {
    let bytes = sound();
    let [_, control, data, _] = sections(&bytes);
    let (control_section, rest) = (&bytes[control..data], &bytes[control..]);
    insta::assert_snapshot!(refusal(rest), @"verify the signature: there is none");
    let by = |name: &str| [&signature(control_section, name), rest].concat();
    insta::assert_snapshot!(refusal(&by("other.rsa.pub")), @"verify the signature: it is by other.rsa.pub, which is not trusted");
    insta::assert_snapshot!(refusal(&by("../web.rsa.pub")), @"read the signature section: '.SIGN.RSA256.../web.rsa.pub' has no place there");
    assert_eq!(refusal(&by(KEY)), "it was taken");
    let wrong = [&signature(b"something else", KEY), rest].concat();
    insta::assert_snapshot!(refusal(&wrong), @"verify the signature by 'web.rsa.pub': verify the RSA signature");
    // The right name, another key.
    let mut keyring = boltworks_crypto::Keyring::new();
    keyring.insert(KEY, stranger().key.public());
    let options = OpenOptions {
        keyring: Some(&keyring),
        ..OpenOptions::default()
    };
    let error = PackageFile::read(Content::Bytes(bytes.into()), &options).unwrap_err();
    assert!(matches!(error, Error::BadSignature { .. }), "{error}");
}

#[test]
fn bombs_are_refused_at_the_limit() {
    let zeros = Node::file(Meta::new(0o644, 0), vec![0; 3_000_000]);
    let mut tree = Tree::new();
    tree.insert(path("zeros"), zeros).unwrap();
    let (bytes, _) = write(&control(), &Scripts::new(), &tree);
    let data = |size| Limits {
        data: Limit(size),
        ..Limits::default()
    };
    // The archive: a PAX header of two blocks, a header, the content padded, two blocks.
    let whole = 512 * 3 + 3_000_320 + 1024;
    let options = OpenOptions {
        keyring: None,
        limits: data(whole),
    };
    assert!(PackageFile::read(Content::Bytes(bytes.as_slice().into()), &options).is_ok());
    let error = limited(&bytes, data(whole - 1));
    assert!(
        matches!(error, Error::TooLarge { .. } | Error::Archive { .. }),
        "{error}"
    );
    let error = limited(&bytes, data(1_000_000));
    assert!(
        matches!(error, Error::TooLarge { .. } | Error::Archive { .. }),
        "{error}"
    );
    let control = |size| Limits {
        control: Limit(size),
        ..Limits::default()
    };
    let error = limited(&bytes, control(1023));
    assert!(
        matches!(
            error,
            Error::TooLarge {
                section: Section::Control,
                limit: 1023
            }
        ),
        "{error}"
    );
    let entries = |entries| Limits {
        entries,
        ..Limits::default()
    };
    let error = limited(&sound(), entries(3));
    insta::assert_snapshot!(reasons(&error), @"read the archive of the data section: read the tar archive at byte 4096: it has more than 3 entries");
}

#[test]
fn every_changed_byte_is_noticed() {
    let bytes = sound();
    let start = sections(&bytes)[1];
    for place in start..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0x40;
        assert!(open(&changed).is_err(), "byte {place}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(noise: Vec<u8>, place: prop::sample::Index, plain: Vec<u8>) {
        prop_assert!(open(&noise).is_err());
        let mut bytes = sound();
        let place = place.index(bytes.len());
        bytes.splice(place..place, noise.iter().copied());
        if let Ok(package) = open(&bytes) {
            prop_assert_eq!(package.control().name.as_str(), "hello");
        }
        let padded = [data(&[Raw::default()])[..1024].to_vec(), plain].concat();
        prop_assert!(open(&with_data(&padded)).is_err());
    }
}
