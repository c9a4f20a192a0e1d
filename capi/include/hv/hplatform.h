/* The system: its headers that programs for libhv count on, and what the system is called. */
#ifndef HV_PLATFORM_H_
#define HV_PLATFORM_H_

/* With -std=c99 the system's headers hide what POSIX has, unless they are told before the first one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "hconfig.h"

#if defined(_WIN32)
#error "hvloop's C++ headers are for Linux and other Unix systems"
#endif

#if defined(__ANDROID__)
#define OS_ANDROID
#define OS_LINUX
#elif defined(__linux__)
#define OS_LINUX
#elif defined(__APPLE__)
#define OS_DARWIN
#define OS_MAC
#elif defined(__FreeBSD__)
#define OS_FREEBSD
#define OS_BSD
#elif defined(__NetBSD__)
#define OS_NETBSD
#define OS_BSD
#elif defined(__OpenBSD__)
#define OS_OPENBSD
#define OS_BSD
#endif
#define OS_UNIX

#if defined(__x86_64__)
#define ARCH_X64
#define ARCH_X86_64
#elif defined(__i386__)
#define ARCH_X86
#define ARCH_X86_32
#elif defined(__aarch64__)
#define ARCH_ARM64
#elif defined(__arm__)
#define ARCH_ARM
#elif defined(__riscv)
#define ARCH_RISCV
#endif

#if defined(__clang__)
#define COMPILER_CLANG
#elif defined(__GNUC__)
#define COMPILER_GCC
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifndef __cplusplus
#include <stdbool.h>
#endif

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Pauses of the calling thread: not for callbacks, which hold up their loop. */
#define hv_sleep(s) sleep(s)
#define hv_msleep(ms) hvloop_sleep_us((uint64_t)(ms) * 1000)
#define hv_usleep(us) hvloop_sleep_us((uint64_t)(us))
#define hv_delay(ms) hv_msleep(ms)
#define hv_mkdir(dir) mkdir(dir, 0777)

#include "hexport.h"

HV_INLINE void hvloop_sleep_us(uint64_t us) {
    struct timeval left;
    left.tv_sec = (time_t)(us / 1000000);
    left.tv_usec = (suseconds_t)(us % 1000000);
    (void)select(0, NULL, NULL, NULL, &left);
}

#endif /* HV_PLATFORM_H_ */
