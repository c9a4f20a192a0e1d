/// Functions of C++ as tasks that have their place in the task: one allocation for each.
#ifndef HVLOOP_HV_DETAIL_PLACED_H
#define HVLOOP_HV_DETAIL_PLACED_H

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "../../hvloop.h"
#include "try.h"

namespace hv {
namespace detail {

/// What a place has in it.
template <typename F> struct Placed {
    static void call(void *place) {
        HVLOOP_TRY { (*static_cast<F *>(place))(); }
        HVLOOP_CAUGHT("callback")
    }

    static void drop(void *place) {
        HVLOOP_TRY { static_cast<F *>(place)->~F(); }
        HVLOOP_CAUGHT("destructor")
    }

    /// Gives the place back if nothing could be put into it.
    struct Owner {
        void *place;
        ~Owner() { hvloop_task_unplace(place); }
    };
};

/// Whether it can be called, and cannot be empty: what can, such as a std::function, compares with nullptr.
template <typename F> struct is_plain {
    template <typename T> static auto called(int) -> decltype(std::declval<T &>()(), std::true_type());
    template <typename T> static std::false_type called(...);
    template <typename T> static auto nullable(int) -> decltype(std::declval<T &>() == nullptr, std::true_type());
    template <typename T> static std::false_type nullable(...);
    static const bool value = decltype(called<F>(0))::value && !decltype(nullable<F>(0))::value;
};

/// Whether the function is an object that has room in a place.
template <typename F> struct is_placed {
    typedef typename std::decay<F>::type Function;
    static const bool value = std::is_class<Function>::value && sizeof(Function) <= HVLOOP_PLACE_SIZE &&
                              alignof(Function) <= 16 && is_plain<Function>::value;
};

/// Queues a function.
template <typename F> int queue_placed(hvloop_loop *loop, F &&function) {
    typedef typename std::decay<F>::type Function;
    typename Placed<Function>::Owner owner = {hvloop_task_place(sizeof(Function))};
    if (owner.place == NULL) return HVLOOP_ERROR_ARGUMENT;
    new (owner.place) Function(std::forward<F>(function));
    void *const place = owner.place;
    owner.place = NULL;
    return hvloop_loop_queue_placed(loop, place, &Placed<Function>::call, &Placed<Function>::drop);
}

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_PLACED_H
