/* What a hostile build step would try, call by call. Each attempt runs in a process of its own and
 * prints one line: its name and what it got. "DONE" means that it worked, which no test accepts.
 *
 * attack calls                  every call below
 * attack connect PORT NAME      the host's loopback, and an abstract unix socket of the host
 * attack kill PID...            processes of the host
 * attack type                   for whoever sits at the terminal
 * attack eat                    memory until the end
 * attack fork                   processes until the end, and how many there were
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char page[65536];

/* Runs one attempt and says what became of it: `expression` is an attack whose success is not -1. */
#define TRY(name, expression)                                                    \
    do {                                                                         \
        fflush(stdout);                                                          \
        pid_t child = fork();                                                    \
        if (child == 0) {                                                        \
            alarm(5);                                                            \
            errno = 0;                                                           \
            long result = (long)(expression);                                    \
            printf("%s: %s\n", name, result == -1 ? strerrorname_np(errno) : "DONE"); \
            fflush(stdout);                                                      \
            _exit(0);                                                            \
        }                                                                        \
        int status = 0;                                                          \
        waitpid(child, &status, 0);                                              \
        if (WIFSIGNALED(status))                                                 \
            printf("%s: killed by SIG%s\n", name, sigabbrev_np(WTERMSIG(status))); \
    } while (0)

static long write_to(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    return fd < 0 ? -1 : write(fd, text, strlen(text));
}

static long read_from(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return -1;
    long count = read(fd, page, sizeof page);
    if (count == 0) errno = ENODATA;
    return count == 0 ? -1 : count;
}

static long link_of(const char *path) { return readlink(path, page, sizeof page); }

static long terminal(unsigned long request, void *argument) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || unlockpt(master)) { perror("ptmx"); _exit(1); }
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0) { perror("pts"); _exit(1); }
    return ioctl(slave, request, argument);
}

static long route(const char *address) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    inet_pton(AF_INET, address, &to.sin_addr);
    /* A datagram socket's connect looks for a way and sends nothing. */
    return connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&to, sizeof to);
}

static long interrupt_80(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static void calls(void) {
    static unsigned char blob[256];
    void *b = blob;

    /* Mounts and roots. */
    TRY("mount a tmpfs", syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, 0));
    TRY("mount proc", syscall(SYS_mount, "x", "/tmp", "proc", 0, 0));
    TRY("bind /", syscall(SYS_mount, "/", "/tmp", 0, 4096 /* MS_BIND */, 0));
    TRY("make /proc/sys writable", syscall(SYS_mount, 0, "/proc/sys", 0, 4096 | 32, 0));
    TRY("uncover /proc/keys", syscall(SYS_umount2, "/proc/keys", 2));
    TRY("unmount the root", syscall(SYS_umount2, "/", 2));
    TRY("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
    TRY("chroot", syscall(SYS_chroot, "/tmp"));
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */));
    TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/bin", 0));
    TRY("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, b, 32));

    /* Namespaces. */
    TRY("unshare user", syscall(SYS_unshare, CLONE_NEWUSER));
    TRY("unshare mount", syscall(SYS_unshare, CLONE_NEWNS));
    TRY("unshare net", syscall(SYS_unshare, CLONE_NEWNET));
    TRY("clone user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    TRY("clone pid", syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    TRY("clone3", syscall(SYS_clone3, b, 64));
    TRY("setns", syscall(SYS_setns, open("/proc/self/ns/net", O_RDONLY), 0));

    /* Other processes, above all the first. */
    TRY("ptrace the first process", ptrace(PTRACE_ATTACH, 1, 0, 0));
    TRY("be traced", ptrace(PTRACE_TRACEME, 0, 0, 0));
    TRY("process_vm_readv", syscall(SYS_process_vm_readv, 1, b, 1, b, 1, 0));
    TRY("pidfd_getfd", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 1, 0));
    TRY("kcmp", syscall(SYS_kcmp, 1, 1, 0, 0, 0));
    TRY("/proc/1/mem", read_from("/proc/1/mem"));
    TRY("/proc/1/environ", read_from("/proc/1/environ"));
    TRY("/proc/1/maps", read_from("/proc/1/maps"));
    TRY("/proc/1/exe", link_of("/proc/1/exe"));
    TRY("/proc/1/root", link_of("/proc/1/root"));
    TRY("/proc/1/cwd", link_of("/proc/1/cwd"));
    TRY("/proc/1/fd/1", link_of("/proc/1/fd/1"));
    TRY("/proc/1/oom_score_adj", write_to("/proc/1/oom_score_adj", "1000"));
    TRY("immunity from the OOM killer", write_to("/proc/self/oom_score_adj", "-999"));

    /* Devices and files by other ways. */
    TRY("mknod null", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    TRY("mknod disk", mknod("disk", S_IFBLK | 0666, makedev(254, 0)));
    TRY("mknod in /tmp", mknod("/tmp/null", S_IFCHR | 0666, makedev(1, 3)));
    TRY("mknod whiteout", mknod("whiteout", S_IFCHR | 0666, makedev(0, 0)));
    TRY("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", b, b, 0));
    TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, open("/", O_RDONLY), b, 0));
    TRY("fanotify", syscall(SYS_fanotify_init, 0, 0));
    TRY("/dev/mem", open("/dev/mem", O_RDONLY));
    TRY("/dev/kmsg", open("/dev/kmsg", O_RDONLY));
    TRY("/dev/tty", open("/dev/tty", O_RDWR));
    TRY("change /dev/null", chmod("/dev/null", 0));
    TRY("touch /dev/null", utimensat(AT_FDCWD, "/dev/null", 0, 0));
    TRY("a file in /dev", open("/dev/x", O_CREAT | O_WRONLY, 0600));

    /* The kernel's own files. */
    TRY("/proc/kcore", read_from("/proc/kcore"));
    TRY("/proc/kmsg", read_from("/proc/kmsg"));
    TRY("/proc/keys", read_from("/proc/keys"));
    TRY("/proc/cmdline", read_from("/proc/cmdline"));
    TRY("/proc/sysrq-trigger", write_to("/proc/sysrq-trigger", "h"));
    TRY("core_pattern", write_to("/proc/sys/kernel/core_pattern", "|/tmp/x"));
    TRY("modprobe", write_to("/proc/sys/kernel/modprobe", "/tmp/x"));
    TRY("drop_caches", write_to("/proc/sys/vm/drop_caches", "1"));
    TRY("ip_forward", write_to("/proc/sys/net/ipv4/ip_forward", "1"));
    TRY("hostname", write_to("/proc/sys/kernel/hostname", "x"));
    TRY("uid_map", write_to("/proc/self/uid_map", "0 0 1"));
    TRY("/sys", open("/sys/kernel", O_RDONLY));

    /* Kernel interfaces. */
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    TRY("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -2));
    TRY("request_key", syscall(SYS_request_key, "user", "x", 0, 0));
    TRY("bpf", syscall(SYS_bpf, 0, b, 128));
    TRY("perf_event_open", syscall(SYS_perf_event_open, b, 0, -1, -1, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("io_uring", syscall(SYS_io_uring_setup, 8, b));
    TRY("memfd_secret", syscall(SYS_memfd_secret, 0));
    TRY("seccomp", syscall(SYS_seccomp, 1, 8 /* NEW_LISTENER */, b));
    TRY("init_module", syscall(SYS_init_module, b, 1, ""));
    TRY("finit_module", syscall(SYS_finit_module, 0, "", 0));
    TRY("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0x1234567, 0));
    TRY("swapon", syscall(SYS_swapon, "/tmp/x", 0));
    TRY("acct", syscall(SYS_acct, 0));
    TRY("quotactl", syscall(SYS_quotactl, 0, "/", 0, b));
    TRY("syslog", syscall(SYS_syslog, 3, page, 10));
    TRY("settimeofday", syscall(SYS_settimeofday, b, 0));
    TRY("sethostname", syscall(SYS_sethostname, "x", 1));
    TRY("iopl", syscall(SYS_iopl, 3));
    TRY("modify_ldt", syscall(SYS_modify_ldt, 0, b, 16));
    TRY("odd personality", syscall(SYS_personality, READ_IMPLIES_EXEC));
    TRY("an unknown call", syscall(1000));
    TRY("the i386 interface", interrupt_80());
    TRY("the x32 interface", syscall(0x40000000 | SYS_getpid));

    /* Terminals. */
    TRY("TIOCSTI", terminal(TIOCSTI, "x"));
    TRY("TIOCLINUX", terminal(TIOCLINUX, "\x02"));
    TRY("TIOCSETD", terminal(TIOCSETD, &(int){1}));
    TRY("TIOCCONS", terminal(TIOCCONS, 0));

    /* Networks. */
    TRY("vsock", socket(40 /* AF_VSOCK */, SOCK_STREAM, 0));
    TRY("packet socket", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    TRY("crypto socket", socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0));
    TRY("bluetooth socket", socket(31, SOCK_RAW, 0));
    TRY("audit socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
    TRY("a way to the internet", route("192.0.2.1"));

    /* Rights. */
    TRY("setuid 0", setuid(0));
    TRY("setgroups", syscall(SYS_setgroups, 0, 0));
    TRY("chown to 0", chown("/home/build", 0, 0));
    TRY("capabilities", ({
        unsigned header[2] = {0x20080522, 0}, sets[6] = {~0u, ~0u, 0, 0, 0, 0};
        syscall(SYS_capset, header, sets);
    }));
    TRY("ambient capability", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0));
    TRY("securebits", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
    TRY("new privileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    TRY("a core file", setrlimit(RLIMIT_CORE, &(struct rlimit){4096, 4096}));
}

static long reach(int family, void *address, socklen_t length) {
    return connect(socket(family, SOCK_STREAM, 0), address, length);
}

static void connects(const char *port, const char *name) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    TRY("the host's loopback", reach(AF_INET, &in, sizeof in));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strncpy(un.sun_path + 1, name, sizeof un.sun_path - 2);
    TRY("an abstract socket",
        reach(AF_UNIX, &un, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

static int eat(void) {
    for (;;) {
        char *more = malloc(1 << 20);
        if (!more) { puts("no more memory"); return 9; }
        memset(more, 1, 1 << 20);
    }
}

static int forks(void) {
    for (int count = 0;; count++) {
        pid_t child = fork();
        if (child == 0) for (;;) pause();
        if (child < 0) return printf("%d more, then %s\n", count, strerrorname_np(errno)), 0;
    }
}

int main(int count, char **words) {
    if (count > 1 && !strcmp(words[1], "calls")) return calls(), 0;
    if (count > 3 && !strcmp(words[1], "connect")) return connects(words[2], words[3]), 0;
    if (count > 1 && !strcmp(words[1], "eat")) return eat();
    if (count > 1 && !strcmp(words[1], "fork")) return forks();
    if (count > 1 && !strcmp(words[1], "type")) {
        TRY("TIOCSTI", ioctl(0, TIOCSTI, "x"));
        return 0;
    }
    if (count > 1 && !strcmp(words[1], "kill")) {
        for (int i = 2; i < count; i++) TRY(words[i], kill(atoi(words[i]), SIGKILL));
        return 0;
    }
    return 2;
}
