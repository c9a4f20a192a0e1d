/// Functions of C++ as callbacks of C: `{ call, drop, data }`, where the data are a copy of the function.
#ifndef HVLOOP_HV_DETAIL_FUNCTION_H
#define HVLOOP_HV_DETAIL_FUNCTION_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "try.h"

namespace hv {
namespace detail {

/// Keeps a function for C, which calls it with `Args` behind the data.
template <typename... Args> struct Boxed {
    typedef std::function<void(Args...)> Function;

    static void call(void *data, Args... args) {
        HVLOOP_TRY { (*static_cast<Function *>(data))(args...); }
        HVLOOP_CAUGHT("callback")
    }

    static void drop(void *data) {
        HVLOOP_TRY { delete static_cast<Function *>(data); }
        HVLOOP_CAUGHT("destructor")
    }

    static void *box(Function function) { return new Function(std::move(function)); }
};

inline hvloop_task task(std::function<void()> function) {
    hvloop_task task = {NULL, NULL, NULL};
    if (function) {
        task.call = &Boxed<>::call;
        task.drop = &Boxed<>::drop;
        task.data = Boxed<>::box(std::move(function));
    }
    return task;
}

inline hvloop_timer_callback timer_callback(std::function<void(uint64_t)> function) {
    hvloop_timer_callback callback = {NULL, NULL, NULL};
    if (function) {
        callback.call = &Boxed<uint64_t>::call;
        callback.drop = &Boxed<uint64_t>::drop;
        callback.data = Boxed<uint64_t>::box(std::move(function));
    }
    return callback;
}

inline hvloop_pool_hook pool_hook(std::function<void(size_t)> function) {
    hvloop_pool_hook hook = {NULL, NULL, NULL};
    if (function) {
        hook.call = &Boxed<size_t>::call;
        hook.drop = &Boxed<size_t>::drop;
        hook.data = Boxed<size_t>::box(std::move(function));
    }
    return hook;
}

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_FUNCTION_H
