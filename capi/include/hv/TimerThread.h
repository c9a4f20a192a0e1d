/// Timers on a thread of their own.
#ifndef HV_TIMER_THREAD_HPP_
#define HV_TIMER_THREAD_HPP_

#include "EventLoopThread.h"

namespace hv {

/// A thread that calls back in time. It is started by the constructor. Any thread may set and take off timers.
class TimerThread : public EventLoopThread {
  public:
    TimerThread() { start(); }
    virtual ~TimerThread() {
        stop();
        join();
    }

    TimerID setTimer(int timeout_ms, TimerCallback cb, uint32_t repeat = INFINITE) {
        return loop()->setTimer(timeout_ms, std::move(cb), repeat);
    }
    TimerID setTimeout(int timeout_ms, TimerCallback cb) { return setTimer(timeout_ms, std::move(cb), 1); }
    TimerID setInterval(int interval_ms, TimerCallback cb) {
        return setTimer(interval_ms, std::move(cb), INFINITE);
    }
    void killTimer(TimerID timerID) { loop()->killTimer(timerID); }
    void resetTimer(TimerID timerID, int timeout_ms = 0) { loop()->resetTimer(timerID, timeout_ms); }
};

} // namespace hv

#endif // HV_TIMER_THREAD_HPP_
