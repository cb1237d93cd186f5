/* Lets fsync fail now and then, and writes to regular files fail once a process has written so much: a bad disk and a
   full one. Loaded with LD_PRELOAD; the environment says how bad. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long left = -2; /* bytes that may still be written; -1 for no limit */
static unsigned state;

static long number(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}

static int full(int fd, size_t count) {
    struct stat s;
    if (left == -2)
        left = number("TORTURE_DISK_BYTES", -1);
    if (left < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        return 0;
    if ((long)count > left) {
        left = 0;
        errno = ENOSPC;
        return 1;
    }
    left -= (long)count;
    return 0;
}

static int unlucky(void) {
    long percent = number("TORTURE_FSYNC_PERCENT", 0);
    if (state == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        state = (unsigned)now.tv_nsec ^ (unsigned)getpid();
    }
    state = state * 1664525u + 1013904223u;
    if ((long)(state >> 16) % 100 >= percent)
        return 0;
    errno = EIO;
    return 1;
}

#define REAL(type, name) \
    static __typeof__(type) *real; \
    if (!real) \
    real = (__typeof__(type) *)dlsym(RTLD_NEXT, name)

int fsync(int fd) {
    REAL(int(int), "fsync");
    return unlucky() ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int(int), "fdatasync");
    return unlucky() ? -1 : real(fd);
}

ssize_t write(int fd, const void *data, size_t count) {
    REAL(ssize_t(int, const void *, size_t), "write");
    return full(fd, count) ? -1 : real(fd, data, count);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t at) {
    REAL(ssize_t(int, const void *, size_t, off_t), "pwrite");
    return full(fd, count) ? -1 : real(fd, data, count, at);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t at) {
    REAL(ssize_t(int, const void *, size_t, off_t), "pwrite64");
    return full(fd, count) ? -1 : real(fd, data, count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    REAL(ssize_t(int, const struct iovec *, int, off_t), "pwritev");
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    return full(fd, bytes) ? -1 : real(fd, parts, count, at);
}
