// Clients that are destroyed on other threads while their callbacks run, again and again: after the destructor none
// runs, and none has touched what was its own.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

#include <sstream>

using namespace hv;

static std::atomic<int> late(0);

struct Guard {
    std::atomic<bool> dead;
    Guard() : dead(false) {}
};

static void churn(const EventLoopPtr &loop, int port, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        std::shared_ptr<Guard> guard = std::make_shared<Guard>();
        Latch up;
        std::string own(100, 'o');
        {
            TcpClient client(loop);
            client.onConnection = [&up, &own, guard](const SocketChannelPtr &channel) {
                if (guard->dead || own.size() != 100) ++late;
                if (!channel->isConnected()) return;
                channel->write("x");
                up.tell();
            };
            client.onMessage = [&own, guard](const SocketChannelPtr &channel, Buffer *buf) {
                if (guard->dead || own.size() != 100) ++late;
                channel->write(buf);
            };
            if (client.createsocket(port) < 0) {
                ++late;
                return;
            }
            client.start();
            if (i % 3 != 0) up.wait(1);
        }
        guard->dead = true;
    }
}

int main() {
    TcpServer server;
    server.setThreadNum(2);
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) { channel->write(buf); };
    server.start();
    EventLoopThread thread;
    thread.start();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.push_back(std::thread([&thread, &server]() { churn(thread.loop(), server.port, 100); }));
    }
    for (size_t i = 0; i < threads.size(); ++i) threads[i].join();
    printf("late: %d\n", (int)late);
    return 0;
}
