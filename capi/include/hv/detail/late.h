/// Timers of objects that may be gone by then.
#ifndef HVLOOP_HV_DETAIL_LATE_H
#define HVLOOP_HV_DETAIL_LATE_H

#include <memory>
#include <mutex>

#include "../EventLoop.h"

namespace hv {
namespace detail {

/// Calls something of an object after a while, once, unless it was taken back, or the object is gone.
template <class Object> class Late {
  public:
    explicit Late(Object *object) : object_(object), number_(0) {}

    static void set(const std::shared_ptr<Late> &late, EventLoop *loop, int delay_ms, void (*call)(Object *)) {
        uint64_t number;
        {
            std::lock_guard<std::mutex> lock(late->mutex_);
            number = ++late->number_;
        }
        loop->setTimeout(delay_ms, [late, number, call](TimerID) {
            std::lock_guard<std::mutex> lock(late->mutex_);
            if (late->object_ && late->number_ == number) call(late->object_);
        });
    }

    /// Calls something of the object, if it is still there.
    template <typename F> static void with(const std::shared_ptr<Late> &late, F call) {
        std::lock_guard<std::mutex> lock(late->mutex_);
        if (late->object_) call(late->object_);
    }

    void take_back() {
        std::lock_guard<std::mutex> lock(mutex_);
        ++number_;
    }

    /// The object goes.
    void forget() {
        std::lock_guard<std::mutex> lock(mutex_);
        object_ = NULL;
    }

  private:
    std::mutex mutex_;
    Object *object_;
    uint64_t number_;
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_LATE_H
