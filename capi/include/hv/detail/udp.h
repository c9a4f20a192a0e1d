/// What clients and servers of UDP have in common.
#ifndef HVLOOP_HV_DETAIL_UDP_H
#define HVLOOP_HV_DETAIL_UDP_H

#include "../Channel.h"
#include "../EventLoopThread.h"
#include "held.h"
#include "late.h"
#include "owner.h"

namespace hv {
namespace detail {

/// A datagram socket on a loop, with its channel and libhv's members.
template <class TSocketChannel> class Udp {
  public:
    typedef std::shared_ptr<TSocketChannel> TSocketChannelPtr;

    explicit Udp(EventLoopPtr loop)
        : loop_(loop ? loop : std::make_shared<EventLoop>()), udp_(NULL),
          late_(std::make_shared<Late<Udp>>(this)) {
        make();
    }

    virtual ~Udp() {
        end();
        Held<TSocketChannel>::abandon(channel);
    }

    Udp(const Udp &) = delete;
    Udp &operator=(const Udp &) = delete;

    const EventLoopPtr &loop() { return loop_; }

    /// Closes the socket behind what is queued.
    void closesocket() { hvloop_udp_close(udp_); }

    /// Reads from now on. 0, or a negative number.
    int startRecv() {
        const std::shared_ptr<Late<Udp>> late = late_;
        const int error = hvloop_udp_start(udp_);
        if (error != 0) {
            failed("Udp::start");
            return error;
        }
        // Its callbacks may be faster than this is: they have opened the channel, or even deleted the object.
        Late<Udp>::with(late, [](Udp *udp) {
            hvloop_io *const io = hvloop_udp_io(udp->udp_);
            if (!io) return;
            udp->opened(io);
            hvloop_io_release(io);
        });
        return 0;
    }
    int stopRecv() {
        closesocket();
        return 0;
    }

    /// One datagram; without an address to the peer, or to who spoke last. How many bytes, or -1. Any thread.
    int sendto(const void *data, int size, struct sockaddr *peeraddr = NULL) {
        if (size < 0) return -1;
        hvloop_io *const io = hvloop_udp_io(udp_);
        const uint32_t length =
            peeraddr ? static_cast<uint32_t>(sockaddr_len(reinterpret_cast<sockaddr_u *>(peeraddr))) : 0;
        const int64_t sent = hvloop_io_send_to(io, data, static_cast<size_t>(size), peeraddr, length);
        hvloop_io_release(io);
        return sent < 0 ? -1 : static_cast<int>(sent);
    }
    int sendto(Buffer *buf, struct sockaddr *peeraddr = NULL) {
        return sendto(buf->data(), static_cast<int>(buf->size()), peeraddr);
    }
    int sendto(const std::string &str, struct sockaddr *peeraddr = NULL) {
        return sendto(str.data(), static_cast<int>(str.size()), peeraddr);
    }

    TSocketChannelPtr channel;

    /// A datagram: `channel->peeraddr()` says whose, and `channel->write` answers there.
    Callback<void(const TSocketChannelPtr &, Buffer *)> onMessage;
    /// All that had to wait was sent: so many bytes since the last time.
    Callback<void(const TSocketChannelPtr &, Buffer *)> onWriteComplete;

    /// What the end of its loop drops.
    struct Dropped {
        Callback<void(const TSocketChannelPtr &, Buffer *)> message, written;
    };

    void takeCallbacks(Dropped &dropped) {
        dropped.message.swap(onMessage);
        dropped.written.swap(onWriteComplete);
    }

  protected:
    /// One whose own loop has ended gets another one.
    virtual void renew() {}

    void move(const EventLoopPtr &loop) {
        hvloop_udp *const before = udp_;
        loop_ = loop;
        make();
        hvloop_udp_free(before);
    }

    void end() {
        late_->forget();
        hvloop_udp_free(udp_);
        udp_ = NULL;
    }

    /// A socket was made.
    int made(int fd, const std::string &peer, const char *what) {
        if (fd < 0) {
            failed(what);
            return fd;
        }
        std::lock_guard<std::mutex> lock(mutex_);
        Held<TSocketChannel>::abandon(channel);
        channel = Held<TSocketChannel>::make(loop_->loop(), fd);
        if (channel) channel->setPeeraddr(peer);
        return fd;
    }

    hvloop_udp *udp() { return udp_; }

  private:
    void make() {
        udp_ = hvloop_udp_new(loop_->loop());
        if (!udp_) failed("Udp");
        hvloop_udp_callbacks calls = hvloop_udp_callbacks();
        calls.on_message = &on_message;
        calls.on_write_complete = &on_write_complete;
        calls.on_error = &on_error;
        calls.on_close = &on_close;
        calls.data = this;
        hvloop_udp_set_callbacks(udp_, calls);
    }

    /// The channel of a socket that is with its loop, for whoever comes first.
    TSocketChannelPtr opened(hvloop_io *io) {
        std::lock_guard<std::mutex> lock(mutex_);
        const TSocketChannelPtr there = Held<TSocketChannel>::of(io);
        if (there) return there;
        channel = Held<TSocketChannel>::open(channel, io);
        return channel;
    }

    static void on_message(void *data, hvloop_io *io, const void *bytes, size_t size, const void *, uint32_t) {
        HVLOOP_TRY {
            Udp *const udp = static_cast<Udp *>(data);
            const TSocketChannelPtr socket = udp->opened(io);
            Buffer buffer(const_cast<void *>(bytes), size);
            if (socket && socket->onread) socket->onread(&buffer);
            else if (socket && udp->onMessage) udp->onMessage(socket, &buffer);
            return;
        }
        HVLOOP_CAUGHT("onMessage")
        hvloop_io_close(io);
    }

    static void on_write_complete(void *data, hvloop_io *io, size_t size) {
        HVLOOP_TRY {
            Udp *const udp = static_cast<Udp *>(data);
            const TSocketChannelPtr socket = udp->opened(io);
            Buffer buffer(NULL, size);
            if (socket && socket->onwrite) socket->onwrite(&buffer);
            else if (socket && udp->onWriteComplete) udp->onWriteComplete(socket, &buffer);
            return;
        }
        HVLOOP_CAUGHT("onWriteComplete")
        hvloop_io_close(io);
    }

    /// Of one datagram: libhv has nobody who is told.
    static void on_error(void *, hvloop_io *, int, const char *reason) {
        HVLOOP_TRY {
            const std::string line = std::string("UDP: ") + reason;
            hvloop_log_write(HVLOOP_LOG_LEVEL_DEBUG, line.c_str());
        }
        HVLOOP_CAUGHT("log")
    }

    static void on_close(void *, hvloop_io *io, int error, const char *) {
        HVLOOP_TRY {
            const TSocketChannelPtr socket = Held<TSocketChannel>::of(io);
            if (!socket) return;
            socket->detach(error);
            if (socket->onclose) socket->onclose();
            socket->dropCallbacks();
        }
        HVLOOP_CAUGHT("onclose")
    }

    EventLoopPtr loop_;
    hvloop_udp *udp_;
    std::shared_ptr<Late<Udp>> late_;
    std::mutex mutex_;
};

/// One of them with a thread and a loop of its own, or on a loop that it is given. One with its own loop drops its
/// callbacks as that ends, since these may hold the object.
template <class Base> class UdpThread : private EventLoopThread, public Base {
  public:
    explicit UdpThread(EventLoopPtr loop)
        : EventLoopThread(loop), Base(EventLoopThread::loop()), is_loop_owner(!loop),
          owner_(std::make_shared<Owner<UdpThread>>(this)) {}

    virtual ~UdpThread() {
        owner_->forget();
        Base::end();
        if (is_loop_owner) EventLoopThread::stop(true);
    }

    const EventLoopPtr &loop() { return EventLoopThread::loop(); }

    /// On a loop of somebody else's it begins as soon as that runs.
    void start(bool wait_threads_started = true) {
        renew();
        if (is_loop_owner && !isRunning()) {
            const std::shared_ptr<Owner<UdpThread>> owner = owner_;
            EventLoopThread::start(wait_threads_started, Functor(), [owner]() {
                owner->ended();
                return 0;
            });
        }
        Base::start();
    }

    /// Closes the socket, and ends the loop if it is its own.
    void stop(bool wait_threads_stopped = true) {
        Base::closesocket();
        if (is_loop_owner) EventLoopThread::stop(wait_threads_stopped);
    }

  protected:
    void renew() {
        if (is_loop_owner && EventLoopThread::renew()) Base::move(EventLoopThread::loop());
    }

  private:
    bool is_loop_owner;
    std::shared_ptr<Owner<UdpThread>> owner_;
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_UDP_H
