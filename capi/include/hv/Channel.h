/// Connections.
#ifndef HV_CHANNEL_HPP_
#define HV_CHANNEL_HPP_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "Buffer.h"
#include "detail/callback.h"
#include "detail/function.h"
#include "detail/hio.h"
#include "detail/settings.h"
#include "hloop.h"
#include "hsocket.h"

namespace hv {

/// A connection, or another thing with a descriptor. It keeps the handle, so that after the end its functions
/// say so, and reach nothing else. What reads, and what closes, may be called on any thread; the members are the
/// loop's thread's.
class Channel {
  public:
    Channel(hio_t *io = NULL)
        : io_(io), fd_(-1), id_(0), ctx_(NULL), error_(0), status(CLOSED), handle_(NULL) {
        if (!io_) return;
        fd_ = io_->fd;
        status = OPENED;
        if (io_->handle) attach(io_->handle);
    }

    virtual ~Channel() { hvloop_io_release(handle_); }

    Channel(const Channel &) = delete;
    Channel &operator=(const Channel &) = delete;

    /// For hloop.h. NULL after the end.
    hio_t *io() { return io_; }
    /// For hvloop.h. NULL before the connection is up; the channel's own.
    hvloop_io *handle() { return handle_; }
    /// The number of the descriptor, which is kept after the end: somebody else may have it then.
    int fd() { return fd_; }
    uint32_t id() { return id_; }
    /// As the system numbers errors; 0: it is open, or ended in order.
    int error() { return handle_ ? hvloop_io_error(handle_) : error_; }
    void setError(int err) { error_ = err; }

    void *context() { return ctx_; }
    void setContext(void *ctx) { ctx_ = ctx; }
    template <class T> T *newContext() {
        ctx_ = new T;
        return static_cast<T *>(ctx_);
    }
    template <class T> T *getContext() { return static_cast<T *>(ctx_); }
    template <class T> void deleteContext() {
        T *const context = static_cast<T *>(ctx_);
        ctx_ = NULL;
        delete context;
    }

    std::shared_ptr<void> contextPtr() { return contextPtr_; }
    void setContextPtr(const std::shared_ptr<void> &ctx) { contextPtr_ = ctx; }
    void setContextPtr(std::shared_ptr<void> &&ctx) { contextPtr_ = std::move(ctx); }
    template <class T> std::shared_ptr<T> newContextPtr() {
        std::shared_ptr<T> made = std::make_shared<T>();
        contextPtr_ = made;
        return made;
    }
    template <class T> std::shared_ptr<T> getContextPtr() { return std::static_pointer_cast<T>(contextPtr_); }
    void deleteContextPtr() { contextPtr_.reset(); }

    bool isOpened() { return status < DISCONNECTED && (!handle_ || hvloop_io_is_open(handle_) == 1); }
    bool isClosed() { return !isOpened(); }

    int startRead() { return result(hvloop_io_resume_reading(handle_)); }
    int stopRead() { return result(hvloop_io_pause_reading(handle_)); }
    /// What comes next, once; then reading stops until it is told to again.
    int readOnce() { return result(hvloop_io_read_once(handle_)); }
    int readString() { return result(hvloop_io_read_until(handle_, 0)); }
    int readLine() { return result(hvloop_io_read_until(handle_, '\n')); }
    int readBytes(int len) {
        return len <= 0 ? -1 : result(hvloop_io_read_bytes(handle_, static_cast<size_t>(len)));
    }

    /// All of it or nothing: how many bytes, or -1.
    int write(const void *data, int size) {
        if (size < 0) return -1;
        return result(hvloop_io_send(handle_, data, static_cast<size_t>(size)));
    }
    int write(Buffer *buf) { return write(buf->data(), static_cast<int>(buf->size())); }
    int write(const std::string &str) { return write(str.data(), static_cast<int>(str.size())); }

    size_t writeBufsize() {
        const int64_t waits = handle_ ? hvloop_io_buffered(handle_) : 0;
        return waits > 0 ? static_cast<size_t>(waits) : 0;
    }
    bool isWriteComplete() { return writeBufsize() == 0; }

    /// Ends it in order, whatever it is told; `onclose` comes later, never from inside.
    int close(bool async = false) {
        (void)async;
        return result(hvloop_io_close(handle_));
    }

  public:
    hio_t *io_;
    int fd_;
    uint32_t id_;
    void *ctx_;
    int error_;
    enum Status {
        OPENED,
        CONNECTING,
        CONNECTED,
        DISCONNECTED,
        CLOSED,
    };
    std::atomic<Status> status;

    /// In the place of what a client or server calls. `onread`'s buffer is the callback's for its time.
    detail::Callback<void(Buffer *)> onread;
    /// All was written: so many bytes since the last time, which are not there any more.
    detail::Callback<void(Buffer *)> onwrite;
    detail::Callback<void()> onclose;
    std::shared_ptr<void> contextPtr_;

    /// It is up. For those who make channels.
    void attach(hvloop_io *handle) {
        hvloop_io *const before = handle_;
        handle_ = hvloop_io_retain(handle);
        hvloop_io_release(before);
        fd_ = hvloop_io_fd(handle_);
        id_ = static_cast<uint32_t>(hvloop_io_id(handle_));
        status = CONNECTED;
    }

    /// It has ended. For those who make channels.
    void detach(int error) {
        io_ = NULL;
        error_ = error;
        status = CLOSED;
    }

    /// Drops what was set to be called, which may hold this very channel.
    virtual void dropCallbacks() {
        onread = NULL;
        onwrite = NULL;
        onclose = NULL;
    }

  protected:
    static int result(int64_t returned) {
        return returned < 0 ? -1 : returned > INT32_MAX ? INT32_MAX : static_cast<int>(returned);
    }

    hvloop_io *handle_;
};

/// A connection of a socket.
class SocketChannel : public Channel {
  public:
    detail::Callback<void()> onconnect;
    detail::Callback<void()> heartbeat;

    SocketChannel(hio_t *io) : Channel(io) {}
    virtual ~SocketChannel() {}

    /// Whether it speaks TLS.
    bool isSSL() { return handle_ && hvloop_io_tls_version(handle_) > 0; }

    /// Closes it after so long without a byte from the peer; 0: never.
    void setReadTimeout(int timeout_ms) { hvloop_io_set_read_timeout(handle_, timeout_ms); }
    /// Closes it if the peer takes nothing for so long; 0: never.
    void setWriteTimeout(int timeout_ms) { hvloop_io_set_write_timeout(handle_, timeout_ms); }
    /// Closes it after so long without a byte in either direction; 0: never.
    void setKeepaliveTimeout(int timeout_ms) { hvloop_io_set_idle_timeout(handle_, timeout_ms); }
    /// Calls back every so often, to send something; 0: not any more.
    void setHeartbeat(int interval_ms, std::function<void()> fn) {
        heartbeat = fn;
        hvloop_io_set_heartbeat(handle_, interval_ms, detail::task(std::move(fn)));
    }
    /// How messages are cut, from now on; NULL: not at all. The setting is copied.
    void setUnpack(unpack_setting_t *setting) {
        hvloop_unpack rule;
        if (setting && hvloop_unpack_from(setting, &rule) != 0) {
            hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "setUnpack: hvloop does not cut messages that way");
            return;
        }
        hvloop_io_set_unpack(handle_, setting ? &rule : NULL);
    }

    bool isConnected() { return status == CONNECTED && isOpened(); }

    std::string localaddr() { return text(&hvloop_io_local_text); }
    std::string peeraddr() { return handle_ ? text(&hvloop_io_peer_text) : peer_; }

    /// Where it is to connect to, until it is up. For those who make channels.
    void setPeeraddr(const std::string &peer) { peer_ = peer; }

    void dropCallbacks() {
        Channel::dropCallbacks();
        onconnect = NULL;
        heartbeat = NULL;
    }

  private:
    std::string text(int (*read)(const hvloop_io *, char *, size_t)) {
        char buffer[128] = {0};
        const int length = handle_ ? read(handle_, buffer, sizeof(buffer)) : -1;
        return length < 0 ? std::string() : std::string(buffer);
    }

    std::string peer_;
};

typedef std::shared_ptr<Channel> ChannelPtr;
typedef std::shared_ptr<SocketChannel> SocketChannelPtr;

} // namespace hv

#endif // HV_CHANNEL_HPP_
