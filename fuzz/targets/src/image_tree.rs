//! What an image file does to the files of packages.

use boltworks_crypto::Keyring;
use boltworks_fsx::tar::{Policy, Writer};
use boltworks_fsx::{Limit, RelPath, Tree};
use boltworks_image::brought::Brought;
use boltworks_image::contents::System;
use boltworks_image::{
    Error, accounts, certificates, declaration, paths, process, services, skeleton,
};
use boltworks_model::{Architecture, Timestamp};
use boltworks_recipe::resolved::Image;
use boltworks_recipe::{parse_image, resolve_image};
use boltworks_rootfs::Assembly;

use crate::{archive, mend, taken, text};

/// No file of an image is larger here.
const POLICY: Policy = Policy {
    max_entries: 4096,
    max_file: Limit::mib(1),
    max_total: Limit::mib(16),
    max_extended: Limit::kib(64),
    devices: true,
    duplicates: false,
    end_required: true,
};

/// An image file and the files of packages as a tar: a length of four bytes, then so many bytes
/// of the first, then the second, which is mended.
pub fn image_tree(data: &[u8]) {
    let (file, packages) = mend::parted(data);
    let Some(Ok(parsed)) = text(file).map(|text| parse_image("image.yaml", text)) else {
        return;
    };
    let Ok(image) = resolve_image(&parsed) else {
        return;
    };
    let Some(mut tree) = archive::tree(&mend::tar(packages)) else {
        return;
    };
    if let Ok(process) = process::process(&image, process::annotations(&image, Timestamp::EPOCH)) {
        assert!(
            process
                .env
                .iter()
                .all(|pair| !pair.starts_with('=') && pair.contains('='))
        );
    }
    if finish(&mut tree, &image).is_err() {
        return;
    }
    taken();
    let mut writer = Writer::new(Vec::new());
    writer
        .append_tree(&tree)
        .expect("a finished tree can be written");
    let bytes = writer
        .finish_with_end()
        .expect("writing to memory does not fail");
    let again = archive::read(&bytes, POLICY).expect("what was written can be read");
    assert_eq!(again.len(), tree.len(), "a file came or went");
    let has = |path: &str| tree.contains(&RelPath::try_from(path).expect("a plain path"));
    assert!(has("usr") && has("etc"), "the skeleton is not there");
}

/// What the image room does, in its order.
fn finish(tree: &mut Tree, image: &Image) -> Result<(), Error> {
    let assembly = Assembly {
        tree: tree.clone(),
        ..Assembly::default()
    };
    let brought = Brought {
        assembly: &assembly,
        members: &[],
        below: 0,
    };
    skeleton::add(tree)?;
    accounts::add(tree, &image.accounts)?;
    services::add_busybox_links(tree)?;
    services::add_services(tree, image)?;
    certificates::add(tree, image, &[])?;
    declaration::add_configuration(tree, image, Architecture::X86_64)?;
    declaration::add_repositories(tree, image, &Keyring::new())?;
    paths::apply(tree, &image.paths)?;
    skeleton::link_database(tree, &brought)?;
    paths::share_attributes(tree);
    skeleton::complete(tree);
    if let Some(system) = System::read(tree)? {
        assert!(!system.facts().id.is_empty() && !system.facts().name.is_empty());
    }
    Ok(())
}
