/// Event loops.
#ifndef HV_EVENT_LOOP_HPP_
#define HV_EVENT_LOOP_HPP_

#include <atomic>
#include <cassert>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "Event.h"
#include "Status.h"
#include "detail/abi.h"
#include "detail/function.h"
#include "detail/loop_slot.h"
#include "detail/placed.h"
#include "hlog.h"
#include "hthread.h"

namespace hv {

class EventLoop;
class EventLoopThread;
class EventLoopThreadPool;

typedef std::shared_ptr<EventLoop> EventLoopPtr;

/// How many connections a loop has, which is counted by the loop.
class ConnectionNum {
  public:
    explicit ConnectionNum(hloop_t *loop) : loop_(loop) {}
    ConnectionNum(const ConnectionNum &) = delete;
    ConnectionNum &operator=(const ConnectionNum &) = delete;

    uint32_t load() const {
        hvloop_metrics metrics = hvloop_metrics();
        return hvloop_loop_metrics(loop_, &metrics) == 0 ? static_cast<uint32_t>(metrics.connections) : 0;
    }
    operator uint32_t() const { return load(); }

  private:
    hloop_t *loop_;
};

/// A loop: timers, tasks and connections of one thread. Each function may be called on any thread.
///
/// What is set before the loop runs waits for it. A loop that was stopped is at its end: it drops the callbacks
/// that it holds on its thread, and takes no more. The destructor stops a loop that this object made.
class EventLoop : public Status {
  public:
    typedef std::function<void()> Functor;

    /// On somebody's loop, or on one of its own.
    EventLoop(hloop_t *loop = NULL)
        : loop_(loop ? hvloop_loop_retain(loop) : detail::new_loop()), counted_(true), owner_(loop == NULL),
          tid_(0), names_(std::make_shared<Names>()), connectionNum(loop_) {
        bind();
    }

    ~EventLoop() {
        if (owner_) stop();
        if (!counted_) return;
        hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop_);
        if (slot) {
            void *mine = this;
            __atomic_compare_exchange_n(&slot->object, &mine, static_cast<void *>(NULL), false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE);
        }
        hvloop_loop_release(loop_);
    }

    EventLoop(const EventLoop &) = delete;
    EventLoop &operator=(const EventLoop &) = delete;

    /// The handle, for hloop.h and hvloop.h. It is this object's.
    hloop_t *loop() { return loop_; }

    /// Runs it on this thread until it was stopped.
    void run() {
        tid_ = hv_gettid();
        if (hvloop_loop_run(loop_, NULL) != 0) detail::failed("EventLoop::run");
    }

    /// Never waits: connections finish, and then `run` returns.
    void stop() { hvloop_loop_stop(loop_); }

    /// No callback runs until `resume`, or `stop`.
    void pause() { hvloop_loop_pause(loop_); }
    void resume() { hvloop_loop_resume(loop_); }

    KStatus status() const {
        switch (hvloop_loop_status(loop_)) {
        case HVLOOP_STATUS_IDLE:
            return kInitialized;
        case HVLOOP_STATUS_RUNNING:
            return kRunning;
        case HVLOOP_STATUS_PAUSED:
            return kPause;
        case HVLOOP_STATUS_DRAINING:
        case HVLOOP_STATUS_CLOSING:
            return kStopping;
        case HVLOOP_STATUS_STOPPED:
            return kStopped;
        default:
            return kNull;
        }
    }

    /// Calls back every so many milliseconds, never early, `repeat` times; the first time one period from now. The
    /// id is `timerID` if that is given, which no timer of the loop may have.
    TimerID setTimer(int timeout_ms, TimerCallback cb, uint32_t repeat = INFINITE,
                     TimerID timerID = INVALID_TIMER_ID) {
        if (timerID != INVALID_TIMER_ID) return set_named(timeout_ms, std::move(cb), repeat, timerID);
        uint64_t id = 0;
        const int error = hvloop_loop_set_timer(loop_, timeout_ms, repeat, detail::timer_callback(std::move(cb)), &id);
        return error == 0 ? id : INVALID_TIMER_ID;
    }
    TimerID setTimerInLoop(int timeout_ms, TimerCallback cb, uint32_t repeat = INFINITE,
                           TimerID timerID = INVALID_TIMER_ID) {
        return setTimer(timeout_ms, std::move(cb), repeat, timerID);
    }
    TimerID setTimeout(int timeout_ms, TimerCallback cb) { return setTimer(timeout_ms, std::move(cb), 1); }
    TimerID setInterval(int interval_ms, TimerCallback cb) {
        return setTimer(interval_ms, std::move(cb), INFINITE);
    }

    /// On the loop's thread it does not fire any more; from another one it may until the loop gets to know.
    void killTimer(TimerID timerID) { hvloop_loop_kill_timer(loop_, id_of(timerID, true)); }

    /// Counts from now again, with another period, or with its own.
    void resetTimer(TimerID timerID, int timeout_ms = 0) {
        hvloop_loop_reset_timer(loop_, id_of(timerID, false), timeout_ms > 0 ? timeout_ms : -1);
    }

    /// The number of the system for the thread that runs it, as `hv_gettid` says there. 0: nobody does yet.
    long tid() { return tid_ == 0 && isInLoopThread() ? hv_gettid() : tid_.load(); }

    bool isInLoopThread() { return hvloop_loop_is_in_loop_thread(loop_) == 1; }
    void assertInLoopThread() { assert(isInLoopThread()); }

    /// On the loop's thread: at once if this is it, else as soon as it can.
    void runInLoop(Functor fn) {
        if (fn) hvloop_loop_run_in_loop(loop_, detail::task(std::move(fn)));
    }

    /// On the loop's thread, never within this call.
    void queueInLoop(Functor fn) {
        if (fn) hvloop_loop_queue_in_loop(loop_, detail::task(std::move(fn)));
    }

    /// The same for a lambda and its likes, which get their place in the task.
    template <typename F>
    typename std::enable_if<detail::is_placed<F>::value>::type runInLoop(F &&fn) {
        if (!isInLoopThread()) return queueInLoop(std::forward<F>(fn));
        HVLOOP_TRY { fn(); }
        HVLOOP_CAUGHT("callback")
    }
    template <typename F>
    typename std::enable_if<detail::is_placed<F>::value>::type queueInLoop(F &&fn) {
        detail::queue_placed(loop_, std::forward<F>(fn));
    }

    /// As `queueInLoop`, with an event for the callback, which is valid for its time.
    void postEvent(EventCallback cb) {
        if (!cb) return;
        EventPtr event = std::make_shared<Event>(std::move(cb));
        event->event.loop = loop_;
        event->event.event_type = HEVENT_TYPE_CUSTOM;
        queueInLoop([event]() { event->cb(event.get()); });
    }

  private:
    friend class EventLoopThread;
    friend class EventLoopThreadPool;
    friend EventLoop *tlsEventLoop();

    /// That of a loop which has no object yet: the loop's own, so that it has no count of it.
    struct OfLoop {};
    EventLoop(hloop_t *loop, OfLoop)
        : loop_(loop), counted_(false), owner_(false), tid_(0), names_(std::make_shared<Names>()),
          connectionNum(loop) {}

    /// Callbacks on the loop find the first object that was made for it.
    void bind() {
        if (!loop_) return;
        hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop_);
        if (!slot) {
            detail::failed("EventLoop");
            return;
        }
        void *nobody = NULL;
        __atomic_compare_exchange_n(&slot->object, &nobody, static_cast<void *>(this), false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE);
    }

    static void drop(void *object) { delete static_cast<EventLoop *>(object); }

    /// Keeps the handle of a loop, and so the object that it has, until the loop drops its callbacks at its end.
    static void keep(hloop_t *loop) {
        const int64_t never = INT64_C(1000) * 60 * 60 * 24 * 365;
        hvloop_timer_callback callback = {NULL, NULL, NULL};
        callback.call = [](void *, uint64_t) {};
        callback.drop = [](void *kept) { hvloop_loop_release(static_cast<hloop_t *>(kept)); };
        callback.data = hvloop_loop_retain(loop);
        hvloop_loop_set_timer(loop, never, INFINITE, callback, NULL);
    }

    static EventLoop *of(hloop_t *loop) {
        hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
        if (!slot) return NULL;
        void *object = __atomic_load_n(&slot->object, __ATOMIC_ACQUIRE);
        if (!object) {
            // On the loop's thread, and so nobody else does.
            object = new EventLoop(loop, OfLoop());
            slot->drop = &EventLoop::drop;
            __atomic_store_n(&slot->object, object, __ATOMIC_RELEASE);
            keep(loop);
        }
        return static_cast<EventLoop *>(object);
    }

    /// The thread that calls is the one that runs it.
    void note_thread() { tid_ = hv_gettid(); }

    /// The loop's own ids of the timers whose ids the program chose.
    struct Names {
        std::mutex mutex;
        std::map<TimerID, uint64_t> ids;
    };

    /// A timer whose id the program chose.
    TimerID set_named(int timeout_ms, TimerCallback cb, uint32_t repeat, TimerID name) {
        const std::shared_ptr<Names> names = names_;
        std::lock_guard<std::mutex> lock(names->mutex);
        uint64_t id = 0;
        std::shared_ptr<uint32_t> left = std::make_shared<uint32_t>(repeat);
        // Not with this object, which the loop may survive.
        TimerCallback call = [names, cb, left, name](TimerID) {
            if (*left != INFINITE && --*left == 0) {
                std::lock_guard<std::mutex> locked(names->mutex);
                names->ids.erase(name);
            }
            cb(name);
        };
        if (hvloop_loop_set_timer(loop_, timeout_ms, repeat, detail::timer_callback(std::move(call)), &id) != 0) {
            return INVALID_TIMER_ID;
        }
        names->ids[name] = id;
        return name;
    }

    uint64_t id_of(TimerID timerID, bool gone) {
        std::lock_guard<std::mutex> lock(names_->mutex);
        const std::map<TimerID, uint64_t>::iterator found = names_->ids.find(timerID);
        if (found == names_->ids.end()) return timerID;
        const uint64_t id = found->second;
        if (gone) names_->ids.erase(found);
        return id;
    }

    hloop_t *loop_;
    bool counted_;
    bool owner_;
    std::atomic<long> tid_;
    std::shared_ptr<Names> names_;

  public:
    ConnectionNum connectionNum;
};

/// The loop in whose callback this thread is. NULL outside of callbacks.
inline EventLoop *tlsEventLoop() {
    hloop_t *const loop = hvloop_loop_current();
    if (!loop) return NULL;
    EventLoop *const found = EventLoop::of(loop);
    // The object has another count, or its loop has.
    hvloop_loop_release(loop);
    return found;
}

#define currentThreadEventLoop ::hv::tlsEventLoop()

/// Timers of the loop in whose callback this thread is.
inline TimerID setTimer(int timeout_ms, TimerCallback cb, uint32_t repeat = INFINITE) {
    EventLoop *const loop = tlsEventLoop();
    return loop ? loop->setTimer(timeout_ms, std::move(cb), repeat) : INVALID_TIMER_ID;
}

inline void killTimer(TimerID timerID) {
    EventLoop *const loop = tlsEventLoop();
    if (loop) loop->killTimer(timerID);
}

inline void resetTimer(TimerID timerID, int timeout_ms) {
    EventLoop *const loop = tlsEventLoop();
    if (loop) loop->resetTimer(timerID, timeout_ms);
}

inline TimerID setTimeout(int timeout_ms, TimerCallback cb) { return setTimer(timeout_ms, std::move(cb), 1); }

inline TimerID setInterval(int interval_ms, TimerCallback cb) {
    return setTimer(interval_ms, std::move(cb), INFINITE);
}

} // namespace hv

#endif // HV_EVENT_LOOP_HPP_
