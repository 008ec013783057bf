/* Preloaded into the service: writes down, in order, what is written to the journal's files and what is synced.
 *
 * DISK_JOURNAL is the journal's path, DISK_LOG the file to write to. While the file DISK_FULL exists, the journal's
 * files cannot grow; while DISK_STALLED exists, a sync of them does not return. The -shm file is left out: SQLite builds
 * it anew after a crash. Rebuilding is done in disk.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATED = 1, FOUND, WRITTEN, TRUNCATED, SYNCED, UNLINKED, FOLDER_SYNCED };
enum { FDS = 4096, NAMES = 64, FOLDER = -1 };

struct event { int64_t nanoseconds; int32_t what, file; int64_t offset, length; };

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static int file_of[FDS];
static struct { char path[1024]; int file; } known[NAMES];
static int known_count, file_count, log_fd = -1;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void tell(int what, int file, int64_t offset, const void *data, int64_t length) {
    struct timespec now;
    struct iovec parts[2];
    struct event event;
    if (log_fd < 0) log_fd = REAL(open)(getenv("DISK_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    clock_gettime(CLOCK_MONOTONIC, &now);
    event = (struct event){now.tv_sec * 1000000000LL + now.tv_nsec, what, file, offset, length};
    parts[0] = (struct iovec){&event, sizeof event};
    parts[1] = (struct iovec){(void *)data, data ? (size_t)length : 0};
    if (writev(log_fd, parts, 2) < 0) abort();
}

static int ours(const char *path) {
    const char *journal = getenv("DISK_JOURNAL");
    size_t length = journal ? strlen(journal) : 0;
    return length && !strncmp(path, journal, length) && strcmp(path + length, "-shm");
}

static int is_folder(const char *path) {
    const char *journal = getenv("DISK_JOURNAL"), *slash = journal ? strrchr(journal, '/') : NULL;
    return slash && strlen(path) == (size_t)(slash - journal) && !strncmp(path, journal, slash - journal);
}

static int file_at(const char *path) {
    for (int at = 0; at < known_count; at++) if (!strcmp(known[at].path, path)) return at;
    return -1;
}

static void remember(int fd, const char *path, int existed) {
    int at;
    if (fd < 0 || fd >= FDS) return;
    at = file_at(path);
    if (at < 0 && known_count == NAMES) abort();
    if (at < 0) { at = known_count++; strncpy(known[at].path, path, sizeof known[at].path - 1); }
    if (!existed || !known[at].file) {
        known[at].file = ++file_count;
        tell(existed ? FOUND : CREATED, known[at].file, 0, path, strlen(path));
    }
    file_of[fd] = known[at].file;
}

static int open_it(int (*function)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    int fd, existed;
    if (is_folder(path)) {
        fd = function(path, flags, mode);
        if (fd >= 0 && fd < FDS) file_of[fd] = FOLDER;
        return fd;
    }
    if (!ours(path)) return function(path, flags, mode);
    pthread_mutex_lock(&one_at_a_time);
    existed = !access(path, F_OK);
    fd = function(path, flags, mode);
    remember(fd, path, existed);
    pthread_mutex_unlock(&one_at_a_time);
    return fd;
}

static mode_t mode_of(int flags, va_list arguments) { return flags & O_CREAT ? va_arg(arguments, mode_t) : 0; }

int open(const char *path, int flags, ...) {
    va_list arguments; va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments); va_end(arguments);
    return open_it(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments; va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments); va_end(arguments);
    return open_it(REAL(open64), path, flags, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < FDS) file_of[fd] = 0;
    return REAL(close)(fd);
}

static int tracked(int fd) { return fd >= 0 && fd < FDS ? file_of[fd] : 0; }

static int no_room(int fd, int64_t end) {
    struct stat state;
    const char *full = getenv("DISK_FULL");
    if (!full || access(full, F_OK) || fstat(fd, &state) || end <= state.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

static ssize_t pwrite_it(ssize_t (*function)(int, const void *, size_t, off_t), int fd, const void *data, size_t count,
                         off_t offset) {
    ssize_t written = -1;
    if (tracked(fd) <= 0) return function(fd, data, count, offset);
    pthread_mutex_lock(&one_at_a_time);
    if (!no_room(fd, offset + count)) written = function(fd, data, count, offset);
    if (written > 0) tell(WRITTEN, tracked(fd), offset, data, written);
    pthread_mutex_unlock(&one_at_a_time);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset) {
    return pwrite_it(REAL(pwrite), fd, data, count, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset) {
    return pwrite_it(REAL(pwrite64), fd, data, count, offset);
}

ssize_t write(int fd, const void *data, size_t count) {
    if (tracked(fd) > 0) abort(); /* SQLite writes at offsets; were it otherwise, our record would have a hole */
    return REAL(write)(fd, data, count);
}

static int truncate_it(int (*function)(int, off_t), int fd, off_t size) {
    int result = -1;
    if (tracked(fd) <= 0) return function(fd, size);
    pthread_mutex_lock(&one_at_a_time);
    if (!no_room(fd, size)) result = function(fd, size);
    if (!result) tell(TRUNCATED, tracked(fd), size, NULL, 0);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int ftruncate(int fd, off_t size) { return truncate_it(REAL(ftruncate), fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_it(REAL(ftruncate64), fd, size); }

static void stand_still(void) {
    const char *stalled = getenv("DISK_STALLED");
    while (stalled && !access(stalled, F_OK)) usleep(5000);
}

static int sync_it(int (*function)(int), int fd) {
    int result;
    if (!tracked(fd)) return function(fd);
    stand_still();
    pthread_mutex_lock(&one_at_a_time);
    result = function(fd);
    if (!result) tell(tracked(fd) == FOLDER ? FOLDER_SYNCED : SYNCED, tracked(fd), 0, NULL, 0);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int fsync(int fd) { return sync_it(REAL(fsync), fd); }
int fdatasync(int fd) { return sync_it(REAL(fdatasync), fd); }

int unlink(const char *path) {
    int result, at;
    if (!ours(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&one_at_a_time);
    result = REAL(unlink)(path);
    at = file_at(path);
    if (!result) tell(UNLINKED, 0, 0, path, strlen(path));
    if (!result && at >= 0) known[at].file = 0;
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}
