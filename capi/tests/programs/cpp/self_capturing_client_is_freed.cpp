// Clients that their own callbacks and timers hold: they go when their own loop has ended.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/UdpClient.h"
#include "hv/WebSocketClient.h"

#include "../latch.h"

using namespace hv;

static std::atomic<int> alive(0);

template <class Base> struct Counted : public Base {
    Counted() { ++alive; }
    ~Counted() { --alive; }
};

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.start();
    for (int round = 0; round < 2; ++round) {
        Latch up;
        std::shared_ptr<Counted<TcpClient>> tcp = std::make_shared<Counted<TcpClient>>();
        if (tcp->createsocket(server.port) < 0) return 1;
        tcp->onConnection = [tcp, &up](const SocketChannelPtr &channel) {
            if (channel->isConnected()) up.tell();
        };
        tcp->onMessage = [tcp](const SocketChannelPtr &, Buffer *) {};
        tcp->start();
        up.wait(1);
        tcp->loop()->setInterval(1, [tcp](TimerID) {});

        std::shared_ptr<Counted<UdpClient>> udp = std::make_shared<Counted<UdpClient>>();
        if (udp->createsocket(server.port) < 0) return 1;
        udp->onMessage = [udp](const SocketChannelPtr &, Buffer *) {};
        udp->start();
        udp->loop()->setInterval(1, [udp](TimerID) {});

        std::shared_ptr<Counted<WebSocketClient>> ws = std::make_shared<Counted<WebSocketClient>>();
        Latch closed;
        ws->onclose = [ws, &closed]() { closed.tell(); };
        if (ws->open("ws://127.0.0.1:1/") != 0) return 1;
        closed.wait(1);

        printf("alive: %d\n", (int)alive);
        if (round == 0) {
            tcp->stop();
            udp->stop();
            ws->stop();
        } else {
            // By the loop, not by the client.
            tcp->loop()->stop();
            udp->loop()->stop();
            ws->loop()->stop();
        }
        hvloop_loop_wait_stopped(tcp->loop()->loop(), -1);
        hvloop_loop_wait_stopped(udp->loop()->loop(), -1);
        hvloop_loop_wait_stopped(ws->loop()->loop(), -1);
    }
    while (alive > 0) std::this_thread::yield();
    printf("alive: %d\n", (int)alive);
    return 0;
}
