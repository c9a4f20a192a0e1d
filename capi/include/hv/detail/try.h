/// Keeps exceptions of callbacks in: none may pass through the C ABI.
///
/// `HVLOOP_TRY { ... } HVLOOP_CAUGHT(thrower)` runs the block. An exception is logged, `thrower` being what threw it;
/// then the statement after the macro runs. Without exceptions (`-fno-exceptions`) there are none to keep in.
#ifndef HVLOOP_HV_DETAIL_TRY_H
#define HVLOOP_HV_DETAIL_TRY_H

#include "../../hvloop.h"

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)

#include <exception>
#include <string>

#if defined(__GLIBCXX__) || defined(__GLIBCPP__)
#include <cxxabi.h>
// The thread is cancelled, or ends by pthread_exit: not ours to keep.
#define HVLOOP_FORCED_UNWIND catch (abi::__forced_unwind &) { throw; }
#else
#define HVLOOP_FORCED_UNWIND
#endif

namespace hv {
namespace detail {

inline void caught(const char *what, const char *text) {
    const std::string line = std::string("a ") + what + " threw: " + text;
    hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, line.c_str());
}

} // namespace detail
} // namespace hv

#define HVLOOP_TRY try
#define HVLOOP_CAUGHT(thrower)                                                                        \
    HVLOOP_FORCED_UNWIND                                                                           \
    catch (const std::exception &hvloop_caught) {                                                  \
        ::hv::detail::caught(thrower, hvloop_caught.what());                                          \
    }                                                                                              \
    catch (...) {                                                                                  \
        ::hv::detail::caught(thrower, "something that is no std::exception");                         \
    }

#else

#define HVLOOP_TRY
#define HVLOOP_CAUGHT(thrower)

#endif

#endif // HVLOOP_HV_DETAIL_TRY_H
