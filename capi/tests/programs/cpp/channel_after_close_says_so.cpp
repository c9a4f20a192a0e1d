// Channels that are kept after their end: each function says so, and reaches nobody else.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/WebSocketChannel.h"

#include "../latch.h"

using namespace hv;

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.start();
    Latch up, down;
    SocketChannelPtr kept;
    {
        TcpClient client;
        client.onConnection = [&](const SocketChannelPtr &channel) {
            kept = channel;
            channel->isConnected() ? up.tell() : down.tell();
        };
        if (client.createsocket(server.port) < 0) return 1;
        client.start();
        up.wait(1);
        printf("open: %d %d\n", kept->isConnected(), kept->isOpened());
        client.closesocket();
        down.wait(1);
    }
    printf("closed: %d %d %d\n", kept->isConnected(), kept->isOpened(), kept->isClosed());
    printf("write: %d, close: %d, line: %d\n", kept->write("x"), kept->close() <= 0, kept->readLine() <= 0);
    kept->setHeartbeat(1, []() { printf("never\n"); });
    kept->setReadTimeout(1);
    kept->setUnpack(NULL);
    printf("peer: %d, waits: %d, io: %d\n", kept->peeraddr().empty() ? 0 : 1, (int)kept->writeBufsize(), kept->io() == NULL);

    // One that never had a connection.
    SocketChannel none(NULL);
    printf("none: %d %d %d %d\n", none.isConnected(), none.fd(), none.write("x"), none.close());
    WebSocketChannel socket(NULL);
    printf("none: %d %d %d\n", socket.isConnected(), socket.send("x"), socket.close());
    TcpClient never;
    printf("never: %d %d\n", never.isConnected(), never.send("x"));
    never.closesocket();
    never.stop();
    return 0;
}
