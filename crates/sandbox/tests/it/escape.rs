//! What a step may not do.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};

use boltworks_sandbox::{Bind, Error, Ids};

use crate::CANARY;
use crate::world::{World, local};

/// Calls whose error depends on how the kernel was built: all that matters is that there is one.
const KERNEL_DEPENDENT: [&str; 7] = [
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/kmsg",
    "modprobe",
    "the i386 interface",
    "core_pattern",
    "drop_caches",
];

/// What root does to itself, which changes nothing, and another is refused with `EINVAL`.
const ROOTS_OWN: [&str; 2] = ["setuid 0", "chown to 0"];

pub(crate) fn every_forbidden_call_is_refused() {
    let world = World::new();
    let is_root = world.ids == Ids::ROOT;
    let done = world.run(&["/bin/attack", "calls"]).unwrap();
    assert!(done.exit.is_success(), "{done:?}");
    let mut by_answer = BTreeMap::<&str, Vec<&str>>::new();
    for line in done.stdout.lines() {
        let (name, answer) = line.rsplit_once(": ").unwrap();
        let is_own = is_root && ROOTS_OWN.contains(&name);
        assert_eq!(answer == "DONE", is_own, "{name}: {answer}");
        let answer = if KERNEL_DEPENDENT.contains(&name) {
            "refused"
        } else if is_own {
            "EINVAL"
        } else {
            answer
        };
        by_answer.entry(answer).or_default().push(name);
    }
    let counts: Vec<_> = by_answer
        .iter()
        .map(|(answer, names)| (*answer, names.len()))
        .collect();
    let expected = [
        ("EACCES", 11),
        ("EAFNOSUPPORT", 5),
        ("EINVAL", 3),
        ("ENETUNREACH", 1),
        ("ENODATA", 2),
        ("ENOENT", 3),
        ("ENOSYS", 2),
        ("ENXIO", 1),
        ("EPERM", 63),
        ("EROFS", 3),
        ("killed by SIGSYS", 1),
        ("refused", 7),
    ];
    assert_eq!(counts, expected, "{by_answer:#?}");
}

pub(crate) fn no_file_of_the_host_is_seen() {
    let world = World::new();
    let canary = world.path("canary-file");
    fs::write(&canary, CANARY).unwrap();
    let path = canary.to_str().unwrap();
    let done = world.script(&format!(
        "cat {path}; cat /proc/1/root{path}; cat /proc/self/root{path}; cat /../../..{path}; \
         find / -name 'canary-file' -not -path '/proc/*'; ls -A /tmp; ls /"
    ));
    assert_eq!(done.stdout.replace('\n', " "), "bin dev etc home proc tmp ");
    assert!(!done.stderr.contains(CANARY), "{}", done.stderr);
    // Nothing is mounted but what the guest is made of.
    let script = "cut -d' ' -f5 /proc/self/mountinfo | grep -v ^/proc | sort";
    assert_eq!(
        world.script(script).stdout.replace('\n', " "),
        "/ /dev /dev/full /dev/null /dev/pts /dev/random /dev/shm /dev/tty /dev/urandom /dev/zero \
         /home/build /tmp "
    );
}

pub(crate) fn no_link_leads_out() {
    let mut world = World::new();
    let outside = world.make("outside");
    fs::write(outside.join("file"), CANARY).unwrap();
    let workspace = world.path("workspace");
    symlink(&outside, workspace.join("link")).unwrap();
    symlink(
        format!("../../../../../../../..{}", outside.display()),
        workspace.join("up"),
    )
    .unwrap();
    let done = world.script("cat link/file up/file; ls link up; echo x > link/new");
    assert!(
        !done.stdout.contains(CANARY) && !outside.join("new").exists(),
        "{done:?}"
    );

    // A bind's place in the guest is looked up inside the guest.
    let inside = world.make("inside");
    fs::write(inside.join("mine"), "").unwrap();
    symlink("/etc", workspace.join("to-etc")).unwrap();
    let bind = |source: &std::path::Path, target: &str| Bind {
        source: source.into(),
        target: target.into(),
        writable: true,
    };
    world.binds = vec![bind(&inside, "/home/build/to-etc/place")];
    assert_eq!(world.script("ls /etc/place").stdout, "mine\n");
    world.binds = vec![bind(&inside, "/home/build/link/place")];
    let result = world.run(&["/bin/true"]);
    assert!(matches!(result, Err(Error::Setup { .. })), "{result:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);

    // A folder that a step replaced by a link is not the one that was meant.
    world.binds = vec![Bind {
        writable: false,
        ..bind(&workspace.join("link"), "/opt/x")
    }];
    let result = world.run(&["/bin/cat", "/opt/x/file"]);
    assert!(matches!(result, Err(Error::Setup { .. })), "{result:?}");
    fs::create_dir(outside.join("deep")).unwrap();
    let deep = workspace.join("link/deep");
    world.binds = vec![Bind {
        writable: false,
        ..bind(&deep, "/opt/x")
    }];
    let error = world.run(&["/bin/true"]).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    world.binds.clear();
    fs::rename(world.path("tree"), world.path("moved")).unwrap();
    symlink(world.path("moved"), world.path("tree")).unwrap();
    let result = world.run(&["/bin/true"]);
    assert!(matches!(result, Err(Error::Setup { .. })), "{result:?}");
}

pub(crate) fn neither_the_network_nor_abstract_sockets_are_reached() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("boltworks-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let unix = UnixListener::bind_addr(&address).unwrap();
    let port = tcp.local_addr().unwrap().port().to_string();
    let world = World::new();
    let done = world
        .run(&["/bin/attack", "connect", &port, &name])
        .unwrap();
    assert_eq!(
        done.stdout,
        "the host's loopback: ECONNREFUSED\nan abstract socket: ECONNREFUSED\n"
    );
    for nothing_came in [tcp.set_nonblocking(true), unix.set_nonblocking(true)] {
        nothing_came.unwrap();
    }
    assert!(tcp.accept().is_err() && unix.accept().is_err());
}

pub(crate) fn the_secrets_of_the_factory_are_not_seen() {
    assert_eq!(std::env::var("CANARY").unwrap(), CANARY);
    assert_eq!(fs::read_to_string("/proc/self/fd/9").unwrap(), CANARY);
    let world = World::new();
    let done = world.script(
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; \
         for n in 3 4 5 6 7 8 9 10 11 12; do cat <&$n && echo $n is\"\" open; done; \
         ls -l /proc/[0-9]*/fd; env; set; exit 0",
    );
    let seen = done.stdout + &done.stderr;
    assert!(seen.contains("PATH=/bin"), "{seen}");
    assert!(!seen.contains(CANARY), "{seen}");
    assert!(!seen.contains("is open"), "{seen}");
    // Nor where anything lies, in variables, command lines and open files.
    let folder = world.path("").display().to_string();
    assert!(!seen.contains(folder.trim_end_matches('/')), "{seen}");
}

/// What `docs/sandbox.md` says of the kernel's list of mounts: it cannot be hidden, and binds are
/// all that it gives away.
pub(crate) fn only_binds_say_where_they_come_from() {
    let world = World::new();
    let script = "cat /proc/self/mountinfo /proc/self/mounts /proc/self/mountstats";
    let seen = world.script(script).stdout;
    let folder = world.path("");
    let name = folder.file_name().unwrap().to_str().unwrap();
    let telling: Vec<&str> = seen.lines().filter(|line| line.contains(name)).collect();
    assert!(
        matches!(telling[..], [line] if line.contains("/workspace /home/build ")),
        "{seen}"
    );
}

pub(crate) fn no_process_of_the_host_is_seen_or_killed() {
    let mut victim = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let world = World::new();
    let pids = [
        victim.id(),
        std::process::id(),
        std::os::unix::process::parent_id(),
    ];
    let words: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let mut argv = vec!["/bin/attack", "kill"];
    argv.extend(words.iter().map(String::as_str));
    let done = world.run(&argv).unwrap();
    assert_eq!(done.stdout.matches("ESRCH").count(), 3, "{}", done.stdout);
    assert_eq!(
        world
            .script("cd /proc; echo [0-9]*; exec kill -9 -1")
            .stdout,
        "1 2\n"
    );
    assert_eq!(victim.try_wait().unwrap(), None);
    victim.kill().unwrap();
    victim.wait().unwrap();
}

pub(crate) fn the_first_process_cannot_be_killed() {
    let world = World::new();
    let done = world.script("kill -9 1; kill -TERM 1; kill -SEGV 1; kill -STOP 1; echo alive");
    assert_eq!(done.stdout, "alive\n", "{done:?}");
    assert!(done.exit.is_success());
}

pub(crate) fn the_helper_cannot_be_reached_by_a_script() {
    // The kernel would look `/proc/self/exe` up while the process is still a copy of the first.
    let world = World::new();
    let tricks = [
        "printf '#!/proc/self/exe\\n' > trick; chmod 755 trick; ./trick; exit 0",
        "printf '#!/proc/self/exe sandbox-init\\n' > /tmp/trick; chmod 755 /tmp/trick; exit 0",
    ];
    for trick in tricks {
        assert!(world.script(trick).exit.is_success());
    }
    let result = world.run(&["/home/build/trick"]);
    assert!(matches!(result, Err(Error::Start { .. })), "{result:?}");
    let result = world.run(&["/proc/self/exe"]);
    assert!(matches!(result, Err(Error::Start { .. })), "{result:?}");
}

pub(crate) fn a_folder_of_another_user_is_not_written() {
    if !rustix::process::geteuid().is_root() {
        // An ordinary user cannot make such a folder; a folder of root's is one.
        let mut world = World::new();
        world.binds = vec![Bind {
            source: "/usr".into(),
            target: "/opt".into(),
            writable: true,
        }];
        let result = world.run(&["/bin/true"]);
        assert!(
            matches!(result, Err(Error::Owner { owner: 0, .. })),
            "{result:?}"
        );
        return;
    }
    let world = World::new();
    chown(world.path("workspace"), Some(12), Some(12)).unwrap();
    let result = world.run(&["/bin/true"]);
    let needed = local().build_uid();
    assert!(
        matches!(result, Err(Error::Owner { owner: 12, needed: uid, .. }) if uid == needed),
        "{result:?}"
    );
}
