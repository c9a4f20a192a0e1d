/// Connections that are WebSockets.
#ifndef HV_WEBSOCKET_CHANNEL_H_
#define HV_WEBSOCKET_CHANNEL_H_

#include <mutex>

#include "Channel.h"
#include "wsdef.h"

namespace hv {

/// A WebSocket of either side. What sends may be called on any thread.
class WebSocketChannel : public SocketChannel {
  public:
    ws_session_type type;
    /// That of the message in hand.
    enum ws_opcode opcode;

    WebSocketChannel(hio_t *io, ws_session_type session_type = WS_CLIENT)
        : SocketChannel(io), type(session_type), opcode(WS_OPCODE_CLOSE) {}
    ~WebSocketChannel() {}

    /// A message, all of it or nothing: how many bytes, or -1. What comes without `fin` waits for the rest of its
    /// message.
    int send(const std::string &msg, enum ws_opcode code = WS_OPCODE_TEXT, bool fin = true) {
        return send(msg.data(), static_cast<int>(msg.size()), code, fin);
    }
    int send(const char *buf, int len, enum ws_opcode code = WS_OPCODE_BINARY, bool fin = true) {
        if (len < 0) return -1;
        const size_t size = static_cast<size_t>(len);
        std::lock_guard<std::mutex> lock(mutex_);
        if (fin && begun_.empty() && code != WS_OPCODE_CONTINUE) return whole(code, buf, size);
        if (code != WS_OPCODE_CONTINUE) {
            begun_.clear();
            code_ = code;
        }
        begun_.append(buf, size);
        if (!fin) return len;
        std::string message;
        message.swap(begun_);
        return whole(code_, message.data(), message.size()) < 0 ? -1 : len;
    }
    /// hvloop cuts into frames where it has to.
    int send(const char *buf, int len, int fragment, enum ws_opcode code = WS_OPCODE_BINARY) {
        (void)fragment;
        return send(buf, len, code, true);
    }

    int sendPing() { return result(hvloop_ws_ping(handle_)); }
    /// Pings are answered without it.
    int sendPong() { return isConnected() ? 0 : -1; }

    /// Closes it with code 1000; `onclose` comes later.
    int close() { return close(1000); }
    int close(int code, const std::string &reason = std::string()) {
        return result(hvloop_ws_close(handle_, code, reason.c_str()));
    }

    bool isConnected() { return SocketChannel::isConnected() && hvloop_ws_state_of(handle_) == HVLOOP_WS_STATE_OPEN; }

  private:
    int whole(enum ws_opcode code, const char *buf, size_t size) {
        return result(hvloop_ws_send(handle_, static_cast<int>(code), buf, size));
    }

    std::mutex mutex_;
    std::string begun_;
    enum ws_opcode code_ = WS_OPCODE_TEXT;
};

} // namespace hv

typedef std::shared_ptr<hv::WebSocketChannel> WebSocketChannelPtr;

#endif // HV_WEBSOCKET_CHANNEL_H_
