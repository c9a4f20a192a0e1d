/// A server of HTTP and WebSocket that runs: its loops, and hvloop's server on them.
#ifndef HVLOOP_HV_DETAIL_HTTP_CORE_H
#define HVLOOP_HV_DETAIL_HTTP_CORE_H

#include "../EventLoopThreadPool.h"
#include "../HttpService.h"
#include "../WebSocketService.h"
#include "held.h"

namespace hv {
namespace detail {

/// Made by a start, and gone with the stop: connections end in order, and have their `onclose`; after the
/// destructor has returned nothing is called any more.
class HttpCore {
  public:
    HttpCore(HttpService *http, WebSocketService *ws, int threads)
        : http_(http), ws_(ws), workers_(threads > 1 ? threads : 0),
          server_(hvloop_ws_server_new(acceptor_.loop()->loop())), service_(NULL) {}

    ~HttpCore() {
        hvloop_ws_server_stop(server_);
        if (workers_.threadNum() > 0) workers_.stop(true);
        acceptor_.stop(true);
        // In a callback of one of these threads nobody waited for it.
        hvloop_ws_server_free(server_);
        hvloop_ws_service_free(service_);
    }

    HttpCore(const HttpCore &) = delete;
    HttpCore &operator=(const HttpCore &) = delete;

    hvloop_ws_server *server() { return server_; }

    EventLoopPtr loop(int idx) {
        const EventLoopPtr found = idx >= 0 && idx < workers_.threadNum() ? workers_.loop(idx) : EventLoopPtr();
        return found ? found : acceptor_.loop();
    }

    /// Starts the loops, with these hooks on the threads that serve. 0, or a negative number.
    int run(const std::function<void()> &start, const std::function<void()> &stop) {
        if (workers_.threadNum() > 0) {
            workers_.start(true, [start](const EventLoopPtr &) { if (start) start(); },
                           [stop](const EventLoopPtr &) { if (stop) stop(); });
            hvloop_ws_server_set_workers(server_, workers_.pool());
            acceptor_.start();
        } else {
            acceptor_.start(true, hook(start), hook(stop));
        }
        hvloop_http_callback request = {NULL, NULL, NULL};
        request.call = &on_http;
        request.data = this;
        int error = hvloop_ws_server_on_http(server_, request);
        if (error == 0 && ws_) error = serve();
        return error;
    }

    void join() { acceptor_.join(); }

  private:
    static EventLoopThread::Functor hook(const std::function<void()> &called) {
        if (!called) return EventLoopThread::Functor();
        return [called]() {
            called();
            return 0;
        };
    }

    /// WebSockets at any path.
    int serve() {
        service_ = hvloop_ws_service_new();
        hvloop_ws_callbacks calls = hvloop_ws_callbacks();
        calls.on_open = &on_open;
        calls.on_message = &on_message;
        calls.on_close = &on_close;
        calls.data = this;
        hvloop_ws_service_set_callbacks(service_, calls);
        if (ws_->ping_interval > 0) hvloop_ws_service_set_ping_interval(service_, ws_->ping_interval);
        return hvloop_ws_server_route(server_, "*", service_);
    }

    static int on_http(void *data, const hvloop_http_request *request, hvloop_http_response *answer) {
        HVLOOP_TRY {
            HttpCore *const core = static_cast<HttpCore *>(data);
            if (!core->http_) return -1;
            const HttpContextPtr context = std::make_shared<HttpContext>();
            context->service = core->http_;
            context->request = std::make_shared<HttpRequest>();
            context->request->assign(request);
            context->response = std::make_shared<HttpResponse>();
            context->writer = std::make_shared<HttpResponseWriter>(context->response);
            core->http_->answer(context);
            context->response->put(answer);
            return 0;
        }
        HVLOOP_CAUGHT("handler")
        hvloop_http_response_set_status(answer, HTTP_STATUS_INTERNAL_SERVER_ERROR);
        return 0;
    }

    static void on_open(void *data, hvloop_io *io, const hvloop_http_request *request, const hvloop_http_response *) {
        HVLOOP_TRY {
            WebSocketService *const service = static_cast<HttpCore *>(data)->ws_;
            const WebSocketChannelPtr channel = Held<WebSocketChannel>::open(WebSocketChannelPtr(), io);
            if (!channel) return;
            channel->type = WS_SERVER;
            const HttpRequestPtr asked = std::make_shared<HttpRequest>();
            if (request) asked->assign(request);
            if (service->onopen) service->onopen(channel, asked);
            return;
        }
        HVLOOP_CAUGHT("onopen")
        hvloop_io_close(io);
    }

    static void on_message(void *data, hvloop_io *io, int opcode, const void *bytes, size_t size) {
        HVLOOP_TRY {
            WebSocketService *const service = static_cast<HttpCore *>(data)->ws_;
            const WebSocketChannelPtr channel = Held<WebSocketChannel>::of(io);
            if (!channel) return;
            channel->opcode = static_cast<enum ws_opcode>(opcode);
            const std::string message(static_cast<const char *>(bytes), size);
            if (service->onmessage) service->onmessage(channel, message);
            return;
        }
        HVLOOP_CAUGHT("onmessage")
        hvloop_io_close(io);
    }

    static void on_close(void *data, hvloop_io *io, int, const char *, int error, const char *) {
        HVLOOP_TRY {
            WebSocketService *const service = static_cast<HttpCore *>(data)->ws_;
            const WebSocketChannelPtr channel = Held<WebSocketChannel>::of(io);
            if (!channel) return;
            channel->detach(error);
            if (service->onclose) service->onclose(channel);
            channel->dropCallbacks();
        }
        HVLOOP_CAUGHT("onclose")
    }

    HttpService *http_;
    WebSocketService *ws_;
    EventLoopThread acceptor_;
    EventLoopThreadPool workers_;
    hvloop_ws_server *server_;
    hvloop_ws_service *service_;
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_HTTP_CORE_H
