/* A disk that forgets: what was written and not synced can be taken back when the process has been killed.
 *
 * Loaded with LD_PRELOAD. Writes go where they always go, so that everybody reads them; of each to a file whose path
 * begins with $LOSING_PREFIX, $LOSING_LOG.<pid> keeps what was there before, what came, and what was synced since.
 * `losing.py` reads that, and leaves the files as a machine might have them that lost its power at that instant.
 *
 * The first byte of $LOSING_FAULT says what fails at present: W each write, S each sync, both with EIO; R each write, as
 * on a file system that became read-only; F each write, as on one that is full; N nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITTEN = 1, CUT = 2, SYNCED = 3 };

struct record {
    uint32_t kind, path, before, after; /* lengths in bytes: of the path, of what was there, of what came */
    int64_t offset, size;               /* where, and how long the file was */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static pid_t owner = -1;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
}

static int is_kept(int fd, char *path, size_t most) {
    const char *prefix = getenv("LOSING_PREFIX");
    char link[64];
    if (!prefix) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, most - 1);
    if (length < 0) return 0;
    path[length] = 0;
    /* What all processes map is no file to be kept. */
    return strncmp(path, prefix, strlen(prefix)) == 0 && !(length > 4 && strcmp(path + length - 4, "-shm") == 0);
}

static char fault(void) {
    const char *name = getenv("LOSING_FAULT");
    char now = 'N';
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return now;
    if (read(fd, &now, 1) != 1) now = 'N';
    close(fd);
    return now;
}

/* Whether a write is to fail now. */
static int refused(void) {
    char now = fault();
    errno = now == 'R' ? EROFS : now == 'F' ? ENOSPC : EIO;
    return now == 'R' || now == 'F' || now == 'W';
}

static void note(uint32_t kind, const char *path, int fd, off_t offset, const void *data, size_t length) {
    struct stat status;
    struct record record = {kind, (uint32_t)strlen(path), 0, (uint32_t)length, offset, 0};
    if (owner != getpid()) {
        char name[4096];
        snprintf(name, sizeof name, "%s.%d", getenv("LOSING_LOG"), getpid());
        log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        owner = getpid();
    }
    if (log_fd < 0 || fstat(fd, &status)) abort();
    record.size = status.st_size;
    if (kind != SYNCED && offset < status.st_size) {
        off_t there = status.st_size - offset;
        record.before = kind == CUT || there < (off_t)length ? (uint32_t)there : (uint32_t)length;
    }
    size_t total = sizeof record + record.path + record.before + record.after;
    char *buffer = malloc(total), *place = buffer;
    if (!buffer) abort();
    place = mempcpy(place, &record, sizeof record);
    place = mempcpy(place, path, record.path);
    if (record.before) {
        /* The file may have been opened for writing only. */
        int reader = open(path, O_RDONLY | O_CLOEXEC);
        if (reader < 0 || pread(reader, place, record.before, offset) != (ssize_t)record.before) abort();
        close(reader);
        place += record.before;
    }
    if (length) memcpy(place, data, length);
    if (real_write(log_fd, buffer, total) != (ssize_t)total) abort();
    free(buffer);
}

static ssize_t written(int fd, const void *data, size_t length, off_t offset, int at_place) {
    char path[4096];
    if (!is_kept(fd, path, sizeof path)) return at_place ? real_pwrite(fd, data, length, offset) : real_write(fd, data, length);
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    if (!at_place) offset = lseek(fd, 0, SEEK_CUR);
    note(WRITTEN, path, fd, offset, data, length);
    ssize_t done = at_place ? real_pwrite(fd, data, length, offset) : real_write(fd, data, length);
    pthread_mutex_unlock(&lock);
    return done;
}

static int synced(int fd, int (*real)(int)) {
    char path[4096];
    if (!is_kept(fd, path, sizeof path)) return real(fd);
    if (fault() == 'S') {
        /* As on a real one: it fails once, and what was not synced may never be. */
        errno = EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    note(SYNCED, path, fd, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return written(fd, data, length, offset, 1); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return written(fd, data, length, offset, 1); }
ssize_t write(int fd, const void *data, size_t length) { return written(fd, data, length, 0, 0); }
int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

static int cut(int fd, off_t size) {
    char path[4096];
    if (!is_kept(fd, path, sizeof path)) return real_ftruncate(fd, size);
    if (refused()) return -1;
    pthread_mutex_lock(&lock);
    note(CUT, path, fd, size, NULL, 0);
    int done = real_ftruncate(fd, size);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }
