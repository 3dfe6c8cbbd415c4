//! What a step may do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use boltworks_sandbox::{Bind, End, Error, Limits, Local};

use crate::world::{World, own, own_program};

pub(crate) fn a_step_sees_what_it_was_given() {
    let world = World::new();
    let mut step = world.step(&["/bin/env"]);
    step.environment
        .insert("SOURCE_DATE_EPOCH".into(), "1767225600".into());
    step.environment
        .insert("ODD".into(), "a\nb = \"c\" é".into());
    let done = world.run_step(&step).unwrap();
    assert_eq!(
        done.stdout,
        "ODD=a\nb = \"c\" é\nPATH=/bin\nSOURCE_DATE_EPOCH=1767225600\n"
    );

    let done = world.run(&["printf", "[%s]", "", "a b", "*"]).unwrap();
    assert_eq!(done.stdout, "[][a b][*]");

    let done = world.script(
        "pwd; hostname; id -u; id -g; umask; ulimit -c; ulimit -n; cat; ls /proc/self/fd | wc -l",
    );
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let files = files.map_or(1 << 16, |most| most.min(1 << 16));
    assert_eq!(
        done.stdout,
        format!("/home/build\nguest\n1000\n1000\n0022\n0\n{files}\n4\n")
    );
}

pub(crate) fn outputs_come_apart_and_endings_are_told() {
    let world = World::new();
    let done = world.script("echo out; echo err >&2; exit 3");
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(done.exit.end, End::Code(3));
    assert!(!done.exit.is_success());
    assert!(
        done.exit.wall > done.exit.cpu / 8 && done.exit.peak_memory > 0,
        "{:?}",
        done.exit
    );
    assert_eq!(world.script("kill -TERM $$").exit.end, End::Signal(15));
    assert_eq!(world.script("kill -KILL $$").exit.end, End::Signal(9));
    assert!(world.script("exit 0").exit.is_success());
}

pub(crate) fn what_cannot_be_started_is_an_error() {
    let world = World::new();
    let error = world.run(&["/bin/absent"]).unwrap_err();
    assert!(
        matches!(&error, Error::Start { program, .. } if program == "/bin/absent"),
        "{error}"
    );
    let error = world.run(&["/etc/passwd"]).unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
    let mut step = world.step(&["/bin/true"]);
    step.cwd = "/home/build/absent".into();
    let error = world.run_step(&step).unwrap_err();
    assert!(error.to_string().contains("/home/build/absent"), "{error}");
    fs::remove_dir(world.path("workspace")).unwrap();
    let error = world.run(&["/bin/true"]).unwrap_err();
    assert!(error.to_string().contains("workspace"), "{error}");
}

pub(crate) fn what_changes_stays_out_of_the_tree() {
    let world = World::new();
    let script = "echo x > /etc/new; echo y >> /etc/passwd; rm /bin/vi; mv /bin/ls /bin/list; \
                  mkdir /opt; chmod 700 /bin; echo z > /home/build/result";
    assert!(world.script(script).exit.is_success());
    let tree = world.path("tree");
    assert_eq!(
        fs::read_to_string(tree.join("etc/passwd"))
            .unwrap()
            .lines()
            .count(),
        1
    );
    for name in ["bin/vi", "bin/ls"] {
        assert!(tree.join(name).is_symlink(), "{name} is gone from the tree");
    }
    for name in ["etc/new", "opt", "home", "bin/list"] {
        assert!(!tree.join(name).exists(), "{name} is in the tree");
    }
    assert_eq!(
        fs::read_to_string(world.path("workspace").join("result")).unwrap(),
        "z\n"
    );
    // The next run with the same scratch folder goes on where this one ended.
    let done = world.script("cat /etc/new; tail -n 1 /etc/passwd; ls -d /opt");
    assert_eq!(done.stdout, "x\ny\n/opt\n");
}

pub(crate) fn several_trees_are_one_root() {
    let mut world = World::new();
    let above = world.make("above");
    fs::create_dir(above.join("etc")).unwrap();
    fs::write(above.join("etc/passwd"), "above\n").unwrap();
    fs::write(above.join("etc/only"), "only\n").unwrap();
    own(&above.join("etc"));
    world.above.push(above.clone());
    let script = "cat /etc/passwd /etc/only; echo x >> /etc/only; rm /etc/passwd; ls /bin/sh";
    let done = world.script(script);
    assert_eq!(done.stdout, "above\nonly\n/bin/sh\n", "{done:?}");
    assert_eq!(fs::read(above.join("etc/only")).unwrap(), b"only\n");
    assert!(above.join("etc/passwd").exists());
}

pub(crate) fn binds_are_seen_where_they_were_asked_for() {
    let mut world = World::new();
    let cache = world.make("cache");
    fs::write(cache.join("source.tar"), "bytes").unwrap();
    let file = cache.join("source.tar");
    let inside = world.make("inside");
    let bind = |source: &Path, target: &str, writable| Bind {
        source: source.into(),
        target: target.into(),
        writable,
    };
    world.binds = vec![
        bind(&cache, "/var/cache/melange", false),
        bind(&file, "/opt/a/file", false),
        bind(&inside, "/home/build/melange-out", true),
    ];
    let done = world.script(
        "cat /var/cache/melange/source.tar /opt/a/file; echo; echo made > melange-out/made; \
         echo x > /var/cache/melange/new; echo x > /opt/a/file; rm /var/cache/melange/source.tar; \
         chmod 777 /var/cache/melange; exit 0",
    );
    assert_eq!(done.stdout, "bytesbytes\n");
    assert_eq!(
        done.stderr.matches("Read-only file system").count(),
        4,
        "{}",
        done.stderr
    );
    assert_eq!(fs::read_to_string(inside.join("made")).unwrap(), "made\n");
    assert_eq!(fs::read_to_string(file).unwrap(), "bytes");

    world.binds = vec![bind(&world.path("absent"), "/opt/x", false)];
    let error = world.run(&["/bin/true"]).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

pub(crate) fn the_usual_devices_work() {
    let world = World::new();
    let done = world.script(
        "set -e; echo out > /dev/stdout; echo err > /dev/stderr; echo gone > /dev/null; \
         head -c 4 /dev/zero | wc -c; head -c 16 /dev/urandom | wc -c; head -c 1 /dev/random | wc -c; \
         (echo x > /dev/full) 2>/dev/null || echo full; \
         mkfifo p; cat p & echo through > p; wait; \
         echo shared > /dev/shm/x; cat /dev/shm/x; echo temporary > /tmp/x; cat /tmp/x; \
         echo here | cat /dev/fd/0; ls /dev",
    );
    assert!(done.exit.is_success(), "{done:?}");
    assert_eq!(done.stderr, "err\n");
    assert_eq!(
        done.stdout.replace('\n', " "),
        "out 4 16 1 full through shared temporary here \
         fd full null ptmx pts random shm stderr stdin stdout tty urandom zero "
    );
}

pub(crate) fn loopback_works() {
    let world = World::new();
    let done = world.script(
        "(echo answer | nc -l -p 7777) & \
         for i in 1 2 3 4 5 6 7 8 9; do nc 127.0.0.1 7777 </dev/null && break; usleep 100000; done; \
         ip -o link | wc -l",
    );
    assert_eq!(done.stdout, "answer\n1\n", "{done:?}");
}

pub(crate) fn guests_run_side_by_side() {
    thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|number| {
                scope.spawn(move || {
                    let world = World::new();
                    let script =
                        format!("echo {number} > /tmp/x; usleep 50000; cat /tmp/x; echo $$");
                    world.script(&script).stdout
                })
            })
            .collect();
        for (number, run) in runs.into_iter().enumerate() {
            assert_eq!(run.join().unwrap(), format!("{number}\n2\n"));
        }
    });
}

pub(crate) fn wrong_descriptions_are_refused() {
    let world = World::new();
    let sound = world.guest();
    let check =
        |change: &dyn Fn(&mut boltworks_sandbox::GuestSpec, &mut boltworks_sandbox::StepSpec)| {
            let (mut guest, mut step) = (sound.clone(), world.step(&["/bin/true"]));
            change(&mut guest, &mut step);
            let ambient = boltworks_model::Ambient {
                clock: &crate::world::Now,
                entropy: &crate::world::Now,
                sink: &(),
                cancel: &world.cancel,
            };
            let result = crate::world::local().run(&guest, &step, &mut |_, _| {}, &ambient);
            assert!(
                matches!(result, Err(Error::Invalid { .. })),
                "{guest:?} {step:?}: {result:?}"
            );
        };
    check(&|_, step| step.argv.clear());
    check(&|_, step| step.argv = vec![String::new()]);
    check(&|_, step| step.argv.push("a\0b".into()));
    check(&|_, step| drop(step.environment.insert("A=B".into(), String::new())));
    check(&|_, step| drop(step.environment.insert("A".into(), "\0".into())));
    check(&|_, step| step.cwd = "home".into());
    check(&|_, step| step.cwd = "/home/../etc".into());
    check(&|guest, _| guest.hostname = "a b".into());
    check(&|guest, _| guest.hostname = "x".repeat(65));
    for target in [
        "home",
        "/",
        "/home/",
        "/home//x",
        "/./x",
        "/../x",
        "/proc/sys",
        "/dev/x",
        "/sys",
    ] {
        check(&|guest, _| guest.binds[0].target = target.into());
    }
    check(&|guest, _| guest.lowers = vec!["relative".into()]);
    check(&|guest, _| guest.scratch.as_mut_os_string().push("/"));
    check(&|guest, _| guest.binds[0].source.as_mut_os_string().push("/."));
}

pub(crate) fn another_program_is_no_helper() {
    let refused = Local::probe(Path::new("/bin/true")).unwrap_err();
    assert!(
        refused.fix.contains("boltworks_sandbox::helper"),
        "{refused}"
    );
    let refused = Local::probe(Path::new("/absent")).unwrap_err();
    assert!(refused.reason.contains("/absent"), "{refused}");
    // Not even one that ends well and says something.
    let world = World::new();
    let script = world.path("script");
    fs::write(&script, "#!/bin/sh\necho I am no helper; exit 0\n").unwrap();
    symlink(&script, world.path("link")).unwrap();
    own(&script);
    assert!(Local::probe(&world.path("link")).is_err());
    let limits = Limits::default();
    assert_eq!(
        (limits.wall, limits.memory, limits.processes),
        (None, None, None)
    );
}

/// The factory on a machine that a test has changed: says what it thinks of it.
pub(crate) fn probe() -> ExitCode {
    match Local::probe(&own_program()) {
        Ok(local) => println!("sound {}", local.describe()),
        Err(refused) => println!("{refused}"),
    }
    ExitCode::SUCCESS
}

pub(crate) fn a_machine_that_cannot_confine_is_refused() {
    // A namespace with a setting of its own stands for the machine.
    let probe = |change: &str| {
        let script = format!("{change}; exec \"$0\" probe");
        let output = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "--",
                "sh",
                "-c",
                &script,
            ])
            .arg(own_program())
            .output()
            .expect("unshare is needed: apt-get install util-linux");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap()
    };
    let check = |change: &str, expect: &str| {
        let said = probe(change);
        assert!(said.contains(expect), "{change}: {said}");
    };
    if rustix::process::geteuid().is_root() {
        // Root of a namespace that maps nobody but the host's root must not run steps as that.
        return check(
            "true",
            "uid 64999, which steps are to run as, does not exist",
        );
    }
    check("true", "sound");
    check(
        "echo 0 > /proc/sys/user/max_user_namespaces",
        "sysctl -w user.max_user_namespaces",
    );
    check("echo 0 > /proc/sys/user/max_net_namespaces", "no more");
    check("mount --bind /dev/null /proc/uptime", "unmask=ALL");
    check("mount --bind /dev/zero /dev/null", "/dev/null");
}

pub(crate) fn a_hostile_tree_makes_no_guest() {
    for name in ["proc", "dev", "tmp"] {
        let world = World::new();
        let place = world.path("tree").join(name);
        fs::remove_dir(&place).unwrap();
        symlink("/home/build", &place).unwrap();
        let result = world.run(&["/bin/true"]);
        assert!(
            matches!(result, Err(Error::Setup { .. })),
            "{name}: {result:?}"
        );
        fs::remove_file(&place).unwrap();
        fs::write(&place, "").unwrap();
        let result = world.run(&["/bin/true"]);
        assert!(
            matches!(result, Err(Error::Setup { .. })),
            "{name}: {result:?}"
        );
    }
}
