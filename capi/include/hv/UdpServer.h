/// Servers of UDP.
#ifndef HV_UDP_SERVER_HPP_
#define HV_UDP_SERVER_HPP_

#include "detail/udp.h"

namespace hv {

/// A server on somebody's loop, or on one that somebody will run. After the destructor has returned none of its
/// callbacks runs.
template <class TSocketChannel = SocketChannel>
class UdpServerEventLoopTmpl : public detail::Udp<TSocketChannel> {
  public:
    typedef std::shared_ptr<TSocketChannel> TSocketChannelPtr;

    UdpServerEventLoopTmpl(EventLoopPtr loop = nullptr) : detail::Udp<TSocketChannel>(loop), port(0) {}

    /// Binds there. The descriptor, or a negative number. Port 0 becomes one that is free: see `port`.
    int createsocket(int bind_port, const char *bind_host = "0.0.0.0") {
        this->renew();
        const std::string place = bind_host ? bind_host : "0.0.0.0";
        const int fd = hvloop_udp_bind(this->udp(), place.c_str(), bind_port);
        host = place;
        port = fd < 0 ? bind_port : hvloop_udp_port(this->udp());
        return this->made(fd, std::string(), "UdpServer::createsocket");
    }

    /// Reads; after a close on another socket for the same address.
    void start() {
        if (this->channel && this->channel->isClosed()) createsocket(port, host.c_str());
        this->startRecv();
    }

    std::string host;
    int port;
};

/// A server with a thread and a loop of its own, or on a loop that it is given.
template <class TSocketChannel = SocketChannel>
class UdpServerTmpl : public detail::UdpThread<UdpServerEventLoopTmpl<TSocketChannel>> {
  public:
    UdpServerTmpl(EventLoopPtr loop = nullptr)
        : detail::UdpThread<UdpServerEventLoopTmpl<TSocketChannel>>(loop) {}
};

typedef UdpServerTmpl<SocketChannel> UdpServer;

} // namespace hv

#endif // HV_UDP_SERVER_HPP_
