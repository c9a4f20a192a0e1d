/// Servers of TCP, TLS and Unix streams.
#ifndef HV_TCP_SERVER_HPP_
#define HV_TCP_SERVER_HPP_

#include <map>

#include "Channel.h"
#include "EventLoopThreadPool.h"
#include "detail/held.h"

namespace hv {

/// A server that accepts on somebody's loop, or on one that somebody will run. Its connections are there, too, or, with
/// `setThreadNum`, on loops of threads of its own. After the destructor has returned none of its callbacks runs; it
/// waits for those that do, unless one of them is what calls it.
template <class TSocketChannel = SocketChannel> class TcpServerEventLoopTmpl {
  public:
    typedef std::shared_ptr<TSocketChannel> TSocketChannelPtr;

    TcpServerEventLoopTmpl(EventLoopPtr loop = nullptr)
        : port(0), listenfd(-1), tls(false), tls_setting(NULL), unpack_setting(NULL), max_connections(0xFFFFFFFF),
          load_balance(LB_RoundRobin), acceptor_loop_(loop ? loop : std::make_shared<EventLoop>()), server_(NULL),
          tls_(NULL), unpack_(), workers_(0) {
        make();
    }

    virtual ~TcpServerEventLoopTmpl() {
        end();
        hvloop_tls_server_release(tls_);
    }

    TcpServerEventLoopTmpl(const TcpServerEventLoopTmpl &) = delete;
    TcpServerEventLoopTmpl &operator=(const TcpServerEventLoopTmpl &) = delete;

    /// That of a worker; without a number, the acceptor's.
    EventLoopPtr loop(int idx = -1) {
        if (idx >= 0 && idx < workers_.threadNum()) {
            const EventLoopPtr found = workers_.loop(idx);
            if (found) return found;
        }
        return acceptor_loop_;
    }

    /// Listens there; a negative port: the host is the path of a Unix socket. The descriptor, or a negative number. Port
    /// 0 becomes one that is free: see `port`.
    int createsocket(int listen_port, const char *listen_host = "0.0.0.0") {
        renew();
        const std::string place = listen_host ? listen_host : "";
        const int fd = hvloop_tcp_server_socket(server_, place.c_str(), listen_port, SOMAXCONN);
        if (fd < 0) {
            detail::failed("TcpServer::createsocket");
            return fd;
        }
        host = place;
        port = listen_port < 0 ? listen_port : hvloop_tcp_server_port(server_);
        listenfd = fd;
        return fd;
    }

    /// Takes a descriptor that listens already.
    void setListenFD(int fd) {
        renew();
        listenfd = hvloop_tcp_server_from_fd(server_, fd);
    }

    /// Accepts no more. Connections go on, and `start` listens again.
    void closesocket() {
        hvloop_tcp_server_close_listeners(server_);
        listenfd = -1;
    }

    void setMaxConnectionNum(uint32_t num) {
        max_connections = num;
        hvloop_tcp_server_set_max_connections(server_, num);
    }
    void setLoadBalance(load_balance_e lb) {
        load_balance = lb;
        balance();
    }
    /// How many threads connections are on, from the next start on; 0: they are on the acceptor's loop.
    void setThreadNum(int num) { workers_.setThreadNum(num); }

    /// 0, or a negative number.
    int startAccept() {
        if (listenfd < 0 && createsocket(port, host.c_str()) < 0) return -1;
        hvloop_tcp_server_set_max_connections(server_, max_connections);
        const int error = hvloop_tcp_server_start(server_);
        if (error != 0) {
            listenfd = -1;
            detail::failed("TcpServer::start");
        }
        return error;
    }
    int stopAccept() {
        closesocket();
        return 0;
    }

    void start(bool wait_threads_started = true) {
        if (workers_.threadNum() > 0) {
            workers_.start(wait_threads_started);
            hvloop_tcp_server_set_workers(server_, workers_.pool());
        }
        startAccept();
    }

    /// Ends the connections in order, and the threads of the workers.
    void stop(bool wait_threads_stopped = true) {
        hvloop_tcp_server_stop(server_);
        listenfd = -1;
        if (workers_.threadNum() > 0) workers_.stop(wait_threads_stopped);
    }

    /// Speaks TLS. 0, or a negative number.
    int withTLS(hssl_ctx_opt_t *opt = NULL) {
        hvloop_tls_server *const made = hvloop_tls_server_from(opt);
        if (!made) {
            detail::failed("TcpServer::withTLS");
            return -1;
        }
        hvloop_tls_server_release(tls_);
        tls_ = made;
        tls = true;
        return hvloop_tcp_server_set_tls(server_, tls_);
    }

    /// How messages are cut; NULL: not at all. The setting is copied.
    void setUnpack(unpack_setting_t *setting) {
        if (setting) unpack_ = *setting;
        unpack_setting = setting ? &unpack_ : NULL;
        unpack();
    }

    /// Any thread.
    TSocketChannelPtr getChannelById(uint32_t id) {
        std::lock_guard<std::mutex> lock(mutex_);
        const typename std::map<uint32_t, TSocketChannelPtr>::iterator found = channels_.find(id);
        return found == channels_.end() ? TSocketChannelPtr() : found->second;
    }
    size_t connectionNum() {
        std::lock_guard<std::mutex> lock(mutex_);
        return channels_.size();
    }
    /// With those that are there now, on this thread, and nothing locked. How many.
    int foreachChannel(std::function<void(const TSocketChannelPtr &channel)> fn) {
        std::vector<TSocketChannelPtr> all;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            for (typename std::map<uint32_t, TSocketChannelPtr>::iterator it = channels_.begin();
                 it != channels_.end(); ++it) {
                all.push_back(it->second);
            }
        }
        for (size_t i = 0; i < all.size(); ++i) fn(all[i]);
        return static_cast<int>(all.size());
    }
    /// To all that are open. To how many.
    int broadcast(const void *data, int size) {
        if (size < 0) return -1;
        return static_cast<int>(hvloop_tcp_server_broadcast(server_, data, static_cast<size_t>(size)));
    }
    int broadcast(const std::string &str) { return broadcast(str.data(), static_cast<int>(str.size())); }

    std::string host;
    int port;
    int listenfd;
    bool tls;
    hssl_ctx_opt_t *tls_setting;
    unpack_setting_t *unpack_setting;

    /// It came up, or it ended: `channel->isConnected()` says which. On the connection's thread, as all of them are.
    detail::Callback<void(const TSocketChannelPtr &)> onConnection;
    detail::Callback<void(const TSocketChannelPtr &, Buffer *)> onMessage;
    /// All was written: so many bytes since the last time.
    detail::Callback<void(const TSocketChannelPtr &, Buffer *)> onWriteComplete;

    uint32_t max_connections;
    load_balance_e load_balance;

  protected:
    /// A server whose own loop has ended gets another one.
    virtual void renew() {}

    /// Accepts on another loop from now on: what was set is set again.
    void move(const EventLoopPtr &loop) {
        hvloop_tcp_server *const before = server_;
        acceptor_loop_ = loop;
        listenfd = -1;
        make();
        hvloop_tcp_server_free(before);
        forget_all();
        if (tls_) hvloop_tcp_server_set_tls(server_, tls_);
        balance();
        unpack();
    }

    /// No callback runs any more, and none will.
    void end() {
        hvloop_tcp_server_free(server_);
        server_ = NULL;
        forget_all();
    }

  private:
    typedef TcpServerEventLoopTmpl<TSocketChannel> This;
    friend struct detail::StreamCalls<This, TSocketChannel>;

    void make() {
        server_ = hvloop_tcp_server_new(acceptor_loop_->loop());
        if (!server_) detail::failed("TcpServer");
        hvloop_tcp_server_set_callbacks(server_, detail::StreamCalls<This, TSocketChannel>::table(this));
    }

    /// What hvloop has no name for is one after the other.
    void balance() {
        const int known = load_balance == LB_Random             ? HVLOOP_LOAD_BALANCE_RANDOM
                          : load_balance == LB_LeastConnections ? HVLOOP_LOAD_BALANCE_LEAST_CONNECTIONS
                                                                : HVLOOP_LOAD_BALANCE_ROUND_ROBIN;
        hvloop_tcp_server_set_balance(server_, known);
    }

    void unpack() {
        hvloop_unpack rule;
        if (unpack_setting && hvloop_unpack_from(unpack_setting, &rule) != 0) {
            hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "TcpServer::setUnpack: hvloop does not cut messages that way");
            return;
        }
        if (hvloop_tcp_server_set_unpack(server_, unpack_setting ? &rule : NULL) != 0) {
            detail::failed("TcpServer::setUnpack");
        }
    }

    void forget_all() {
        std::map<uint32_t, TSocketChannelPtr> gone;
        std::lock_guard<std::mutex> lock(mutex_);
        gone.swap(channels_);
    }

    TSocketChannelPtr opened(hvloop_io *io) {
        const TSocketChannelPtr made = detail::Held<TSocketChannel>::open(TSocketChannelPtr(), io);
        if (made) {
            std::lock_guard<std::mutex> lock(mutex_);
            channels_[made->id()] = made;
        }
        return made;
    }

    TSocketChannelPtr closed(hvloop_io *io, int error) {
        const TSocketChannelPtr ended = detail::Held<TSocketChannel>::of(io);
        if (ended) {
            ended->detach(error);
            std::lock_guard<std::mutex> lock(mutex_);
            channels_.erase(ended->id());
        }
        return ended;
    }

    EventLoopPtr acceptor_loop_;
    hvloop_tcp_server *server_;
    hvloop_tls_server *tls_;
    unpack_setting_t unpack_;
    std::mutex mutex_;
    std::map<uint32_t, TSocketChannelPtr> channels_;
    EventLoopThreadPool workers_;
};

/// A server that accepts on a thread of its own, or on a loop that it is given. It can be started again after a stop.
template <class TSocketChannel = SocketChannel>
class TcpServerTmpl : private EventLoopThread, public TcpServerEventLoopTmpl<TSocketChannel> {
  public:
    typedef TcpServerEventLoopTmpl<TSocketChannel> Base;

    TcpServerTmpl(EventLoopPtr loop = nullptr)
        : EventLoopThread(loop), Base(EventLoopThread::loop()), is_loop_owner(!loop) {}

    virtual ~TcpServerTmpl() {
        Base::end();
        if (is_loop_owner) EventLoopThread::stop(true);
    }

    EventLoopPtr loop(int idx = -1) { return Base::loop(idx); }

    /// On a loop of somebody else's it begins as soon as that runs.
    void start(bool wait_threads_started = true) {
        renew();
        if (is_loop_owner && !isRunning()) EventLoopThread::start(wait_threads_started);
        Base::start(wait_threads_started);
    }

    /// Ends connections and threads, and the acceptor's loop if it is the server's own.
    void stop(bool wait_threads_stopped = true) {
        Base::stop(wait_threads_stopped);
        if (is_loop_owner) EventLoopThread::stop(wait_threads_stopped);
    }

  protected:
    void renew() {
        if (is_loop_owner && EventLoopThread::renew()) Base::move(EventLoopThread::loop());
    }

  private:
    bool is_loop_owner;
};

typedef TcpServerTmpl<SocketChannel> TcpServer;

} // namespace hv

#endif // HV_TCP_SERVER_HPP_
