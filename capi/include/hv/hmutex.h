/* Locks, by libhv's names. */
#ifndef HV_MUTEX_H_
#define HV_MUTEX_H_

#include "hplatform.h"
#include "htime.h"

#define hmutex_t pthread_mutex_t
#define hmutex_init(mutex) pthread_mutex_init(mutex, NULL)
#define hmutex_destroy pthread_mutex_destroy
#define hmutex_lock pthread_mutex_lock
#define hmutex_trylock(mutex) (pthread_mutex_trylock(mutex) == 0)
#define hmutex_unlock pthread_mutex_unlock

#define hrwlock_t pthread_rwlock_t
#define hrwlock_init(lock) pthread_rwlock_init(lock, NULL)
#define hrwlock_destroy pthread_rwlock_destroy
#define hrwlock_rdlock pthread_rwlock_rdlock
#define hrwlock_rdunlock pthread_rwlock_unlock
#define hrwlock_wrlock pthread_rwlock_wrlock
#define hrwlock_wrunlock pthread_rwlock_unlock

#define hcondvar_t pthread_cond_t
#define hcondvar_init(cond) pthread_cond_init(cond, NULL)
#define hcondvar_destroy pthread_cond_destroy
#define hcondvar_wait pthread_cond_wait
#define hcondvar_signal pthread_cond_signal
#define hcondvar_broadcast pthread_cond_broadcast

#define honce_t pthread_once_t
#define HONCE_INIT PTHREAD_ONCE_INIT
#define honce pthread_once

/* Whether the condition was told within so many milliseconds. */
HV_INLINE int hcondvar_wait_for(pthread_cond_t *cond, pthread_mutex_t *mutex, unsigned int ms) {
    const unsigned long long until = gettimeofday_us() + (unsigned long long)ms * 1000;
    struct timespec at;
    at.tv_sec = (time_t)(until / 1000000);
    at.tv_nsec = (long)(until % 1000000) * 1000;
    return pthread_cond_timedwait(cond, mutex, &at) != ETIMEDOUT;
}

#ifdef __cplusplus

#include <condition_variable>
#include <mutex>

namespace hv {

class MutexLock {
  public:
    MutexLock() {}
    MutexLock(const MutexLock &) = delete;
    MutexLock &operator=(const MutexLock &) = delete;

    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }

  private:
    std::mutex mutex_;
};

/// Read by several threads at a time, or written by one.
class RWLock {
  public:
    RWLock() { pthread_rwlock_init(&lock_, NULL); }
    ~RWLock() { pthread_rwlock_destroy(&lock_); }
    RWLock(const RWLock &) = delete;
    RWLock &operator=(const RWLock &) = delete;

    void rdlock() { pthread_rwlock_rdlock(&lock_); }
    void rdunlock() { pthread_rwlock_unlock(&lock_); }
    void wrlock() { pthread_rwlock_wrlock(&lock_); }
    void wrunlock() { pthread_rwlock_unlock(&lock_); }
    void lock() { rdlock(); }
    void unlock() { rdunlock(); }

  private:
    pthread_rwlock_t lock_;
};

template <typename Lock> class LockGuard {
  public:
    explicit LockGuard(Lock &lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() { lock_.unlock(); }
    LockGuard(const LockGuard &) = delete;
    LockGuard &operator=(const LockGuard &) = delete;

  private:
    Lock &lock_;
};

} // namespace hv

#ifndef synchronized
#define synchronized(mutex)                                                                        \
    for (std::unique_lock<std::mutex> hvloop_lock(mutex); hvloop_lock.owns_lock(); hvloop_lock.unlock())
#endif

#endif

#endif /* HV_MUTEX_H_ */
