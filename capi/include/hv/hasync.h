/// Work for a pool of threads that the whole program has.
#ifndef HV_ASYNC_H_
#define HV_ASYNC_H_

#include <future>
#include <utility>

#include "hthreadpool.h"

namespace hv {

/// The program's pool, which lives until the program ends, or until `exitInstance`.
class GlobalThreadPool : public HThreadPool {
  public:
    static GlobalThreadPool *instance() {
        std::lock_guard<std::mutex> lock(mutex());
        if (!held()) held().reset(new GlobalThreadPool);
        return held().get();
    }

    /// Waits for the tasks that are being done.
    static void exitInstance() {
        std::unique_ptr<GlobalThreadPool> gone;
        std::lock_guard<std::mutex> lock(mutex());
        gone.swap(held());
    }

    ~GlobalThreadPool() {}

  private:
    GlobalThreadPool() {}

    static std::mutex &mutex() {
        static std::mutex mutex;
        return mutex;
    }

    static std::unique_ptr<GlobalThreadPool> &held() {
        static std::unique_ptr<GlobalThreadPool> held;
        return held;
    }
};

/// Has `function(arguments...)` called by a thread of the program's pool; the result says what came of it.
template <typename Fn, typename... Args>
auto async(Fn &&function, Args &&...arguments) -> std::future<decltype(function(arguments...))> {
    return GlobalThreadPool::instance()->commit(std::forward<Fn>(function), std::forward<Args>(arguments)...);
}

/// How many threads there are. `hv::async` is a function; a class of that name is `class hv::async`.
class async {
  public:
    static void startup(int min_threads = DEFAULT_THREAD_POOL_MIN_THREAD_NUM,
                        int max_threads = static_cast<int>(DEFAULT_THREAD_POOL_MAX_THREAD_NUM),
                        int max_idle_ms = DEFAULT_THREAD_POOL_MAX_IDLE_TIME) {
        GlobalThreadPool *const pool = GlobalThreadPool::instance();
        pool->setMinThreadNum(min_threads);
        pool->setMaxThreadNum(max_threads);
        pool->setMaxIdleTime(max_idle_ms);
        pool->start();
    }

    static void cleanup() { GlobalThreadPool::exitInstance(); }
};

} // namespace hv

#endif // HV_ASYNC_H_
