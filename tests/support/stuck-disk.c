/* A disk that does not answer: while the file FOOTBRIDGE_STUCK_WHILE stands, no fsync comes back.
   Compiled by stuck-disk.ts, loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_while_stuck(void) {
  const char *file = getenv("FOOTBRIDGE_STUCK_WHILE");
  struct timespec pause = {0, 5000000};
  while (file != NULL && access(file, F_OK) == 0) nanosleep(&pause, NULL);
}

int fsync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_while_stuck();
  return real(fd);
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_while_stuck();
  return real(fd);
}
