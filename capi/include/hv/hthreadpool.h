/// Threads for work that would hold up a loop.
#ifndef HV_THREAD_POOL_H_
#define HV_THREAD_POOL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "detail/try.h"
#include "hthread.h"

#define DEFAULT_THREAD_POOL_MIN_THREAD_NUM 1
#define DEFAULT_THREAD_POOL_MAX_THREAD_NUM std::thread::hardware_concurrency()
#define DEFAULT_THREAD_POOL_MAX_IDLE_TIME 60000

/// Starts threads as work comes, up to a number; those that have nothing to do for a while end, down to another
/// number. Any thread may call it, but `stop` and the destructor: not one of its own. A child made by fork has none of
/// its parent's threads and tasks, and may begin with its own.
class HThreadPool {
  public:
    typedef std::function<void()> Task;

    HThreadPool(int min_threads = DEFAULT_THREAD_POOL_MIN_THREAD_NUM,
                int max_threads = static_cast<int>(DEFAULT_THREAD_POOL_MAX_THREAD_NUM),
                int max_idle_ms = DEFAULT_THREAD_POOL_MAX_IDLE_TIME)
        : min_thread_num(min_threads), max_thread_num(max_threads > 0 ? max_threads : 1),
          max_idle_time(max_idle_ms), locks_(new Locks()), process_(hv_getpid()), started_(false), paused_(false),
          idle_(0), active_(0) {}
    virtual ~HThreadPool() { stop(); }
    HThreadPool(const HThreadPool &) = delete;
    HThreadPool &operator=(const HThreadPool &) = delete;

    void setMinThreadNum(int threads) { set(min_thread_num, threads); }
    void setMaxThreadNum(int threads) { set(max_thread_num, threads > 0 ? threads : 1); }
    void setMaxIdleTime(int ms) { set(max_idle_time, ms); }

    int currentThreadNum() {
        std::lock_guard<std::mutex> lock(locks_->mutex);
        return static_cast<int>(threads_.size());
    }
    int idleThreadNum() {
        std::lock_guard<std::mutex> lock(locks_->mutex);
        return idle_;
    }
    /// Tasks that no thread has begun.
    size_t taskNum() {
        std::lock_guard<std::mutex> lock(locks_->mutex);
        return tasks_.size();
    }
    bool isStarted() {
        std::lock_guard<std::mutex> lock(locks_->mutex);
        return started_;
    }
    bool isStopped() { return !isStarted(); }

    /// 0, or -1: it was started before.
    int start(int start_threads = 0) {
        leave_to_parent();
        std::lock_guard<std::mutex> lock(locks_->mutex);
        if (started_) return -1;
        started_ = true;
        paused_ = false;
        const int wanted = start_threads < min_thread_num ? min_thread_num : start_threads;
        for (int i = 0; i < wanted && i < max_thread_num; ++i) add();
        return 0;
    }

    /// Waits for the tasks that are being done. Those that nobody began are dropped.
    int stop() {
        leave_to_parent();
        std::deque<Task> dropped;
        std::vector<std::thread> threads;
        {
            std::lock_guard<std::mutex> lock(locks_->mutex);
            if (!started_) return -1;
            started_ = false;
            dropped.swap(tasks_);
            threads.swap(threads_);
            for (size_t i = 0; i < ended_.size(); ++i) threads.push_back(std::move(ended_[i]));
            ended_.clear();
        }
        locks_->work.notify_all();
        for (size_t i = 0; i < threads.size(); ++i) threads[i].join();
        locks_->done.notify_all();
        return 0;
    }

    /// Tasks wait until `resume`.
    int pause() { return set_paused(true); }
    int resume() { return set_paused(false); }

    /// Until there is nothing to do.
    int wait() {
        leave_to_parent();
        std::unique_lock<std::mutex> lock(locks_->mutex);
        while (started_ && (!tasks_.empty() || active_ > 0)) locks_->done.wait(lock);
        return 0;
    }

    /// Has `function(arguments...)` called by a thread; the result says what came of it, exceptions included.
    template <typename Fn, typename... Args>
    auto commit(Fn &&function, Args &&...arguments) -> std::future<decltype(function(arguments...))> {
        typedef decltype(function(arguments...)) Result;
        std::shared_ptr<std::packaged_task<Result()>> task = std::make_shared<std::packaged_task<Result()>>(
            std::bind(std::forward<Fn>(function), std::forward<Args>(arguments)...));
        std::future<Result> result = task->get_future();
        std::vector<std::thread> ended;
        leave_to_parent();
        {
            std::lock_guard<std::mutex> lock(locks_->mutex);
            if (!started_) {
                started_ = true;
                paused_ = false;
            }
            tasks_.push_back([task]() { (*task)(); });
            if (idle_ < static_cast<int>(tasks_.size()) && static_cast<int>(threads_.size()) < max_thread_num) {
                add();
            }
            ended.swap(ended_);
        }
        locks_->work.notify_one();
        for (size_t i = 0; i < ended.size(); ++i) ended[i].join();
        return result;
    }

    int min_thread_num;
    int max_thread_num;
    int max_idle_time;

  private:
    void set(int &number, int value) {
        std::lock_guard<std::mutex> lock(locks_->mutex);
        number = value;
    }

    int set_paused(bool paused) {
        {
            std::lock_guard<std::mutex> lock(locks_->mutex);
            if (!started_) return -1;
            paused_ = paused;
        }
        locks_->work.notify_all();
        return 0;
    }

    /// With the lock.
    void add() {
        threads_.push_back(std::thread([this]() { run(); }));
    }

    void run() {
        std::unique_lock<std::mutex> lock(locks_->mutex);
        while (started_) {
            if (!paused_ && !tasks_.empty()) {
                Task task = std::move(tasks_.front());
                tasks_.pop_front();
                active_ += 1;
                lock.unlock();
                HVLOOP_TRY { task(); }
                HVLOOP_CAUGHT("task")
                // What it holds goes with nothing locked.
                task = Task();
                lock.lock();
                active_ -= 1;
                if (tasks_.empty() && active_ == 0) locks_->done.notify_all();
                continue;
            }
            idle_ += 1;
            const bool woken = locks_->work.wait_for(lock, std::chrono::milliseconds(max_idle_time > 0 ? max_idle_time : 0),
                                              [this]() { return !started_ || (!paused_ && !tasks_.empty()); });
            idle_ -= 1;
            if (!woken && static_cast<int>(threads_.size()) > min_thread_num) {
                leave();
                return;
            }
        }
    }

    /// Moves the thread that calls to those that have ended, which the next commit, or the stop, joins.
    void leave() {
        for (size_t i = 0; i < threads_.size(); ++i) {
            if (threads_[i].get_id() == std::this_thread::get_id()) {
                ended_.push_back(std::move(threads_[i]));
                threads_.erase(threads_.begin() + static_cast<std::ptrdiff_t>(i));
                return;
            }
        }
    }

    struct Locks {
        std::mutex mutex;
        std::condition_variable work;
        std::condition_variable done;
    };

    /// In a child made by fork nobody is waited for, and nothing is touched again that a thread of the parent's may
    /// have had in hand. Their numbers are those of new threads by now, which would be detached by a destructor.
    void leave_to_parent() {
        if (process_ == hv_getpid()) return;
        process_ = hv_getpid();
        (void)locks_.release();
        locks_.reset(new Locks());
        (new std::vector<std::thread>())->swap(threads_);
        (new std::vector<std::thread>())->swap(ended_);
        (new std::deque<Task>())->swap(tasks_);
        started_ = paused_ = false;
        idle_ = active_ = 0;
    }

    std::unique_ptr<Locks> locks_;
    std::atomic<long> process_;
    std::deque<Task> tasks_;
    std::vector<std::thread> threads_;
    std::vector<std::thread> ended_;
    bool started_;
    bool paused_;
    int idle_;
    int active_;
};

#endif // HV_THREAD_POOL_H_
