//! Who a step is inside, and that it is nobody more than that.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use boltworks_sandbox::{Error, Ids};

use crate::world::{World, local};

/// Root, `build`, a service's user, and such as have another group.
const ALL: [Ids; 6] = [
    Ids::ROOT,
    Ids {
        uid: 1000,
        gid: 1000,
    },
    Ids {
        uid: 65_532,
        gid: 65_532,
    },
    Ids {
        uid: 0,
        gid: 65_532,
    },
    Ids {
        uid: 65_532,
        gid: 0,
    },
    Ids {
        uid: u32::MAX - 1,
        gid: 7,
    },
];

pub(crate) fn a_step_has_the_numbers_that_it_was_given() {
    for ids in ALL {
        let world = World::of(ids);
        let Ids { uid, gid } = ids;
        let script = format!(
            "id -u; id -g; id -G; touch mine && stat -c %u:%g mine /etc/passwd /tmp/. /home/build; \
             chown {uid}:{gid} mine && echo kept; chown 4242 mine || echo alone; \
             chgrp 4242 mine || echo alone; echo more >>/etc/passwd && echo written"
        );
        let done = world.script(&script);
        let owner = format!("{uid}:{gid}\n").repeat(4);
        let expected = format!("{uid}\n{gid}\n{gid}\n{owner}kept\nalone\nalone\nwritten\n");
        assert_eq!(done.stdout, expected, "{ids:?}: {done:?}");
        // Outside it is the build user's, whoever that was inside.
        let file = fs::metadata(world.path("workspace").join("mine")).unwrap();
        let outside = local().build_uid();
        assert_eq!((file.uid(), file.gid()), (outside, outside), "{ids:?}");
    }
}

pub(crate) fn no_number_gives_a_right() {
    for ids in ALL {
        let world = World::of(ids);
        // Each of these programs was started anew: that is when root would get something back.
        let done = world.script(
            "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; mount -t tmpfs none /tmp || echo no; \
             unshare -U true || echo no; unshare -m true || echo no; chroot / true || echo no; \
             cat /proc/1/environ || echo no; hostname x || echo no; mknod x c 1 3 || echo no; \
             echo 1 >/proc/sys/kernel/shmmax || echo no; touch closed; chmod 0 closed; cat closed || echo no",
        );
        let none =
            ["Inh", "Prm", "Eff", "Bnd", "Amb"].map(|set| format!("Cap{set}:\t{:016x}\n", 0));
        let rest = "NoNewPrivs:\t1\nSeccomp:\t2\n".to_owned() + &"no\n".repeat(9);
        assert_eq!(done.stdout, none.concat() + &rest, "{ids:?}: {done:?}");
    }
}

pub(crate) fn there_is_no_last_number() {
    for ids in [
        Ids {
            uid: u32::MAX,
            gid: 0,
        },
        Ids {
            uid: 0,
            gid: u32::MAX,
        },
    ] {
        let world = World::of(ids);
        let error = world.run(&["/bin/true"]).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
}
