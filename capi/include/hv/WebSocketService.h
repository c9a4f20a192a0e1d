/// What is called of a server's WebSockets.
#ifndef HV_WEBSOCKET_SERVICE_H_
#define HV_WEBSOCKET_SERVICE_H_

#include "HttpMessage.h"
#include "WebSocketChannel.h"
#include "detail/callback.h"

namespace hv {

/// Each on the thread of the connection's loop. It has to outlive the server.
struct WebSocketService {
    detail::Callback<void(const WebSocketChannelPtr &, const HttpRequestPtr &)> onopen;
    detail::Callback<void(const WebSocketChannelPtr &, const std::string &)> onmessage;
    detail::Callback<void(const WebSocketChannelPtr &)> onclose;
    /// Milliseconds; 0: hvloop's own.
    int ping_interval;

    WebSocketService() : ping_interval(0) {}

    /// A Ping when nothing came for so long. Before the server starts.
    void setPingInterval(int ms) { ping_interval = ms; }
};

} // namespace hv

#endif // HV_WEBSOCKET_SERVICE_H_
