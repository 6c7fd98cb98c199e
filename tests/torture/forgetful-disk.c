/*
 * A disk that forgets what was not synced. Preloaded into a gateway (LD_PRELOAD), for the files
 * directly in FOOTBRIDGE_DISK.
 *
 * Each file F has a twin .durable/F that holds what survives a power cut: a write goes to F at once,
 * to the twin when F is synced. After SIGKILL the harness builds from both what a disk may hold: all
 * of the twin and any choice of the sectors that were written since. Renames and removals are taken
 * as durable at once, as a journalled file system orders them behind the data they follow.
 *
 * FOOTBRIDGE_DISK_FAULT names a file whose first byte is the disk's mood: 'n' normal, 's' no space
 * for writes (ENOSPC), 'i' syncs fail (EIO).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS 1024
#define RANGES 65536
#define NAME 256

struct range {
  off_t at;
  size_t length;
};

struct file {
  char name[NAME];
  int users;
  ino_t inode;
  struct range *dirty;
  size_t dirty_count;
};

static struct file files[64];
static struct file *by_fd[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *disk;
static const volatile char *mood;

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void) {
  disk = getenv("FOOTBRIDGE_DISK");
  const char *fault = getenv("FOOTBRIDGE_DISK_FAULT");
  if (!disk) return;
  char path[4096];
  snprintf(path, sizeof path, "%s/.durable", disk);
  mkdir(path, 0755);
  int fd = fault ? open(fault, O_RDONLY) : -1;
  if (fd >= 0) {
    void *page = mmap(0, 1, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) mood = page;
    close(fd);
  }
}

/* The name below the disk, or null for files that lie elsewhere. */
static const char *name_of(const char *path) {
  size_t length = disk ? strlen(disk) : 0;
  if (length == 0 || strncmp(path, disk, length) != 0 || path[length] != '/') return 0;
  const char *name = path + length + 1;
  return strchr(name, '/') || strlen(name) >= NAME || strstr(name, ".sock") ? 0 : name;
}

static void twin_path(const char *name, char *path, size_t size) {
  snprintf(path, size, "%s/.durable/%s", disk, name);
}

/* libuv closes by system call, unseen from here; so a descriptor may be another file's by now. */
static struct file *file_of(int fd) {
  struct file *file = fd >= 0 && fd < FDS ? by_fd[fd] : 0;
  struct stat now;
  if (!file || (fstat(fd, &now) == 0 && now.st_ino == file->inode)) return file;
  by_fd[fd] = 0;
  return 0;
}

static void track(int fd, const char *path) {
  const char *name = fd >= 0 && fd < FDS ? name_of(path) : 0;
  if (fd >= 0 && fd < FDS) by_fd[fd] = 0;
  struct stat now;
  if (!name || fstat(fd, &now) != 0) return;
  pthread_mutex_lock(&lock);
  struct file *found = 0;
  for (int i = 0; i < 64 && !found; i++)
    if (files[i].users > 0 && files[i].inode == now.st_ino) found = &files[i];
  for (int i = 0; i < 64 && !found; i++) {
    if (files[i].users > 0) continue;
    found = &files[i];
    found->inode = now.st_ino;
    found->dirty_count = 0;
    if (!found->dirty) found->dirty = malloc(sizeof(struct range) * RANGES);
    /* What a killed process left in the page cache is on its way to the disk too: the next sync of
     * the file takes it along, whoever asks. */
    if (now.st_size > 0) found->dirty[found->dirty_count++] = (struct range){0, (size_t)now.st_size};
  }
  if (!found) abort();
  strcpy(found->name, name);
  found->users++;
  by_fd[fd] = found;
  pthread_mutex_unlock(&lock);
}

static void dirty(int fd, off_t at, ssize_t length) {
  struct file *file = file_of(fd);
  if (!file || length <= 0) return;
  pthread_mutex_lock(&lock);
  if (file->dirty_count == RANGES) abort();
  file->dirty[file->dirty_count++] = (struct range){at, (size_t)length};
  pthread_mutex_unlock(&lock);
}

/* Brings the twin up to what the file holds now. */
static void make_durable(int fd) {
  struct file *file = file_of(fd);
  if (!file) return;
  char path[4096], self[64];
  pthread_mutex_lock(&lock);
  twin_path(file->name, path, sizeof path);
  int twin = open(path, O_RDWR | O_CREAT, 0644);
  /* The file may be open for writing only. */
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int readable = open(self, O_RDONLY);
  struct stat now;
  if (twin < 0 || readable < 0 || fstat(fd, &now) != 0) abort();
  for (size_t i = 0; i < file->dirty_count; i++) {
    char *bytes = malloc(file->dirty[i].length);
    ssize_t got = pread(readable, bytes, file->dirty[i].length, file->dirty[i].at);
    REAL(pwrite);
    if (got > 0 && real(twin, bytes, (size_t)got, file->dirty[i].at) != got) abort();
    free(bytes);
  }
  REAL(ftruncate);
  if (real(twin, now.st_size) != 0) abort();
  file->dirty_count = 0;
  close(readable);
  close(twin);
  pthread_mutex_unlock(&lock);
}

static int fails(int fd, char fault, int error) {
  if (!mood || *mood != fault || !file_of(fd)) return 0;
  errno = error;
  return 1;
}

#define OPEN(name)                                        \
  int name(const char *path, int flags, ...) {            \
    va_list more;                                         \
    va_start(more, flags);                                \
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
    va_end(more);                                         \
    REAL(name);                                           \
    int fd = real(path, flags, mode);                     \
    track(fd, path);                                      \
    return fd;                                            \
  }
OPEN(open)
OPEN(open64)

#define PWRITE(name, offset)                                            \
  ssize_t name(int fd, const void *bytes, size_t length, offset at) {   \
    REAL(name);                                                         \
    if (fails(fd, 's', ENOSPC)) return -1;                              \
    ssize_t written = real(fd, bytes, length, at);                      \
    dirty(fd, at, written);                                             \
    return written;                                                     \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  if (fails(fd, 's', ENOSPC)) return -1;
  off_t at = file_of(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t written = real(fd, bytes, length);
  dirty(fd, at, written);
  return written;
}

#define SYNC(name)                               \
  int name(int fd) {                             \
    REAL(name);                                  \
    if (fails(fd, 'i', EIO)) return -1;          \
    int done = real(fd);                         \
    if (done == 0) make_durable(fd);             \
    return done;                                 \
  }
SYNC(fsync)
SYNC(fdatasync)

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < FDS && by_fd[fd]) {
    pthread_mutex_lock(&lock);
    by_fd[fd]->users--;
    by_fd[fd] = 0;
    pthread_mutex_unlock(&lock);
  }
  return real(fd);
}

int unlink(const char *path) {
  REAL(unlink);
  int done = real(path);
  const char *name = name_of(path);
  if (done == 0 && name) {
    char twin[4096];
    twin_path(name, twin, sizeof twin);
    real(twin);
  }
  return done;
}

int rename(const char *from, const char *to) {
  REAL(rename);
  int done = real(from, to);
  const char *old = name_of(from), *fresh = name_of(to);
  for (int i = 0; done == 0 && old && fresh && i < 64; i++)
    if (files[i].users > 0 && strcmp(files[i].name, old) == 0) strcpy(files[i].name, fresh);
  if (done == 0 && old && fresh) {
    char twin_old[4096], twin_new[4096];
    twin_path(old, twin_old, sizeof twin_old);
    twin_path(fresh, twin_new, sizeof twin_new);
    if (real(twin_old, twin_new) != 0) unlink(twin_new);
  }
  return done;
}
