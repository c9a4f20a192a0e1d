// The process's own way with SIGPIPE stays, and a peer that is gone raises none.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

#include <csignal>

using namespace hv;

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onConnection = [](const SocketChannelPtr &channel) {
        if (channel->isConnected()) channel->close();
    };
    server.start();
    for (int i = 0; i < 20; ++i) {
        Latch down;
        TcpClient client;
        client.onConnection = [&down](const SocketChannelPtr &channel) {
            const std::string text(100000, 'x');
            for (int n = 0; channel->isConnected() && n < 10; ++n) channel->write(text);
            if (!channel->isConnected()) down.tell();
        };
        if (client.createsocket(server.port) < 0) return 1;
        client.start();
        down.wait(1);
    }
    struct sigaction now;
    sigaction(SIGPIPE, NULL, &now);
    printf("default: %d\n", now.sa_handler == SIG_DFL);
    return 0;
}
