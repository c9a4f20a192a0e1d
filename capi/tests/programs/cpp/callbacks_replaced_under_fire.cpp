// Callbacks that one thread replaces while the loop's calls them.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

using namespace hv;

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) { channel->write(buf); };
    server.start();
    std::atomic<int> calls(0), wrong(0);
    Latch up;
    TcpClient client;
    client.onConnection = [&up](const SocketChannelPtr &channel) {
        if (!channel->isConnected()) return;
        channel->write("x");
        up.tell();
    };
    if (client.createsocket(server.port) < 0) return 1;
    client.start();
    up.wait(1);
    for (int i = 0; calls < 500; ++i) {
        std::string text(200, (char)('a' + i % 26));
        client.onMessage = [&calls, &wrong, text](const SocketChannelPtr &channel, Buffer *buf) {
            for (size_t at = 0; at < text.size(); ++at) {
                if (text[at] != text[0]) ++wrong;
            }
            ++calls;
            channel->write(buf);
        };
        // One that was replaced by nothing has swallowed what went round.
        if (i % 50 == 49) {
            client.onMessage = NULL;
            client.onMessage = [&calls](const SocketChannelPtr &channel, Buffer *buf) {
                ++calls;
                channel->write(buf);
            };
            client.send("x");
        }
    }
    client.onMessage = nullptr;
    printf("wrong: %d\n", (int)wrong);
    return 0;
}
