// A client that is deleted in its own callback, whichever it is: nothing of it is touched after that.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

using namespace hv;

static std::atomic<int> alive(0);
static Latch gone;

struct Client : public TcpClient {
    std::string padding;
    explicit Client(EventLoopPtr loop) : TcpClient(loop), padding(1000, 'p') { ++alive; }
    ~Client() {
        --alive;
        gone.tell();
    }
};

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) {
        channel->write(buf);
        if (std::string((const char *)buf->data(), buf->size()) == "close") channel->close();
    };
    server.start();
    EventLoopThread thread;
    thread.start();
    int count = 0;
    for (int owns = 0; owns < 2; ++owns) {
        const EventLoopPtr loop = owns ? EventLoopPtr() : thread.loop();
        const int closed_port = Listen(0, "127.0.0.1");
        sockaddr_u address;
        socklen_t length = sizeof(address);
        getsockname(closed_port, &address.sa, &length);
        close(closed_port);
        for (int which = 0; which < 5; ++which) {
            Client *client = new Client(loop);
            // What the callback has goes with the client, while it runs.
            const std::string text(100, 't');
            if (client->createsocket(which == 4 ? sockaddr_port(&address) : server.port) < 0) return 1;
            client->onConnection = [client, which, text](const SocketChannelPtr &channel) {
                if (channel->isConnected() ? which == 0 : which == 3 || which == 4) {
                    delete client;
                    if (text.size() != 100 || channel->fd() < 0) printf("wrong\n");
                } else if (channel->isConnected()) {
                    channel->write(which == 3 ? "close" : "hello");
                }
            };
            client->onMessage = [client, which, text](const SocketChannelPtr &channel, Buffer *buf) {
                if (which != 1) return;
                delete client;
                if (text.size() != 100 || buf->size() != 5 || channel->fd() < 0) printf("wrong\n");
            };
            client->onWriteComplete = [client, which, text](const SocketChannelPtr &, Buffer *) {
                if (which != 2) return;
                delete client;
                if (text.size() != 100) printf("wrong\n");
            };
            client->start();
            gone.wait(++count);
        }
    }
    printf("alive: %d\n", (int)alive);
    return 0;
}
