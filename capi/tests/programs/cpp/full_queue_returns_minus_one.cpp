// A peer that does not read: what has no room is refused, and the connection stays.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

using namespace hv;

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onConnection = [](const SocketChannelPtr &channel) {
        if (channel->isConnected()) channel->stopRead();
    };
    server.start();
    Latch up;
    TcpClient client;
    client.onConnection = [&up](const SocketChannelPtr &channel) {
        if (channel->isConnected()) up.tell();
    };
    if (client.createsocket(server.port) < 0) return 1;
    client.start();
    up.wait(1);
    const std::string piece(1 << 20, 'x');
    int sent = 0;
    while (sent < 1000 && client.send(piece) == (int)piece.size()) ++sent;
    printf("refused: %d, connected: %d, waits: %d\n", sent < 1000, client.isConnected(),
           client.channel->writeBufsize() > 0 && !client.channel->isWriteComplete());
    return 0;
}
