/// Names of timers, and what loops call.
#ifndef HV_EVENT_HPP_
#define HV_EVENT_HPP_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "hloop.h"
#include "hsocket.h"

namespace hv {

struct Event;

typedef uint64_t TimerID;
typedef uint64_t DnsID;
typedef std::function<void(Event *)> EventCallback;
typedef std::function<void(TimerID)> TimerCallback;
/// The status, 0 or an error, and the addresses.
typedef std::function<void(int status, int naddrs, const sockaddr_u *addrs)> DnsCallback;

/// What `EventLoop::postEvent` hands to its callback.
struct Event {
    hevent_t event;
    EventCallback cb;

    explicit Event(EventCallback callback = EventCallback()) : event(), cb(std::move(callback)) {}
};

typedef std::shared_ptr<Event> EventPtr;

} // namespace hv

#ifndef INVALID_TIMER_ID
#define INVALID_TIMER_ID ((hv::TimerID)-1)
#endif
#ifndef INVALID_DNS_ID
#define INVALID_DNS_ID ((hv::DnsID)0)
#endif

#endif // HV_EVENT_HPP_
