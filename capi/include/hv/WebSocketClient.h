/// Clients of WebSocket.
#ifndef HV_WEBSOCKET_CLIENT_H_
#define HV_WEBSOCKET_CLIENT_H_

#include "EventLoopThread.h"
#include "HttpMessage.h"
#include "WebSocketChannel.h"
#include "detail/held.h"
#include "detail/owner.h"

namespace hv {

/// A client with a thread and a loop of its own, or on a loop that it is given. Any thread may call it. After the
/// destructor has returned none of its callbacks runs; it waits for one that does, unless that is what calls it. A
/// class that inherits it, and is called back, calls `stop` in its own destructor, or is deleted by
/// `deleteInLoop`. One with its own loop drops its callbacks as that ends, since these may hold the client.
class WebSocketClient : private EventLoopThread {
  public:
    std::string url;
    detail::Callback<void()> onopen;
    /// Each attempt, and each connection, ends with one.
    detail::Callback<void()> onclose;
    detail::Callback<void(const std::string &)> onmessage;

    WebSocketClient(EventLoopPtr loop = nullptr)
        : EventLoopThread(loop), reconn_setting(NULL), connect_timeout(0), tls(false), is_loop_owner_(!loop),
          client_(NULL), tls_(NULL), reconn_(), ping_interval_(-1), opcode_(WS_OPCODE_CLOSE), delay_(0),
          owner_(std::make_shared<detail::Owner<WebSocketClient>>(this)) {
        make();
    }

    virtual ~WebSocketClient() {
        owner_->forget();
        hvloop_ws_client_free(client_);
        if (is_loop_owner_) EventLoopThread::stop(true);
        hvloop_tls_client_release(tls_);
    }

    const EventLoopPtr &loop() { return EventLoopThread::loop(); }

    /// Connects to a ws or wss URL. If the client is open, or waits to connect again, that is closed first. 0, or a
    /// negative number: nothing was begun.
    int open(const char *address, const http_headers &headers = DefaultHeaders) {
        renew();
        url = address;
        hvloop_ws_client_clear_headers(client_);
        if (http_req_) set_headers(http_req_->headers);
        set_headers(headers);
        if (connect_timeout > 0) hvloop_ws_client_set_open_timeout(client_, connect_timeout);
        // Not said: hvloop's own interval.
        if (ping_interval_ >= 0) hvloop_ws_client_set_ping_interval(client_, ping_interval_);
        if (is_loop_owner_) start_thread();
        const int error = hvloop_ws_client_open(client_, address);
        // Nothing of this object is used any more: a callback may have deleted it by now.
        if (error != 0) detail::failed("WebSocketClient::open");
        return error;
    }

    /// Closes with code 1000, and does not connect again.
    int close() { return hvloop_ws_client_close(client_, 1000, NULL); }
    void closesocket() { close(); }

    /// Closes, and ends the loop if it is the client's own.
    void stop(bool wait_threads_stopped = true) {
        close();
        if (is_loop_owner_) EventLoopThread::stop(wait_threads_stopped);
    }
    /// Opens the last URL again.
    void start(bool wait_threads_started = true) {
        (void)wait_threads_started;
        if (!url.empty()) open(url.c_str());
    }

    /// Deletes it on its loop's thread, or here if the loop takes no more.
    void deleteInLoop() {
        hvloop_task last = {NULL, NULL, NULL};
        last.call = [](void *) {};
        // Comes in any case, and once.
        last.drop = [](void *client) {
            HVLOOP_TRY { delete static_cast<WebSocketClient *>(client); }
            HVLOOP_CAUGHT("destructor")
        };
        last.data = this;
        hvloop_loop_run_in_loop(loop()->loop(), last);
    }

    /// A text. How many bytes, or -1.
    int send(const std::string &msg) { return send(msg.data(), static_cast<int>(msg.size()), WS_OPCODE_TEXT); }
    int send(const char *buf, int len, enum ws_opcode code = WS_OPCODE_BINARY) {
        if (len < 0) return -1;
        const int64_t sent = hvloop_ws_client_send(client_, static_cast<int>(code), buf, static_cast<size_t>(len));
        return sent < 0 ? -1 : static_cast<int>(sent);
    }

    /// Whether messages go both ways.
    bool isConnected() { return hvloop_ws_client_state(client_) == HVLOOP_WS_STATE_OPEN; }
    /// That of the message in hand.
    enum ws_opcode opcode() { return opcode_; }

    /// A Ping when nothing came for so long; 0: never. From the next open on.
    void setPingInterval(int ms) { ping_interval_ = ms > 0 ? ms : 0; }
    void setConnectTimeout(int ms) { connect_timeout = ms; }

    /// By which delays it connects again; NULL: it does not. It holds at once. The setting is copied.
    void setReconnect(reconn_setting_t *setting) {
        if (setting) {
            reconn_ = *setting;
            reconn_.cur_delay = 0;
            reconn_.cur_retry_cnt = 0;
        }
        reconn_setting = setting ? &reconn_ : NULL;
        reconnect();
    }
    bool isReconnect() { return reconn_setting && reconn_setting->cur_retry_cnt > 0; }

    /// How wss is spoken: see hssl.h. Without a call the server is verified by the system's roots.
    int withTLS(hssl_ctx_opt_t *opt = NULL) {
        hvloop_tls_client *const made = hvloop_tls_client_from(opt);
        if (!made) {
            detail::failed("WebSocketClient::withTLS");
            return -1;
        }
        hvloop_tls_client_release(tls_);
        tls_ = made;
        tls = true;
        return hvloop_ws_client_set_tls(client_, tls_, NULL);
    }

    /// Its headers go with each upgrade. The method is GET, as the protocol has it.
    void setHttpRequest(const HttpRequestPtr &req) { http_req_ = req; }
    /// What the server answered to the last upgrade. Never NULL.
    const HttpResponsePtr &getHttpResponse() { return http_resp_; }

    /// That of the last connection.
    WebSocketChannelPtr channel;
    reconn_setting_t *reconn_setting;
    int connect_timeout;
    bool tls;

    /// What the end of its loop drops.
    struct Dropped {
        detail::Callback<void()> open, close;
        detail::Callback<void(const std::string &)> message;
    };

    void takeCallbacks(Dropped &dropped) {
        dropped.open.swap(onopen);
        dropped.close.swap(onclose);
        dropped.message.swap(onmessage);
    }

  private:
    typedef detail::Held<WebSocketChannel> Channels;

    void make() {
        http_resp_ = std::make_shared<HttpResponse>();
        client_ = hvloop_ws_client_new(loop()->loop());
        if (!client_) detail::failed("WebSocketClient");
        hvloop_ws_callbacks calls = hvloop_ws_callbacks();
        calls.on_open = &on_open;
        calls.on_message = &on_message;
        calls.on_close = &on_close;
        calls.data = this;
        hvloop_ws_client_set_callbacks(client_, calls);
    }

    /// With a loop of its own that has ended it gets another one: what was set is set again.
    void renew() {
        if (!is_loop_owner_ || !EventLoopThread::renew()) return;
        hvloop_ws_client *const before = client_;
        make();
        hvloop_ws_client_free(before);
        if (tls_) hvloop_ws_client_set_tls(client_, tls_, NULL);
        reconnect();
    }

    void start_thread() {
        if (isRunning()) return;
        const std::shared_ptr<detail::Owner<WebSocketClient>> owner = owner_;
        EventLoopThread::start(true, Functor(), [owner]() {
            owner->ended();
            return 0;
        });
    }

    void reconnect() {
        hvloop_reconnect policy;
        if (reconn_setting) hvloop_reconnect_from(reconn_setting, &policy);
        if (hvloop_ws_client_set_reconnect(client_, reconn_setting ? &policy : NULL) != 0) {
            detail::failed("WebSocketClient::setReconnect");
        }
    }

    void set_headers(const http_headers &headers) {
        for (http_headers::const_iterator it = headers.begin(); it != headers.end(); ++it) {
            const bool protocols = strcasecmp(it->first.c_str(), "Sec-WebSocket-Protocol") == 0;
            const int error = protocols ? hvloop_ws_client_set_subprotocols(client_, it->second.c_str())
                                        : hvloop_ws_client_set_header(client_, it->first.c_str(), it->second.c_str());
            if (error != 0) detail::failed("WebSocketClient::open");
        }
    }

    /// The counters of libhv's setting: the retries so far, and the delay before this one.
    void count() {
        reconn_.cur_retry_cnt = static_cast<uint32_t>(hvloop_ws_client_retries(client_));
        reconn_.cur_delay = reconn_.cur_retry_cnt > 0 ? delay_ : 0;
        const int64_t delay = hvloop_ws_client_next_delay(client_);
        if (delay > 0) delay_ = static_cast<uint32_t>(delay);
    }

    static void on_open(void *data, hvloop_io *io, const hvloop_http_request *, const hvloop_http_response *answer) {
        HVLOOP_TRY {
            WebSocketClient *const client = static_cast<WebSocketClient *>(data);
            client->count();
            const HttpResponsePtr response = std::make_shared<HttpResponse>();
            if (answer) response->assign(answer);
            client->http_resp_ = response;
            const WebSocketChannelPtr channel = Channels::open(WebSocketChannelPtr(), io);
            client->channel = channel;
            if (client->onopen) client->onopen();
            return;
        }
        HVLOOP_CAUGHT("onopen")
        hvloop_io_close(io);
    }

    static void on_message(void *data, hvloop_io *io, int opcode, const void *bytes, size_t size) {
        HVLOOP_TRY {
            WebSocketClient *const client = static_cast<WebSocketClient *>(data);
            const WebSocketChannelPtr channel = Channels::of(io);
            if (!channel) return;
            client->opcode_ = channel->opcode = static_cast<enum ws_opcode>(opcode);
            const std::string message(static_cast<const char *>(bytes), size);
            if (client->onmessage) client->onmessage(message);
            return;
        }
        HVLOOP_CAUGHT("onmessage")
        hvloop_io_close(io);
    }

    static void on_close(void *data, hvloop_io *io, int, const char *, int error, const char *) {
        HVLOOP_TRY {
            WebSocketClient *const client = static_cast<WebSocketClient *>(data);
            client->count();
            const WebSocketChannelPtr channel = Channels::of(io);
            if (channel) channel->detach(error);
            else client->answered();
            if (client->onclose) client->onclose();
            if (channel) channel->dropCallbacks();
        }
        HVLOOP_CAUGHT("onclose")
    }

    /// It never was open: the server may have said why.
    void answered() {
        hvloop_http_response *const answer = hvloop_ws_client_response(client_);
        const HttpResponsePtr response = std::make_shared<HttpResponse>();
        if (answer) response->assign(answer);
        hvloop_http_response_free(answer);
        http_resp_ = response;
    }

    bool is_loop_owner_;
    hvloop_ws_client *client_;
    hvloop_tls_client *tls_;
    reconn_setting_t reconn_;
    int ping_interval_;
    std::atomic<enum ws_opcode> opcode_;
    uint32_t delay_;
    HttpRequestPtr http_req_;
    HttpResponsePtr http_resp_;
    std::shared_ptr<detail::Owner<WebSocketClient>> owner_;
};

} // namespace hv

#endif // HV_WEBSOCKET_CLIENT_H_
