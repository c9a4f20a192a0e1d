/// A loop on a thread of its own.
#ifndef HV_EVENT_LOOP_THREAD_HPP_
#define HV_EVENT_LOOP_THREAD_HPP_

#include "EventLoop.h"

namespace hv {

/// Runs a loop on a thread, which is started by `start` and ends once the loop was stopped. With a loop of its own
/// it can be started again, with a new one. The destructor stops the loop that it has started, and waits for the
/// thread, unless this is it.
class EventLoopThread : public Status {
  public:
    /// Called on the loop's thread; `start`'s first one stops the loop if it does not return 0.
    typedef std::function<int()> Functor;

    EventLoopThread(EventLoopPtr loop = nullptr)
        : loop_(loop ? loop : std::make_shared<EventLoop>()), owner_(!loop), started_(false) {}

    ~EventLoopThread() {
        // A loop that somebody else runs is not its own to stop.
        if (started_) stop();
        detach_or_join();
    }

    EventLoopThread(const EventLoopThread &) = delete;
    EventLoopThread &operator=(const EventLoopThread &) = delete;

    const EventLoopPtr &loop() { return loop_; }
    hloop_t *hloop() { return loop_->loop(); }

    KStatus status() const {
        const KStatus status = loop_->status();
        return started_ && status == kInitialized ? kStarting : status;
    }
    bool isRunning() { return loop_->isRunning(); }

    /// Waits until the thread runs, whatever it is told. `pre` is the loop's first callback but for those that were
    /// set before, `post` is called on the thread after the loop has stopped.
    void start(bool wait_thread_started = true, Functor pre = Functor(), Functor post = Functor()) {
        (void)wait_thread_started;
        std::lock_guard<std::mutex> lock(mutex_);
        if (started_ && !loop_->isStopped()) return;
        anew();
        const EventLoopPtr loop = loop_;
        if (pre) {
            loop->queueInLoop([loop, pre]() {
                if (pre() != 0) loop->stop();
            });
        }
        hvloop_task none = {NULL, NULL, NULL};
        thread_.reset(hvloop_thread_new(loop->loop()));
        started_ = true;
        const int error =
            hvloop_thread_start(thread_.get(), detail::task([loop]() { loop->note_thread(); }),
                                post ? detail::task([post]() { post(); }) : none);
        if (error != 0) detail::failed("EventLoopThread::start");
    }

    /// Has the loop stopped; waits for the thread if it is told to, unless this is it.
    void stop(bool wait_thread_stopped = false) {
        loop_->stop();
        if (wait_thread_stopped) join();
    }

    /// Waits until the thread has ended, unless this is it.
    void join() {
        hvloop_thread *const thread = current();
        if (thread) hvloop_thread_join(thread, NULL);
    }

  protected:
    /// With a loop of its own that has stopped, it gets another one. Whether it did.
    bool renew() {
        std::lock_guard<std::mutex> lock(mutex_);
        return loop_->isStopped() && anew();
    }

  private:
    bool anew() {
        thread_.reset();
        started_ = false;
        if (!owner_ || !loop_->isStopped()) return false;
        loop_ = std::make_shared<EventLoop>();
        return true;
    }

    struct Free {
        void operator()(hvloop_thread *thread) const { hvloop_thread_free(thread); }
    };

    hvloop_thread *current() {
        std::lock_guard<std::mutex> lock(mutex_);
        return thread_.get();
    }

    void detach_or_join() {
        std::unique_ptr<hvloop_thread, Free> last;
        std::lock_guard<std::mutex> lock(mutex_);
        last.swap(thread_);
    }

    EventLoopPtr loop_;
    const bool owner_;
    std::atomic<bool> started_;
    std::mutex mutex_;
    std::unique_ptr<hvloop_thread, Free> thread_;
};

typedef std::shared_ptr<EventLoopThread> EventLoopThreadPtr;

} // namespace hv

#endif // HV_EVENT_LOOP_THREAD_HPP_
