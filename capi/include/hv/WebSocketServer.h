/// Servers of WebSocket, and of HTTP beside it.
#ifndef HV_WEBSOCKET_SERVER_H_
#define HV_WEBSOCKET_SERVER_H_

#include "HttpServer.h"
#include "WebSocketService.h"

/* Older programs fill the struct and run it. */
#define websocket_server_t http_server_t
#define websocket_server_run http_server_run
#define websocket_server_stop http_server_stop

namespace hv {

/// A server whose WebSockets, at any path, are a service's.
class WebSocketServer : public HttpServer {
  public:
    WebSocketServer(WebSocketService *sockets = NULL) { ws = sockets; }
    ~WebSocketServer() { stop(); }

    /// Before the start. It has to outlive the server.
    void registerWebSocketService(WebSocketService *sockets) { ws = sockets; }
};

} // namespace hv

#endif // HV_WEBSOCKET_SERVER_H_
