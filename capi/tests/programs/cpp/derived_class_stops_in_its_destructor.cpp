// A class that inherits a client, has members that its callbacks use, and ends them in its own destructor; and one
// that is deleted on its loop, where it needs no such care.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/WebSocketClient.h"

#include "../latch.h"

using namespace hv;

static std::atomic<int> wrong(0);
static Latch gone;

struct Derived : public TcpClient {
    std::vector<int> sizes;
    explicit Derived(EventLoopPtr loop = NULL) : TcpClient(loop), sizes(100, 7) {
        onConnection = [this](const SocketChannelPtr &link) {
            check();
            if (link->isConnected()) link->write("x");
        };
        onMessage = [this](const SocketChannelPtr &link, Buffer *buf) {
            check();
            link->write(buf);
        };
    }
    ~Derived() {
        end();
        gone.tell();
    }
    void check() {
        if (sizes.size() != 100 || sizes[99] != 7) ++wrong;
    }
};

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) { channel->write(buf); };
    server.start();
    EventLoopThread thread;
    thread.start();
    int count = 0;
    for (int i = 0; i < 20; ++i) {
        Derived own, shared(thread.loop());
        Derived *deleted = new Derived(thread.loop());
        if (own.createsocket(server.port) < 0 || shared.createsocket(server.port) < 0) return 1;
        if (deleted->createsocket(server.port) < 0) return 1;
        own.start();
        shared.start();
        deleted->start();
        while (!own.isConnected() || !shared.isConnected() || !deleted->isConnected()) std::this_thread::yield();
        deleted->deleteInLoop();
        gone.wait(++count);
        count += 2;
    }
    gone.wait(60);
    printf("wrong: %d\n", (int)wrong);
    return 0;
}
