/// Callbacks that users assign: members such as `onMessage`.
#ifndef HVLOOP_HV_DETAIL_CALLBACK_H
#define HVLOOP_HV_DETAIL_CALLBACK_H

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

namespace hv {
namespace detail {

template <typename Signature> class Callback;

/// A `std::function` that may be replaced while it is called, on any thread, and that may destroy the object
/// which has it: a call keeps what it calls. It is assigned from anything that can be called, from NULL and from
/// nullptr, compares with both, and turns into a `std::function`.
template <typename R, typename... Args> class Callback<R(Args...)> {
  public:
    typedef std::function<R(Args...)> Function;

    Callback() {}
    Callback(std::nullptr_t) {}
    Callback(const Callback &other) : function_(other.get()) {}
    template <typename F, typename = typename std::enable_if<
                              !std::is_same<typename std::decay<F>::type, Callback>::value &&
                              std::is_constructible<Function, F>::value>::type>
    Callback(F &&function) : function_(share(Function(std::forward<F>(function)))) {}
    ~Callback() {}

    Callback &operator=(const Callback &other) {
        set(other.get());
        return *this;
    }
    Callback &operator=(std::nullptr_t) {
        set(Shared());
        return *this;
    }
    template <typename F>
    typename std::enable_if<!std::is_same<typename std::decay<F>::type, Callback>::value &&
                                std::is_constructible<Function, F>::value,
                            Callback &>::type
    operator=(F &&function) {
        set(share(Function(std::forward<F>(function))));
        return *this;
    }

    explicit operator bool() const { return get() != NULL; }

    R operator()(Args... arguments) const {
        const Shared function = get();
        // Of an empty one std::function knows best what to do.
        if (!function) return Function()(std::forward<Args>(arguments)...);
        return (*function)(std::forward<Args>(arguments)...);
    }

    // Both, so that this is a better way to a std::function than wrapping an empty callback in one is.
    operator Function() { return copy(); }
    operator Function() const { return copy(); }

    void swap(Callback &other) {
        const Shared mine = get();
        set(other.get());
        other.set(mine);
    }

    friend bool operator==(const Callback &callback, std::nullptr_t) { return !callback; }
    friend bool operator!=(const Callback &callback, std::nullptr_t) { return static_cast<bool>(callback); }
#if !defined(__cpp_impl_three_way_comparison)
    friend bool operator==(std::nullptr_t, const Callback &callback) { return !callback; }
    friend bool operator!=(std::nullptr_t, const Callback &callback) { return static_cast<bool>(callback); }
#endif

  private:
    typedef std::shared_ptr<Function> Shared;

    static Shared share(Function function) {
        return function ? std::make_shared<Function>(std::move(function)) : Shared();
    }

    Function copy() const {
        const Shared function = get();
        return function ? *function : Function();
    }

    Shared get() const {
        Locked locked(lock_);
        return function_;
    }

    /// What was there goes with nothing locked: its destructor is anybody's code.
    void set(Shared function) {
        Locked locked(lock_);
        function_.swap(function);
    }

    /// For as long as a pointer is copied.
    class Lock {
      public:
        Lock() { flag_.clear(); }
        std::atomic_flag flag_;
    };

    class Locked {
      public:
        explicit Locked(Lock &lock) : lock_(lock) {
            while (lock_.flag_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
        }
        ~Locked() { lock_.flag_.clear(std::memory_order_release); }
        Locked(const Locked &) = delete;
        Locked &operator=(const Locked &) = delete;

      private:
        Lock &lock_;
    };

    mutable Lock lock_;
    Shared function_;
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_CALLBACK_H
