// What the Glibc module cannot give to Swift: calls and structures behind _GNU_SOURCE, variadic calls, and macros
// that are expressions. Nothing here decides anything; every function is one call.
#ifndef MILLWARDEN_CLINUX_H
#define MILLWARDEN_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

// fd_set names its field by __USE_XOPEN, which _GNU_SOURCE switches on. The Glibc module and libcrypto's headers are
// read without it, and two modules that disagree about a structure cannot be imported together.
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#pragma push_macro("__USE_GNU")
#undef __USE_GNU
#include <sys/utsname.h>
#pragma pop_macro("__USE_GNU")

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fanotify.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

// open(2) and openat(2) are variadic.
static inline int mw_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags | O_CLOEXEC, mode);
}

// glibc 2.36 has no wrapper for openat2(2).
static inline int mw_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = 0, .resolve = resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// The header of an older kernel has no FAN_REPORT_PIDFD; fanotify_init(2) of a newer one knows it all the same.
#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD 0x00000080
#endif

// A group that reports names, and the writer's pidfd where that is wanted; glibc's wrapper is in a header that does not
// agree with the kernel's.
static inline int mw_fanotify_probe(int with_pidfd) {
    unsigned int flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME;
    return (int)syscall(SYS_fanotify_init, flags | (with_pidfd ? FAN_REPORT_PIDFD : 0), O_RDONLY | O_LARGEFILE);
}

// syscall(2) is variadic. Class, reports and limits are the caller's; the descriptor is close-on-exec and never blocks.
static inline int mw_fanotify_init(unsigned int flags) {
    return (int)syscall(SYS_fanotify_init, flags | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_LARGEFILE);
}

// glibc's own function, which splits the mask as each machine wants it; its header does not agree with the kernel's.
extern int fanotify_mark(int group, unsigned int flags, uint64_t mask, int directory, const char *path);

// Marks exactly what is open.
static inline int mw_fanotify_mark(int group, unsigned int flags, uint64_t mask, int opened) {
    return fanotify_mark(group, flags, mask, opened, NULL);
}

// struct file_handle ends in an array without a length, which Swift cannot lay out. How many bytes the handle of what is
// open has, at most MAX_HANDLE_SZ, or -1 with errno.
static inline int mw_file_handle(int opened, int *type, unsigned char bytes[MAX_HANDLE_SZ]) {
    union {
        struct file_handle handle;
        unsigned char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } buffer = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount_id;
    if (name_to_handle_at(opened, "", &buffer.handle, &mount_id, AT_EMPTY_PATH) < 0) return -1;
    *type = buffer.handle.handle_type;
    memcpy(bytes, buffer.handle.f_handle, buffer.handle.handle_bytes);
    return (int)buffer.handle.handle_bytes;
}

// f_fsid is a structure with a name of its own in every libc; these are its 8 bytes as fanotify reports them.
static inline int mw_file_system_id(int opened, uint64_t *id) {
    struct statfs status;
    if (fstatfs(opened, &status) < 0) return -1;
    memcpy(id, &status.f_fsid, sizeof *id);
    return 0;
}

// The kernel's connector (Documentation/driver-api/connector.rst).
static inline int mw_connector_socket(void) {
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
}

// The address is a transparent union in bind(2). Group 1 is CN_IDX_PROC.
static inline int mw_connector_bind(int descriptor) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    return bind(descriptor, (const struct sockaddr *)&address, sizeof address);
}

// The address is a transparent union in recvfrom(2). `sender` is 0 for what comes from the kernel.
static inline ssize_t mw_connector_receive(int descriptor, void *buffer, size_t size, unsigned int *sender) {
    struct sockaddr_nl address = {0};
    socklen_t length = sizeof address;
    ssize_t count = recvfrom(descriptor, buffer, size, 0, (struct sockaddr *)&address, &length);
    *sender = address.nl_pid;
    return count;
}

// The instructions are macros that are expressions. Lets through what a process as a whole does: none (which is the
// acknowledgement), fork, exec, uid and exit, where the thread's number is the process's; the rest wakes nobody.
static inline int mw_connector_filter(int descriptor) {
    // Behind the headers of netlink (16 bytes) and of the connector (20): the kind, and behind 16 bytes the numbers. What
    // is loaded has been turned round on a little-endian machine.
    enum { kind = 36, numbers = 52 };
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    enum { none = 0, fork = 0x01000000, exec = 0x02000000, uid = 0x04000000, exit = 0x80 };
#else
    const unsigned int none = 0, fork = 1, exec = 2, uid = 4, exit = 0x80000000U;
#endif
    struct sock_filter program[] = {
        /*  0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kind),
        /*  1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, none, 12, 0),
        /*  2 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, fork, 3, 0),
        /*  3 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, exec, 6, 0),
        /*  4 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, uid, 5, 0),
        /*  5 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, exit, 4, 9),
        /*  6 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, numbers + 8),
        /*  7 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
        /*  8 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, numbers + 12),
        /*  9 */ BPF_STMT(BPF_JMP | BPF_JA, 3),
        /* 10 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, numbers),
        /* 11 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
        /* 12 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, numbers + 4),
        /* 13 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
        /* 14 */ BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFFU),
        /* 15 */ BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

// The constant is a macro of newer headers. 1 where the kernel tells the mount, 0 where not, -1 with errno.
static inline int mw_statx_has_mount(const char *path) {
    struct statx status;
    const unsigned int mount_id = 0x00001000U;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, mount_id, &status) < 0) return -1;
    return (status.stx_mask & mount_id) != 0;
}

// Asks for the state of the kernel's clock, changes nothing. 1 synchronized, 0 not, -1 with errno.
static inline int mw_clock_is_synchronized(void) {
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    if (result < 0) return -1;
    return result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

// The Glibc module leaves out statx(2).
static inline int mw_statx(int directory, const char *path, int flags, struct statx *out) {
    return statx(directory, path, flags, STATX_BASIC_STATS | STATX_BTIME, out);
}

// glibc has getdents64(3) only behind _GNU_SOURCE.
static inline ssize_t mw_getdents64(int directory, void *buffer, size_t size) {
    return getdents64(directory, buffer, size);
}

// ioctl(2) is variadic.
static inline int mw_getflags(int descriptor, unsigned int *flags) {
    unsigned long value = 0;  // the kernel writes 32 bits into what the header calls a long
    int result = ioctl(descriptor, FS_IOC_GETFLAGS, &value);
    *flags = (unsigned int)value;
    return result;
}

// ioctl(2) is variadic. 0 where the descriptor is no terminal or does not know its size.
static inline int mw_terminal_width(int descriptor) {
    struct winsize size = {0};
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// ioctl(2) is variadic. How many bytes can be read now.
static inline int mw_readable(int descriptor) {
    int count = 0;
    return ioctl(descriptor, FIONREAD, &count) < 0 ? -1 : count;
}

static inline int mw_setflags(int descriptor, unsigned int flags) {
    unsigned long value = flags;
    return ioctl(descriptor, FS_IOC_SETFLAGS, &value);
}

// glibc 2.35 has no wrapper for pidfd_open(2); syscall(2) is variadic.
static inline int mw_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

// environ(7) is a variable that Swift cannot know to be left alone.
static inline char **mw_environ(void) { return environ; }

// errno is a macro over a thread-local location.
static inline int mw_errno(void) { return errno; }

static inline const char *mw_errno_name(int code) { return strerrorname_np(code); }
static inline const char *mw_errno_text(int code) { return strerrordesc_np(code); }

static inline int mw_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
    return renameat2(from_directory, from, to_directory, to, flags);
}

static inline void mw_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// The first argument is an enumeration in glibc's prototype. 0 is the calling thread.
// <sys/resource.h> would declare, under _GNU_SOURCE, an enumeration that the Swift toolchain has in another form.
static inline int mw_set_nice(int nice) { return (int)syscall(SYS_setpriority, 0 /* PRIO_PROCESS */, 0, nice); }

// glibc 2.40 has no wrapper for sched_setattr(2). The calling thread's share of time stays what it is and comes in slices
// of so many nanoseconds.
static inline int mw_set_slice(uint64_t nanoseconds) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
        uint32_t minimum, maximum;
    } attributes = {.size = 0};
    const unsigned int size = sizeof attributes;
    if (syscall(SYS_sched_getattr, 0, &attributes, size, 0) < 0) return -1;
    attributes.size = size;
    attributes.runtime = nanoseconds;
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// The address of bind(2), connect(2) and accept(2) is a transparent union, which Swift cannot make.
static inline int mw_unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

static inline int mw_unix_bind(int descriptor, const char *path) {
    struct sockaddr_un address = {0};
    if (mw_unix_address(path, &address) < 0) return -1;
    return bind(descriptor, (const struct sockaddr *)&address, sizeof address);
}

static inline int mw_unix_connect(int descriptor, const char *path) {
    struct sockaddr_un address = {0};
    if (mw_unix_address(path, &address) < 0) return -1;
    return connect(descriptor, (const struct sockaddr *)&address, sizeof address);
}

static inline int mw_accept(int descriptor) { return accept4(descriptor, NULL, NULL, SOCK_CLOEXEC); }

// fcntl(2) is variadic.
static inline int mw_fcntl(int descriptor, int command, int argument) { return fcntl(descriptor, command, argument); }

// ioprio_set(2) has no wrapper in the C library: the calling thread, IOPRIO_CLASS_IDLE.
static inline int mw_ioprio_idle(void) { return (int)syscall(SYS_ioprio_set, 1, 0, 3 << 13); }

// sched(7): the calling thread, which is what pid 0 means on Linux.
static inline int mw_sched_idle(void) {
    struct sched_param parameters = {0};
    return sched_setscheduler(0, SCHED_IDLE, &parameters);
}

#endif
