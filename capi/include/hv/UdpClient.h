/// Clients of UDP.
#ifndef HV_UDP_CLIENT_HPP_
#define HV_UDP_CLIENT_HPP_

#include "detail/udp.h"

namespace hv {

/// A client on somebody's loop, or on one that somebody will run: it sends to one peer, and hears that alone. After the
/// destructor has returned none of its callbacks runs.
template <class TSocketChannel = SocketChannel>
class UdpClientEventLoopTmpl : public detail::Udp<TSocketChannel> {
  public:
    typedef std::shared_ptr<TSocketChannel> TSocketChannelPtr;

    UdpClientEventLoopTmpl(EventLoopPtr loop = nullptr) : detail::Udp<TSocketChannel>(loop), remote_port(0) {}

    /// The one peer. The descriptor, or a negative number.
    int createsocket(int port, const char *host = "127.0.0.1") {
        this->renew();
        remote_host = host ? host : "127.0.0.1";
        remote_port = port;
        return peer(hvloop_udp_connect(this->udp(), remote_host.c_str(), remote_port));
    }

    /// The client's own address, after `createsocket`. 0, or a negative number.
    int bind(int local_port, const char *local_host = "0.0.0.0") {
        // An address cannot be given to a socket that has its peer: another one is made.
        if (hvloop_udp_bind(this->udp(), local_host, local_port) < 0) {
            detail::failed("UdpClient::bind");
            return -1;
        }
        return peer(hvloop_udp_connect(this->udp(), remote_host.c_str(), remote_port)) < 0 ? -1 : 0;
    }

    /// Reads; after a close on another socket for the same peer.
    void start() {
        if (this->channel && this->channel->isClosed()) createsocket(remote_port, remote_host.c_str());
        this->startRecv();
    }

    std::string remote_host;
    int remote_port;

  private:
    int peer(int fd) {
        return this->made(fd, remote_host + ":" + std::to_string(remote_port), "UdpClient::createsocket");
    }
};

/// A client with a thread and a loop of its own, or on a loop that it is given.
template <class TSocketChannel = SocketChannel>
class UdpClientTmpl : public detail::UdpThread<UdpClientEventLoopTmpl<TSocketChannel>> {
  public:
    UdpClientTmpl(EventLoopPtr loop = nullptr)
        : detail::UdpThread<UdpClientEventLoopTmpl<TSocketChannel>>(loop) {}
};

typedef UdpClientTmpl<SocketChannel> UdpClient;

} // namespace hv

#endif // HV_UDP_CLIENT_HPP_
