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
#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
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

#endif
