/// Names of timers, and what they call.
#ifndef HV_EVENT_HPP_
#define HV_EVENT_HPP_

#include <cstdint>
#include <functional>

namespace hv {

typedef uint64_t TimerID;
typedef std::function<void(TimerID)> TimerCallback;

} // namespace hv

#ifndef INVALID_TIMER_ID
#define INVALID_TIMER_ID ((hv::TimerID)-1)
#endif

#endif // HV_EVENT_HPP_
