/// Several loops, each on a thread of its own.
#ifndef HV_EVENT_LOOP_THREAD_POOL_HPP_
#define HV_EVENT_LOOP_THREAD_POOL_HPP_

#include "EventLoopThread.h"

namespace hv {

/// So many loops, each on a thread of its own, from `start` on. It can be started again after a stop. The destructor
/// stops the loops, and waits for the threads, unless this is one of them.
class EventLoopThreadPool : public Status {
  public:
    typedef std::function<void(const EventLoopPtr &)> Hook;

    EventLoopThreadPool(int thread_num = static_cast<int>(std::thread::hardware_concurrency()))
        : thread_num_(thread_num), next_(0) {}

    ~EventLoopThreadPool() {
        stop();
        const std::shared_ptr<Threads> last = take();
    }

    EventLoopThreadPool(const EventLoopThreadPool &) = delete;
    EventLoopThreadPool &operator=(const EventLoopThreadPool &) = delete;

    int threadNum() { return thread_num_; }
    /// Holds from the next start on.
    void setThreadNum(int num) { thread_num_ = num; }

    KStatus status() const {
        const std::shared_ptr<Threads> threads = get();
        return threads && !threads->loops.empty() ? threads->loops.front()->status() : kInitialized;
    }

    /// The one for the next piece of work. NULL before the start.
    EventLoopPtr nextLoop(load_balance_e lb = LB_RoundRobin) {
        const std::shared_ptr<Threads> threads = get();
        if (!threads || threads->loops.empty()) return EventLoopPtr();
        if (lb != LB_Random && lb != LB_LeastConnections) {
            return threads->loops[next_++ % threads->loops.size()];
        }
        const int balance = lb == LB_Random ? HVLOOP_LOAD_BALANCE_RANDOM : HVLOOP_LOAD_BALANCE_LEAST_CONNECTIONS;
        hloop_t *const chosen = hvloop_pool_next_loop(threads->pool.get(), balance);
        const EventLoopPtr found = threads->find(chosen);
        hvloop_loop_release(chosen);
        return found;
    }

    /// That of a number; without one, or if there is none of that number, the next one.
    EventLoopPtr loop(int idx = -1) {
        const std::shared_ptr<Threads> threads = get();
        if (threads && idx >= 0 && idx < static_cast<int>(threads->loops.size())) {
            return threads->loops[static_cast<size_t>(idx)];
        }
        return nextLoop();
    }
    hloop_t *hloop(int idx = -1) {
        const EventLoopPtr found = loop(idx);
        return found ? found->loop() : NULL;
    }

    /// The pool of the C interface. NULL before the start.
    hvloop_pool *pool() {
        const std::shared_ptr<Threads> threads = get();
        return threads ? threads->pool.get() : NULL;
    }

    /// Waits until all run, whatever it is told. `pre` is each loop's first callback, `post` is called on each thread
    /// after its loop has stopped.
    void start(bool wait_threads_started = true, Hook pre = Hook(), Hook post = Hook()) {
        (void)wait_threads_started;
        const std::shared_ptr<Threads> before = get();
        if (thread_num_ <= 0 || (before && !before->stopped())) return;
        if (!detail::right_version()) return;
        const std::shared_ptr<Threads> threads = std::make_shared<Threads>(thread_num_);
        if (threads->loops.empty()) {
            detail::failed("EventLoopThreadPool::start");
            return;
        }
        set(threads);
        // For the threads: the pool's object may be gone before they are.
        const std::vector<EventLoopPtr> loops = threads->loops;
        if (pre) {
            for (size_t i = 0; i < loops.size(); ++i) {
                const EventLoopPtr loop = loops[i];
                loop->queueInLoop([loop, pre]() { pre(loop); });
            }
        }
        const int error =
            hvloop_pool_start(threads->pool.get(), detail::pool_hook([loops](size_t n) { loops[n]->note_thread(); }),
                              detail::pool_hook([loops, post](size_t n) {
                                  if (post) post(loops[n]);
                              }));
        if (error != 0) detail::failed("EventLoopThreadPool::start");
    }

    /// Has all loops stopped; waits for the threads if it is told to, unless this is one of them.
    void stop(bool wait_threads_stopped = false) {
        const std::shared_ptr<Threads> threads = get();
        if (!threads) return;
        hvloop_pool_stop(threads->pool.get());
        if (wait_threads_stopped) join();
    }

    /// Waits until all threads have ended, unless this is one of them.
    void join() {
        const std::shared_ptr<Threads> threads = get();
        if (threads) hvloop_pool_join(threads->pool.get());
    }

  private:
    struct Free {
        void operator()(hvloop_pool *pool) const { hvloop_pool_free(pool); }
    };

    /// One start's.
    struct Threads {
        explicit Threads(int num) : pool(hvloop_pool_new(static_cast<size_t>(num), NULL)) {
            for (int i = 0; pool && i < num; ++i) {
                hloop_t *const loop = hvloop_pool_loop(pool.get(), static_cast<size_t>(i));
                loops.push_back(std::make_shared<EventLoop>(loop));
                hvloop_loop_release(loop);
            }
        }

        EventLoopPtr find(hloop_t *loop) const {
            for (size_t i = 0; i < loops.size(); ++i) {
                if (loops[i]->loop() == loop) return loops[i];
            }
            return EventLoopPtr();
        }

        bool stopped() const {
            for (size_t i = 0; i < loops.size(); ++i) {
                if (!loops[i]->isStopped()) return false;
            }
            return true;
        }

        // Gone first: it waits for the threads, which use the loops.
        std::vector<EventLoopPtr> loops;
        std::unique_ptr<hvloop_pool, Free> pool;
    };

    std::shared_ptr<Threads> get() const {
        std::lock_guard<std::mutex> lock(mutex_);
        return threads_;
    }

    std::shared_ptr<Threads> take() {
        std::lock_guard<std::mutex> lock(mutex_);
        std::shared_ptr<Threads> taken;
        taken.swap(threads_);
        return taken;
    }

    void set(std::shared_ptr<Threads> threads) {
        std::lock_guard<std::mutex> lock(mutex_);
        threads_.swap(threads);
    }

    std::atomic<int> thread_num_;
    std::atomic<unsigned> next_;
    mutable std::mutex mutex_;
    std::shared_ptr<Threads> threads_;
};

} // namespace hv

#endif // HV_EVENT_LOOP_THREAD_POOL_HPP_
