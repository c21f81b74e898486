// limit: what the hardware and the kernel allow. It walks a tree with a few threads, does what every integrity
// check has to do with each file, and keeps nothing; whatever a real program takes longer is its own doing.
//
//   limit [--threads N] walk|hash|attributes DIRECTORY
//
//   walk        openat, getdents64, and one statx(2) an entry
//   hash        openat, getdents64; of each regular file: openat, fstat, read, SHA-256
//   attributes  the same with everything a baseline records: statx before and after, flags, list of xattrs;
//               links, devices and directories too
//
// One line of JSON on standard output: entries, files, bytes, seconds, and the digests of all files added up, so that
// two runs can be seen to have read the same.
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { unit_size = 256, buffer_size = 64 << 10, large_file = 8 << 20 };
enum mode { WALK, HASH, ATTRIBUTES };

// An opened directory; closed with the last unit or subdirectory that needs it.
struct directory {
    atomic_int references;
    int descriptor;
};

// Names of one directory that no thread has taken yet, each preceded by its type and followed by NUL.
struct unit {
    struct unit *next;
    struct directory *parent;
    bool is_directory;
    int count;
    size_t size;
    char names[];
};

static enum mode mode;
static const EVP_MD *sha256;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct unit *stack;
static int busy;

struct worker {
    pthread_t thread;
    EVP_MD_CTX *context;
    char *buffer;
    char *entries;
    uint64_t seen, files, bytes, digests;
};

static void release(struct directory *directory) {
    if (atomic_fetch_sub(&directory->references, 1) > 1) return;
    close(directory->descriptor);
    free(directory);
}

static void push(struct unit *first, struct unit *last) {
    pthread_mutex_lock(&lock);
    last->next = stack;
    stack = first;
    pthread_mutex_unlock(&lock);
    pthread_cond_broadcast(&more);
}

static struct unit *pop(bool was_busy) {
    pthread_mutex_lock(&lock);
    if (was_busy) busy--;
    while (stack == NULL && busy > 0) pthread_cond_wait(&more, &lock);
    struct unit *unit = stack;
    if (unit != NULL) {
        stack = unit->next;
        busy++;
    }
    pthread_mutex_unlock(&lock);
    if (unit == NULL) pthread_cond_broadcast(&more);
    return unit;
}

static struct unit *make_unit(struct directory *parent, bool is_directory, int count, const char *names, size_t size) {
    struct unit *unit = malloc(sizeof *unit + size);
    if (unit == NULL) err(71, "malloc");
    unit->next = NULL;
    unit->parent = parent;
    unit->is_directory = is_directory;
    unit->count = count;
    unit->size = size;
    memcpy(unit->names, names, size);
    atomic_fetch_add(&parent->references, 1);
    return unit;
}

// True after a file so large that others should take the rest.
static bool read_file(struct worker *worker, int directory, const char *name) {
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0) {
        warn("open %s", name);
        return false;
    }
    uint64_t size;
    if (mode == ATTRIBUTES) {
        struct statx status;
        if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) err(74, "statx");
        size = status.stx_size;
        unsigned long flags;
        if (ioctl(file, FS_IOC_GETFLAGS, &flags) < 0 && errno != ENOTTY && errno != EOPNOTSUPP) err(74, "ioctl");
        char names[1024];
        if (flistxattr(file, names, sizeof names) < 0 && errno != EOPNOTSUPP && errno != ERANGE) err(74, "flistxattr");
    } else {
        struct stat status;
        if (fstat(file, &status) < 0) err(74, "fstat");
        size = (uint64_t)status.st_size;
    }
    EVP_DigestInit_ex2(worker->context, sha256, NULL);
    uint64_t total = 0;
    while (total < size) {
        uint64_t rest = size - total;
        ssize_t count = read(file, worker->buffer, rest < buffer_size ? rest : buffer_size);
        if (count < 0) err(74, "read %s", name);
        if (count == 0) break;
        EVP_DigestUpdate(worker->context, worker->buffer, (size_t)count);
        total += (uint64_t)count;
    }
    uint64_t digest[4];
    EVP_DigestFinal_ex(worker->context, (unsigned char *)digest, NULL);
    if (mode == ATTRIBUTES) {
        struct statx status;
        if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) err(74, "statx");
    }
    close(file);
    worker->files++;
    worker->bytes += total;
    worker->digests += digest[0];
    return total >= large_file;
}

static void look(struct worker *worker, int directory, const char *name, int flags) {
    struct statx status;
    flags |= AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) warn("statx %s", name);
    if (mode == ATTRIBUTES && (status.stx_mode & S_IFMT) == S_IFLNK) {
        if (readlinkat(directory, name, worker->buffer, buffer_size) < 0) warn("readlink %s", name);
    }
}

static void visit(struct worker *worker, struct unit *unit) {
    int directory = unit->parent->descriptor;
    const char *name = unit->names, *end = unit->names + unit->size;
    for (int left = unit->count; name < end; left--) {
        unsigned char type = (unsigned char)*name++;
        worker->seen++;
        bool is_large = false;
        if (mode == WALK) {
            look(worker, directory, name, 0);
        } else if (type == DT_REG) {
            is_large = read_file(worker, directory, name);
        } else if (mode == ATTRIBUTES) {
            look(worker, directory, name, 0);
        }
        name += strlen(name) + 1;
        if (is_large && name < end) {
            struct unit *rest = make_unit(unit->parent, false, left - 1, name, (size_t)(end - name));
            push(rest, rest);
            return;
        }
    }
}

struct names {
    char *bytes;
    size_t size, capacity;
    int count;
};

static void add(struct names *names, unsigned char type, const char *name) {
    size_t length = strlen(name) + 1;
    if (names->size + length + 1 > names->capacity) {
        names->capacity = names->capacity * 2 + length + 4096;
        names->bytes = realloc(names->bytes, names->capacity);
        if (names->bytes == NULL) err(71, "realloc");
    }
    names->bytes[names->size++] = (char)type;
    memcpy(names->bytes + names->size, name, length);
    names->size += length;
    names->count++;
}

static void enter(struct worker *worker, struct directory *parent, const char *name) {
    int base = parent == NULL ? AT_FDCWD : parent->descriptor;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (parent == NULL ? 0 : O_NOFOLLOW);
    int descriptor = openat(base, name, flags);
    if (descriptor < 0) {
        warn("open %s", name);
        return;
    }
    worker->seen++;
    if (mode != HASH) look(worker, descriptor, "", AT_EMPTY_PATH);
    struct directory *self = malloc(sizeof *self);
    if (self == NULL) err(71, "malloc");
    self->references = 1;
    self->descriptor = descriptor;
    struct names files = {0}, directories = {0};
    ssize_t count;
    while ((count = getdents64(descriptor, worker->entries, buffer_size)) > 0) {
        for (ssize_t at = 0; at < count;) {
            struct dirent64 *entry = (struct dirent64 *)(worker->entries + at);
            at += entry->d_reclen;
            const char *found = entry->d_name;
            if (found[0] == '.' && (found[1] == 0 || (found[1] == '.' && found[2] == 0))) continue;
            unsigned char type = entry->d_type;
            if (type == DT_UNKNOWN) {
                struct stat status;
                if (fstatat(descriptor, found, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
                type = IFTODT(status.st_mode);
            }
            add(type == DT_DIR ? &directories : &files, type, found);
        }
    }
    if (count < 0) warn("getdents64 %s", name);
    struct unit *first = NULL, *last = NULL;
    for (size_t at = 0; at < files.size;) {
        size_t start = at;
        int taken = 0;
        while (at < files.size && taken < unit_size) {
            at += 1 + strlen(files.bytes + at + 1) + 1;
            taken++;
        }
        struct unit *unit = make_unit(self, false, taken, files.bytes + start, at - start);
        unit->next = first;
        first = unit;
        if (last == NULL) last = unit;
    }
    for (size_t at = 0; at < directories.size;) {
        size_t length = strlen(directories.bytes + at + 1) + 1;
        struct unit *unit = make_unit(self, true, 1, directories.bytes + at + 1, length);
        at += 1 + length;
        if (last == NULL) first = unit; else last->next = unit;
        last = unit;
    }
    if (first != NULL) push(first, last);
    free(files.bytes);
    free(directories.bytes);
    release(self);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    bool was_busy = false;
    struct unit *unit;
    while ((unit = pop(was_busy)) != NULL) {
        was_busy = true;
        if (unit->is_directory) enter(worker, unit->parent, unit->names); else visit(worker, unit);
        release(unit->parent);
        free(unit);
    }
    return NULL;
}

static void prepare(struct worker *worker) {
    worker->context = EVP_MD_CTX_new();
    worker->buffer = aligned_alloc(4096, buffer_size);
    worker->entries = aligned_alloc(4096, buffer_size);
    if (worker->context == NULL || worker->buffer == NULL || worker->entries == NULL) err(71, "malloc");
}

int main(int count, char **arguments) {
    int threads = 2, at = 1;
    if (at + 1 < count && strcmp(arguments[at], "--threads") == 0) {
        threads = atoi(arguments[at + 1]);
        at += 2;
    }
    if (count - at != 2 || threads < 1 || threads > 256) {
        errx(64, "usage: limit [--threads N] walk|hash|attributes DIRECTORY");
    }
    if (strcmp(arguments[at], "walk") == 0) mode = WALK;
    else if (strcmp(arguments[at], "hash") == 0) mode = HASH;
    else if (strcmp(arguments[at], "attributes") == 0) mode = ATTRIBUTES;
    else errx(64, "%s is none of walk, hash and attributes", arguments[at]);

    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (sha256 == NULL) errx(70, "libcrypto has no SHA-256");
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    if (workers == NULL) err(71, "malloc");
    for (int index = 0; index < threads; index++) prepare(&workers[index]);
    enter(&workers[0], NULL, arguments[at + 1]);
    for (int index = 1; index < threads; index++) {
        if (pthread_create(&workers[index].thread, NULL, work, &workers[index]) != 0) errx(71, "pthread_create");
    }
    work(&workers[0]);
    struct worker total = {0};
    for (int index = 0; index < threads; index++) {
        if (index > 0) pthread_join(workers[index].thread, NULL);
        total.seen += workers[index].seen;
        total.files += workers[index].files;
        total.bytes += workers[index].bytes;
        total.digests += workers[index].digests;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("{\"entries\": %llu, \"files\": %llu, \"bytes\": %llu, \"seconds\": %.4f, \"digests\": \"%016llx\"}\n",
           (unsigned long long)total.seen, (unsigned long long)total.files, (unsigned long long)total.bytes, seconds,
           (unsigned long long)total.digests);
    return 0;
}
