/// Whether these headers and the library that the program was linked with belong together, and what to say if a
/// function failed where there is nobody to be told.
#ifndef HVLOOP_HV_DETAIL_ABI_H
#define HVLOOP_HV_DETAIL_ABI_H

#include <string>

#include "../hplatform.h"

#include "../../hvloop.h"

namespace hv {
namespace detail {

/// Logs what failed last on this thread.
inline void failed(const char *what) {
    const std::string line = std::string(what) + ": " + hvloop_last_error();
    hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, line.c_str());
}

/// Whether the library has the version that these headers were written for. It is said once if it has another.
inline bool right_version() {
    static const bool right = [] {
        const int version = hvloop_abi_version();
        if (version == HVLOOP_ABI_VERSION) return true;
        const std::string line = "these headers are of version " + std::to_string(HVLOOP_ABI_VERSION) +
                                 " of hvloop's ABI, and the library has version " + std::to_string(version) +
                                 ": build the program again";
        hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, line.c_str());
        return false;
    }();
    return right;
}

/// A loop with the defaults. NULL: it is said in the log why not.
inline hvloop_loop *new_loop() {
    if (!right_version()) return NULL;
    hvloop_loop *const made = hvloop_loop_new(NULL);
    if (!made) failed("EventLoop");
    return made;
}

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_ABI_H
