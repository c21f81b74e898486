// corpus: makes a tree of files that is the same wherever and whenever it is made.
//
//   corpus [--seed N] [--groups N] [--bytes N] small|wide|big DIRECTORY
//
//   small  200,000 files of 1 to 8 KiB in 2,000 directories   (40 groups of 50 directories of 100 files)
//   wide   1,000,000 files of 100 to 500 bytes in 10,000      (200 groups)
//   flat   1,000,000 names in one directory, 100 bytes each
//   big    four files of 1 GiB
//
// --groups makes fewer or more groups of 5,000 files, --bytes shorter or longer files of `big`. The directory must not
// exist yet.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { directories_a_group = 50, files_a_directory = 100, chunk = 1 << 20 };

static uint64_t seed = 1;
static uint64_t buffer[chunk / 8];

// SplitMix64: every number of the sequence depends on the seed alone.
static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static int make_directory(int parent, const char *name) {
    if (mkdirat(parent, name, 0755) < 0) err(73, "mkdir %s", name);
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) err(74, "open %s", name);
    return descriptor;
}

static void make_file(int directory, const char *name, uint64_t number, uint64_t least, uint64_t most) {
    uint64_t state = seed * 0x100000001B3U ^ number;
    uint64_t size = least + next(&state) % (most - least + 1);
    int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) err(73, "create %s", name);
    while (size > 0) {
        size_t part = size < chunk ? (size_t)size : chunk;
        for (size_t word = 0; word < (part + 7) / 8; word++) buffer[word] = next(&state);
        for (size_t done = 0; done < part;) {
            ssize_t count = write(file, (char *)buffer + done, part - done);
            if (count < 0) err(74, "write %s", name);
            done += (size_t)count;
        }
        size -= part;
    }
    close(file);
}

static void make_groups(int root, long groups, uint64_t least, uint64_t most) {
    uint64_t number = 0;
    char name[32];
    for (long group = 0; group < groups; group++) {
        snprintf(name, sizeof name, "group-%03ld", group);
        int parent = make_directory(root, name);
        for (int directory = 0; directory < directories_a_group; directory++) {
            snprintf(name, sizeof name, "directory-%02d", directory);
            int self = make_directory(parent, name);
            for (int file = 0; file < files_a_directory; file++) {
                snprintf(name, sizeof name, "file-%02d.dat", file);
                make_file(self, name, number++, least, most);
            }
            close(self);
        }
        close(parent);
    }
}

int main(int count, char **arguments) {
    long groups = 0;
    uint64_t bytes = 1 << 30;
    int at = 1;
    for (; at + 1 < count && strncmp(arguments[at], "--", 2) == 0; at += 2) {
        uint64_t value = strtoull(arguments[at + 1], NULL, 10);
        if (strcmp(arguments[at], "--seed") == 0) seed = value;
        else if (strcmp(arguments[at], "--groups") == 0) groups = (long)value;
        else if (strcmp(arguments[at], "--bytes") == 0) bytes = value;
        else errx(64, "%s is no option", arguments[at]);
    }
    if (count - at != 2) {
        errx(64, "usage: corpus [--seed N] [--groups N] [--bytes N] small|wide|flat|big DIRECTORY");
    }
    const char *kind = arguments[at];
    int root = make_directory(AT_FDCWD, arguments[at + 1]);
    if (strcmp(kind, "small") == 0) {
        make_groups(root, groups > 0 ? groups : 40, 1 << 10, 8 << 10);
    } else if (strcmp(kind, "wide") == 0) {
        make_groups(root, groups > 0 ? groups : 200, 100, 500);
    } else if (strcmp(kind, "flat") == 0) {
        long files = (groups > 0 ? groups : 200) * directories_a_group * files_a_directory;
        for (long file = 0; file < files; file++) {
            char name[32];
            snprintf(name, sizeof name, "file-%07ld.dat", file);
            make_file(root, name, (uint64_t)file, 100, 100);
        }
    } else if (strcmp(kind, "big") == 0) {
        for (int file = 0; file < 4; file++) {
            char name[32];
            snprintf(name, sizeof name, "file-%d.dat", file);
            make_file(root, name, (uint64_t)file, bytes, bytes);
        }
    } else {
        errx(64, "%s is none of small, wide, flat and big", kind);
    }
    return 0;
}
