/* Preloaded into a program, makes each call that waits for the disk take some milliseconds more.

   SLOW_DISK_MILLISECONDS says how many. One octet for each of these calls goes to the end of the
   file that SLOW_DISK_CALLS names, so that they can be counted. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_longer(void)
{
    int told = errno;
    const char *milliseconds = getenv("SLOW_DISK_MILLISECONDS");
    const char *calls = getenv("SLOW_DISK_CALLS");
    if (milliseconds != NULL) {
        long most = atol(milliseconds);
        struct timespec left = {most / 1000, most % 1000 * 1000000};
        while (nanosleep(&left, &left) && errno == EINTR) {
        }
    }
    int file = calls == NULL ? -1 : open(calls, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file >= 0) {
        ssize_t written = write(file, ".", 1);
        (void)written;
        close(file);
    }
    errno = told;
}

#define SLOW(name)                                                  \
    int name(int file)                                              \
    {                                                               \
        int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name);   \
        int result = real(file);                                    \
        wait_longer();                                              \
        return result;                                              \
    }

SLOW(fsync)
SLOW(fdatasync)
SLOW(syncfs)

void sync(void)
{
    void (*real)(void) = (void (*)(void))dlsym(RTLD_NEXT, "sync");
    real();
    wait_longer();
}
