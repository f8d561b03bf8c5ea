/* Stands between a program and the system (LD_PRELOAD):
 *
 * - FAULT_WRITES=PART  write(2) to files with PART in their path takes only some of the bytes, and
 *                      every third time none at all, as a signal makes it (EINTR).
 * - FAULT_CLOCK=FILE   the wall clock is ahead by the seconds in FILE, which may be negative and may
 *                      change at any time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int is_hit(int fd)
{
    const char *part = getenv("FAULT_WRITES");
    char link[64], path[4096];
    if (!part)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    static atomic_uint calls;
    if (count > 0 && is_hit(fd)) {
        unsigned call = atomic_fetch_add(&calls, 1);
        if (call % 3 == 2) {
            errno = EINTR;
            return -1;
        }
        count = 1 + (call * 2654435761u >> 8) % count;
    }
    return syscall(SYS_write, fd, bytes, count);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    const char *path = getenv("FAULT_CLOCK");
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && path && clock == CLOCK_REALTIME) {
        char text[32] = "";
        int saved = errno;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            ssize_t length = read(fd, text, sizeof text - 1);
            if (length > 0)
                time->tv_sec += atol(text);
            close(fd);
        }
        errno = saved;
    }
    return result;
}
