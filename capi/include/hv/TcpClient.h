/// Clients of TCP, TLS and Unix streams.
#ifndef HV_TCP_CLIENT_HPP_
#define HV_TCP_CLIENT_HPP_

#include "Channel.h"
#include "EventLoopThread.h"
#include "detail/held.h"
#include "detail/late.h"
#include "detail/owner.h"

namespace hv {

/// A client on somebody's loop, or on one that somebody will run: one connection at a time, and policies by which
/// another one follows it. After the destructor has returned none of its callbacks runs; it waits for one that does,
/// unless that is what calls it.
///
/// A class that inherits it, and is called back, has to call `closesocket` and to end its callbacks before its own
/// members go: `deleteInLoop` does so, as it deletes on the loop's thread.
template <class TSocketChannel = SocketChannel> class TcpClientEventLoopTmpl {
  public:
    typedef std::shared_ptr<TSocketChannel> TSocketChannelPtr;

    TcpClientEventLoopTmpl(EventLoopPtr loop = nullptr)
        : remote_port(0), remote_addr(), connect_timeout(0), tls(false), tls_setting(NULL), reconn_setting(NULL),
          unpack_setting(NULL), loop_(loop ? loop : std::make_shared<EventLoop>()), client_(NULL), tls_(NULL),
          reconn_(), unpack_(), delay_(0),
          late_(std::make_shared<detail::Late<TcpClientEventLoopTmpl>>(this)) {
        make();
    }

    virtual ~TcpClientEventLoopTmpl() {
        end();
        hvloop_tls_client_release(tls_);
        detail::Held<TSocketChannel>::abandon(unused_);
    }

    TcpClientEventLoopTmpl(const TcpClientEventLoopTmpl &) = delete;
    TcpClientEventLoopTmpl &operator=(const TcpClientEventLoopTmpl &) = delete;

    const EventLoopPtr &loop() { return loop_; }

    /// Deletes it on its loop's thread, or here if the loop takes no more.
    void deleteInLoop() {
        hvloop_task last = {NULL, NULL, NULL};
        last.call = [](void *) {};
        // Comes in any case, and once.
        last.drop = [](void *client) {
            HVLOOP_TRY { delete static_cast<TcpClientEventLoopTmpl *>(client); }
            HVLOOP_CAUGHT("destructor")
        };
        last.data = this;
        hvloop_loop_run_in_loop(loop_->loop(), last);
    }

    /// Where to connect to; a negative port: the host is the path of a Unix socket. The descriptor of the socket that is
    /// made for it, or a negative number. A name is looked up here.
    int createsocket(int port, const char *host = "127.0.0.1") {
        renew();
        remote_host = host ? host : "";
        remote_port = port;
        return socket();
    }
    int createsocket(struct sockaddr *address) {
        char text[SOCKADDR_STRLEN] = {0};
        sockaddr_u *const given = reinterpret_cast<sockaddr_u *>(address);
        if (address->sa_family == AF_UNIX) return createsocket(-1, given->sun.sun_path);
        sockaddr_ip(given, text, static_cast<int>(sizeof(text)));
        return createsocket(sockaddr_port(given), text);
    }

    /// The client's own end, after `createsocket`. 0, or a negative number.
    int bind(int local_port, const char *local_host = "0.0.0.0") {
        return hvloop_tcp_client_bind(client_, local_host, local_port);
    }
    int bind(struct sockaddr *address) {
        char text[SOCKADDR_STRLEN] = {0};
        sockaddr_u *const given = reinterpret_cast<sockaddr_u *>(address);
        sockaddr_ip(given, text, static_cast<int>(sizeof(text)));
        return bind(sockaddr_port(given), text);
    }

    /// Ends the connection, and connects no more.
    void closesocket() {
        late_->take_back();
        setReconnect(NULL);
        hvloop_tcp_client_close(client_);
    }

    /// Begins to connect; `onConnection` says what became of it, once for each attempt. 0, or a negative number.
    int startConnect() {
        late_->take_back();
        again_ = false;
        hvloop_tcp_client_set_connect_timeout(client_, connect_timeout > 0 ? connect_timeout : -1);
        const int error = hvloop_tcp_client_connect(client_);
        if (error != 0) detail::failed("TcpClient::start");
        return error;
    }
    void start() { startConnect(); }

    /// Any thread.
    bool isConnected() { return hvloop_tcp_client_is_connected(client_) == 1; }

    /// All of it or nothing: how many bytes, or -1. Any thread.
    int send(const void *data, int size) {
        if (size < 0) return -1;
        const int64_t sent = hvloop_tcp_client_send(client_, data, static_cast<size_t>(size));
        return sent < 0 ? -1 : static_cast<int>(sent);
    }
    int send(Buffer *buf) { return send(buf->data(), static_cast<int>(buf->size())); }
    int send(const std::string &str) { return send(str.data(), static_cast<int>(str.size())); }

    /// Speaks TLS, and verifies the server unless it is told not to: see hssl.h. 0, or a negative number.
    int withTLS(hssl_ctx_opt_t *opt = NULL) {
        hvloop_tls_client *const made = hvloop_tls_client_from(opt);
        if (!made) {
            detail::failed("TcpClient::withTLS");
            return -1;
        }
        hvloop_tls_client_release(tls_);
        tls_ = made;
        tls = true;
        return hvloop_tcp_client_set_tls(client_, tls_, NULL);
    }

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
    /// Whether an attempt, or a connection, is not the first one.
    bool isReconnect() { return reconn_setting && reconn_setting->cur_retry_cnt > 0; }

    /// How messages are cut; NULL: not at all. The setting is copied.
    void setUnpack(unpack_setting_t *setting) {
        if (setting) unpack_ = *setting;
        unpack_setting = setting ? &unpack_ : NULL;
        unpack();
    }

    /// That of the last attempt.
    TSocketChannelPtr channel;

    std::string remote_host;
    int remote_port;
    sockaddr_u remote_addr;

    int connect_timeout;
    bool tls;
    hssl_ctx_opt_t *tls_setting;
    reconn_setting_t *reconn_setting;
    unpack_setting_t *unpack_setting;

    /// It came up, or it ended, or it never came up: `channel->isConnected()` says which.
    detail::Callback<void(const TSocketChannelPtr &)> onConnection;
    detail::Callback<void(const TSocketChannelPtr &, Buffer *)> onMessage;
    /// All was written: so many bytes since the last time.
    detail::Callback<void(const TSocketChannelPtr &, Buffer *)> onWriteComplete;

  protected:
    /// A client whose own loop has ended gets another one.
    virtual void renew() {}

    /// On another loop from now on: what was set is set again.
    void move(const EventLoopPtr &loop) {
        hvloop_tcp_client *const before = client_;
        loop_ = loop;
        make();
        hvloop_tcp_client_free(before);
        if (tls_) hvloop_tcp_client_set_tls(client_, tls_, NULL);
        reconnect();
        unpack();
    }

    /// No callback runs any more, and none will.
    void end() {
        late_->forget();
        hvloop_tcp_client_free(client_);
        client_ = NULL;
    }

    /// Where it connects to is said again.
    int socket() {
        const int fd = hvloop_tcp_client_socket(client_, remote_host.c_str(), remote_port);
        if (fd < 0) {
            detail::failed("TcpClient::createsocket");
            return fd;
        }
        detail::Held<TSocketChannel>::abandon(unused_);
        unused_ = next(fd);
        channel = unused_;
        return fd;
    }

  private:
    typedef TcpClientEventLoopTmpl<TSocketChannel> This;
    friend struct detail::StreamCalls<This, TSocketChannel>;

    void make() {
        client_ = hvloop_tcp_client_new(loop_->loop());
        if (!client_) detail::failed("TcpClient");
        hvloop_tcp_client_set_callbacks(client_, detail::StreamCalls<This, TSocketChannel>::table(this));
    }

    void reconnect() {
        hvloop_reconnect policy;
        if (reconn_setting) hvloop_reconnect_from(reconn_setting, &policy);
        if (hvloop_tcp_client_set_reconnect(client_, reconn_setting ? &policy : NULL) != 0) {
            detail::failed("TcpClient::setReconnect");
        }
    }

    void unpack() {
        hvloop_unpack rule;
        if (unpack_setting && hvloop_unpack_from(unpack_setting, &rule) != 0) {
            hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "TcpClient::setUnpack: hvloop does not cut messages that way");
            return;
        }
        if (hvloop_tcp_client_set_unpack(client_, unpack_setting ? &rule : NULL) != 0) {
            detail::failed("TcpClient::setUnpack");
        }
    }

    /// A channel for the next attempt.
    TSocketChannelPtr next(int fd) {
        TSocketChannelPtr made = detail::Held<TSocketChannel>::make(loop_->loop(), fd);
        if (made) {
            made->status = Channel::CONNECTING;
            made->setPeeraddr(remote_port < 0 ? remote_host : host_text(remote_host, remote_port));
        }
        return made;
    }

    static std::string host_text(const std::string &host, int port) {
        const bool six = host.find(':') != std::string::npos;
        return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
    }

    TSocketChannelPtr take() {
        TSocketChannelPtr taken;
        taken.swap(unused_);
        return taken;
    }

    /// The counters of libhv's setting: the retries so far, and the delay before this one.
    void count() {
        const int64_t retries = hvloop_tcp_client_retries(client_) + (again_ ? 1 : 0);
        reconn_.cur_retry_cnt = retries > 0 ? static_cast<uint32_t>(retries) : 0;
        reconn_.cur_delay = retries > 0 ? delay_ : 0;
        const int64_t delay = hvloop_tcp_client_next_delay(client_);
        if (delay > 0) delay_ = static_cast<uint32_t>(delay);
    }

    TSocketChannelPtr opened(hvloop_io *io) {
        count();
        TSocketChannelPtr made = take();
        if (!made) made = next(hvloop_io_fd(io));
        made = detail::Held<TSocketChannel>::open(made, io);
        channel = made;
        return made;
    }

    TSocketChannelPtr closed(hvloop_io *io, int error) {
        count();
        TSocketChannelPtr ended = detail::Held<TSocketChannel>::of(io);
        if (!io) {
            // It never came up.
            ended = take();
            if (!ended) ended = next(-1);
            channel = ended;
            if (ended) {
                hio_t *const gone = ended->io_;
                ended->detach(error);
                hvloop_hio_free(gone);
            }
        } else {
            if (ended) ended->detach(error);
            if (error == 0) reconnect_after_close();
        }
        return ended;
    }

    /// hvloop leaves a client alone whose connection the program has closed itself; libhv's connects again, and
    /// programs close a connection to get a new one.
    void reconnect_after_close() {
        if (!reconn_setting || hvloop_tcp_client_next_delay(client_) != 0 || !loop_->isRunning()) return;
        reconn_setting_t next = reconn_;
        if (!reconn_setting_can_retry(&next)) return;
        delay_ = reconn_setting_calc_delay(&next);
        detail::Late<TcpClientEventLoopTmpl>::set(late_, loop_.get(), static_cast<int>(delay_), [](TcpClientEventLoopTmpl *client) {
            client->again_ = hvloop_tcp_client_connect(client->client_) == 0;
        });
    }

    EventLoopPtr loop_;
    hvloop_tcp_client *client_;
    hvloop_tls_client *tls_;
    reconn_setting_t reconn_;
    unpack_setting_t unpack_;
    uint32_t delay_;
    std::shared_ptr<detail::Late<TcpClientEventLoopTmpl>> late_;
    /// The session was begun in the place of one that the program has closed itself.
    bool again_ = false;
    /// Made by `createsocket` for the attempt that follows.
    TSocketChannelPtr unused_;
};

/// A client with a thread and a loop of its own, or on a loop that it is given. It can be started again after a stop;
/// one with its own loop drops its callbacks as that ends, since these may hold the client.
template <class TSocketChannel = SocketChannel>
class TcpClientTmpl : private EventLoopThread, public TcpClientEventLoopTmpl<TSocketChannel> {
  public:
    typedef TcpClientEventLoopTmpl<TSocketChannel> Base;

    TcpClientTmpl(EventLoopPtr loop = nullptr)
        : EventLoopThread(loop), Base(EventLoopThread::loop()), is_loop_owner(!loop),
          owner_(std::make_shared<detail::Owner<TcpClientTmpl>>(this)) {}

    virtual ~TcpClientTmpl() {
        owner_->forget();
        Base::end();
        if (is_loop_owner) EventLoopThread::stop(true);
    }

    const EventLoopPtr &loop() { return EventLoopThread::loop(); }

    /// On a loop of somebody else's it begins as soon as that runs.
    void start(bool wait_threads_started = true) {
        renew();
        if (is_loop_owner && !isRunning()) {
            const std::shared_ptr<detail::Owner<TcpClientTmpl>> owner = owner_;
            EventLoopThread::start(wait_threads_started, Functor(), [owner]() {
                owner->ended();
                return 0;
            });
        }
        Base::start();
    }

    /// Ends the connection, and the loop if it is the client's own.
    void stop(bool wait_threads_stopped = true) {
        Base::closesocket();
        if (is_loop_owner) EventLoopThread::stop(wait_threads_stopped);
    }

    /// What the end of its loop drops.
    struct Dropped {
        detail::Callback<void(const typename Base::TSocketChannelPtr &)> connection;
        detail::Callback<void(const typename Base::TSocketChannelPtr &, Buffer *)> message, written;
    };

    void takeCallbacks(Dropped &dropped) {
        dropped.connection.swap(this->onConnection);
        dropped.message.swap(this->onMessage);
        dropped.written.swap(this->onWriteComplete);
    }

  protected:
    void renew() {
        if (!is_loop_owner || !EventLoopThread::renew()) return;
        Base::move(EventLoopThread::loop());
        if (!this->remote_host.empty()) Base::socket();
    }

  private:
    bool is_loop_owner;
    std::shared_ptr<detail::Owner<TcpClientTmpl>> owner_;
};

typedef TcpClientTmpl<SocketChannel> TcpClient;

} // namespace hv

#endif // HV_TCP_CLIENT_HPP_
