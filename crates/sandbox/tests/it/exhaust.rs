//! What a step may use up.

use std::fs;
use std::time::Duration;

use boltworks_model::Ambient;
use boltworks_sandbox::{End, Stream};

use crate::world::{Now, World, has_groups, local};

pub(crate) fn processes_are_limited() {
    let mut world = World::new();
    world.limits.processes = Some(20);
    let done = world.run(&["/bin/attack", "fork"]).unwrap();
    assert_eq!(done.stdout, "19 more, then EAGAIN\n", "{done:?}");
    assert!(done.exit.is_success());
    // A bomb proper ends with its shell, or when time is up.
    world.limits.wall = Some(Duration::from_secs(3));
    let done = world.script("bomb() { bomb | bomb & }; bomb; sleep 1; exit 5");
    assert!(
        matches!(done.exit.end, End::Code(_) | End::Timeout),
        "{done:?}"
    );
    assert!(done.exit.wall < Duration::from_secs(8), "{done:?}");
}

pub(crate) fn memory_is_limited() {
    let mut world = World::new();
    world.limits.memory = Some(64 << 20);
    let done = world.run(&["/bin/attack", "eat"]).unwrap();
    if has_groups() {
        assert_eq!(done.exit.end, End::OutOfMemory, "{done:?}");
        let peak = done.exit.peak_memory;
        assert!((32 << 20..=64 << 20).contains(&peak), "{done:?}");
        // One that hides it is caught as well.
        let done = world.script("attack eat; exit 0");
        assert_eq!(done.exit.end, End::OutOfMemory, "{done:?}");
    } else {
        assert_eq!(done.exit.end, End::Code(9), "{done:?}");
        assert_eq!(done.stdout, "no more memory\n");
    }
    assert!(world.script("exit 0").exit.is_success());
}

pub(crate) fn temporary_files_count_as_memory() {
    let mut world = World::new();
    world.limits.memory = Some(64 << 20);
    for folder in ["/tmp", "/dev/shm"] {
        let done = world.script(&format!("head -c 100000000 /dev/zero > {folder}/x"));
        assert!(!done.exit.is_success(), "{done:?}");
    }
}

pub(crate) fn file_size_is_limited() {
    let mut world = World::new();
    world.limits.file_size = Some(1 << 20);
    let done = world.script("dd if=/dev/zero of=x bs=65536 count=64");
    assert!(!done.exit.is_success(), "{done:?}");
    assert_eq!(
        fs::metadata(world.path("workspace").join("x"))
            .unwrap()
            .len(),
        1 << 20
    );
}

pub(crate) fn endless_output_is_not_kept() {
    let mut world = World::new();
    world.limits.wall = Some(Duration::from_secs(2));
    let before = own_memory();
    let (mut bytes, mut largest) = (0, 0);
    let mut output = |stream, chunk: &[u8]| {
        assert_eq!(stream, Stream::Stdout);
        bytes += chunk.len();
        largest = largest.max(chunk.len());
    };
    let ambient = Ambient {
        clock: &Now,
        entropy: &Now,
        sink: &(),
        cancel: &world.cancel,
    };
    let step = world.step(&["/bin/yes"]);
    let exit = local()
        .run(&world.guest(), &step, &mut output, &ambient)
        .unwrap();
    assert_eq!(exit.end, End::Timeout);
    assert!(bytes > 2 << 20, "only {bytes} bytes came");
    assert!(largest <= 64 << 10, "{largest} bytes at once");
    assert!(
        own_memory() < before + (1 << 20),
        "{before} bytes grew to {}",
        own_memory()
    );
}

/// This process's memory in bytes (proc(5): the second field of `statm`, in pages).
fn own_memory() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}
