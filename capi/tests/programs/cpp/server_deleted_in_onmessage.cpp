// A server that a message deletes, on a worker's thread, and on its own.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

using namespace hv;

int main() {
    for (int workers = 0; workers <= 2; workers += 2) {
        static Latch gone;
        Latch closed;
        TcpServer *server = new TcpServer;
        if (server->createsocket(0, "127.0.0.1") < 0) return 1;
        server->setThreadNum(workers);
        const std::string text(100, 't');
        server->onMessage = [server, text](const SocketChannelPtr &channel, Buffer *) {
            delete server;
            if (text.size() != 100 || channel->fd() < 0) printf("wrong\n");
            gone.tell();
        };
        server->start();
        TcpClient client;
        client.onConnection = [&closed](const SocketChannelPtr &channel) {
            if (channel->isConnected()) channel->write("the end");
            else closed.tell();
        };
        if (client.createsocket(server->port) < 0) return 1;
        client.start();
        gone.wait(workers / 2 + 1);
        closed.wait(1);
        printf("deleted\n");
    }
    return 0;
}
