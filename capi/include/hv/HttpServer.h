/// Servers of HTTP: for a small API beside a WebSocket, or alone.
#ifndef HV_HTTP_SERVER_H_
#define HV_HTTP_SERVER_H_

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <string>

#include "detail/http_core.h"
#include "hssl.h"

/// A server, as it is to be, or as it runs.
typedef struct http_server_s {
    char host[64];
    int port;
    int https_port;
    int http_version;
    int worker_processes; /* an error but for 0 and 1 */
    int worker_threads;
    uint32_t worker_connections;
    hv::HttpService *service;
    hv::WebSocketService *ws;
    void *userdata;
    int listenfd[2]; /* listeners that were made elsewhere: plain, and with TLS */
    void *privdata;
    std::function<void()> onWorkerStart;
    std::function<void()> onWorkerStop;
    hssl_ctx_t ssl_ctx;

    http_server_s()
        : port(0), https_port(0), http_version(1), worker_processes(0), worker_threads(0), worker_connections(1024),
          service(NULL), ws(NULL), userdata(NULL), privdata(NULL), ssl_ctx(NULL) {
        strcpy(host, "0.0.0.0");
        listenfd[0] = listenfd[1] = -1;
    }
} http_server_t;

/// Ends its connections and its threads. 0.
inline int http_server_stop(http_server_t *server) {
    hv::detail::HttpCore *const core = static_cast<hv::detail::HttpCore *>(server->privdata);
    server->privdata = NULL;
    delete core;
    return 0;
}

namespace hv {
namespace detail {

/// One listener: one that was made elsewhere, or at a port. Whether it serves, or is not wanted.
inline bool listen(http_server_t *server, HttpCore *core, int which, int port, const hvloop_tls_server *tls) {
    if (port <= 0 && server->listenfd[which] < 0) return true;
    if (hvloop_ws_server_set_tls(core->server(), tls) != 0) return false;
    const int fd = server->listenfd[which] >= 0
                       ? hvloop_ws_server_from_fd(core->server(), server->listenfd[which])
                       : hvloop_ws_server_socket(core->server(), server->host, port, 0);
    server->listenfd[which] = -1;
    return fd >= 0 && hvloop_ws_server_start(core->server()) == 0;
}

} // namespace detail
} // namespace hv

/// Starts it, and, with `wait`, serves until it is stopped elsewhere. 0, or a negative number.
inline int http_server_run(http_server_t *server, int wait = 1) {
    using namespace hv::detail;
    if (server->worker_processes > 1) {
        hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "http_server_run: one process serves: set worker_threads");
        return -1;
    }
    if (server->privdata || !right_version()) return -1;
    HttpCore *const core = new HttpCore(server->service, server->ws, server->worker_threads);
    server->privdata = core;
    const hvloop_tls_server *const tls = static_cast<hvloop_tls_server *>(server->ssl_ctx);
    hvloop_ws_server_set_max_connections(core->server(), server->worker_connections);
    bool runs = core->run(server->onWorkerStart, server->onWorkerStop) == 0;
    runs = runs && listen(server, core, 0, server->port, NULL);
    if (runs && (server->https_port > 0 || server->listenfd[1] >= 0)) {
        if (tls) runs = listen(server, core, 1, server->https_port, tls);
        else hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "http_server_run: https_port needs newSslCtx");
    }
    if (!runs) {
        failed("http_server_run");
        http_server_stop(server);
        return -1;
    }
    if (wait) core->join();
    return 0;
}

namespace hv {

/// A server, with a thread that accepts, and threads that serve. Its services have to outlive it.
class HttpServer : public http_server_t {
  public:
    HttpServer(HttpService *http = NULL) { service = http; }
    ~HttpServer() {
        stop();
        hvloop_tls_server_release(static_cast<hvloop_tls_server *>(ssl_ctx));
    }

    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;

    /// Before the start.
    void registerHttpService(HttpService *http) { service = http; }

    /// That of a worker; without a number, the acceptor's. NULL before the start.
    EventLoopPtr loop(int idx = -1) { return privdata ? core()->loop(idx) : EventLoopPtr(); }

    void setHost(const char *address = "0.0.0.0") { snprintf(host, sizeof(host), "%s", address ? address : "0.0.0.0"); }
    void setPort(int http_port = 0, int ssl_port = 0) {
        if (http_port >= 0) port = http_port;
        if (ssl_port >= 0) https_port = ssl_port;
    }
    void setListenFD(int fd = -1, int ssl_fd = -1) {
        if (fd >= 0) listenfd[0] = fd;
        if (ssl_fd >= 0) listenfd[1] = ssl_fd;
    }
    void setProcessNum(int num) { worker_processes = num; }
    void setThreadNum(int num) { worker_threads = num; }
    void setMaxWorkerConnectionNum(uint32_t num) { worker_connections = num; }
    size_t connectionNum() {
        const int64_t count = privdata ? hvloop_ws_server_count(core()->server()) : 0;
        return count > 0 ? static_cast<size_t>(count) : 0;
    }

    /// TLS at `https_port`: see hssl.h. 0, or a negative number.
    int newSslCtx(hssl_ctx_opt_t *opt) {
        hvloop_tls_server *const made = hvloop_tls_server_from(opt);
        if (!made) {
            detail::failed("HttpServer::newSslCtx");
            return -1;
        }
        hvloop_tls_server_release(static_cast<hvloop_tls_server *>(ssl_ctx));
        ssl_ctx = made;
        return 0;
    }

    /// At "host:port", or where it was set. With `wait` it serves until it is stopped elsewhere.
    int run(const char *ip_port = NULL, bool wait = true) {
        if (ip_port) {
            const NetAddr place(ip_port);
            if (!place.ip.empty()) setHost(place.ip.c_str());
            if (place.port > 0) port = place.port;
        }
        return http_server_run(this, wait);
    }
    int start(const char *ip_port = NULL) { return run(ip_port, false); }
    int stop() { return http_server_stop(this); }

  private:
    detail::HttpCore *core() { return static_cast<detail::HttpCore *>(privdata); }
};

} // namespace hv

#endif // HV_HTTP_SERVER_H_
