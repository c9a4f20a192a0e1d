// An exception out of a callback ends its connection, and no other one.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

#include <stdexcept>

using namespace hv;

int main() {
    hlog_disable();
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) {
        if (std::string((const char *)buf->data(), buf->size()) == "throw") throw std::runtime_error("a message");
        channel->write(buf);
    };
    server.start();
    Latch up, down, heard, other;
    TcpClient quiet, loud;
    quiet.onConnection = [&](const SocketChannelPtr &channel) { channel->isConnected() ? up.tell() : other.tell(); };
    quiet.onMessage = [&](const SocketChannelPtr &, Buffer *) { heard.tell(); };
    loud.onConnection = [&](const SocketChannelPtr &channel) {
        if (channel->isConnected()) {
            channel->write("throw");
            return;
        }
        down.tell();
        throw 7;
    };
    if (quiet.createsocket(server.port) < 0 || loud.createsocket(server.port) < 0) return 1;
    quiet.start();
    up.wait(1);
    loud.start();
    down.wait(1);
    quiet.send("still here");
    heard.wait(1);
    printf("the other one: %d, connections: %d\n", quiet.isConnected(), (int)server.connectionNum());
    TcpClient throws;
    throws.onConnection = [&](const SocketChannelPtr &channel) {
        if (channel->isConnected()) throw std::runtime_error("an open");
        down.tell();
    };
    if (throws.createsocket(server.port) < 0) return 1;
    throws.start();
    down.wait(2);
    printf("closed: %d\n", !throws.isConnected());
    return 0;
}
