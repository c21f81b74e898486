// measure: runs a command and writes what it took.
//
//   measure RESULT COMMAND [ARGUMENT…]
//
// RESULT receives one line of JSON: status, wall, user and system seconds, peak memory in KiB, major faults. The
// command's own output is left alone. A small program of its own, because a process begins its peak where its
// parent stood when it was forked.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

int main(int count, char **arguments) {
    if (count < 3) errx(64, "usage: measure RESULT COMMAND [ARGUMENT...]");
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = fork();
    if (child < 0) err(71, "fork");
    if (child == 0) {
        execvp(arguments[2], arguments + 2);
        err(127, "%s", arguments[2]);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) err(71, "wait4");
    clock_gettime(CLOCK_MONOTONIC, &end);
    FILE *result = fopen(arguments[1], "w");
    if (result == NULL) err(73, "%s", arguments[1]);
    double wall = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    fprintf(result,
            "{\"status\": %d, \"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_kib\": %ld, \"faults\": %ld}\n",
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall, seconds(usage.ru_utime),
            seconds(usage.ru_stime), usage.ru_maxrss, usage.ru_majflt);
    if (fclose(result) != 0) err(74, "%s", arguments[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
