/* Threads of the program's own, and their numbers. */
#ifndef HV_THREAD_H_
#define HV_THREAD_H_

#include "hplatform.h"

#include "../hvloop.h"

HV_INLINE long hvloop_getpid(void) { return (long)getpid(); }

HV_INLINE long hvloop_gettid(void) { return (long)hvloop_thread_id(); }

#define hv_getpid hvloop_getpid
#define hv_gettid hvloop_gettid

typedef pthread_t hthread_t;
typedef void *(*hthread_routine)(void *);

#define HTHREAD_RETTYPE void *
#define HTHREAD_ROUTINE(name) void *name(void *userdata)

HV_INLINE hthread_t hthread_create(hthread_routine routine, void *userdata) {
    hthread_t thread;
    return pthread_create(&thread, NULL, routine, userdata) == 0 ? thread : (hthread_t)0;
}

HV_INLINE int hthread_join(hthread_t thread) { return pthread_join(thread, NULL); }

#ifdef __cplusplus
#include <atomic>
#include <chrono>
#include <thread>
#endif

#endif /* HV_THREAD_H_ */
