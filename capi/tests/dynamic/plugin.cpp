// A plug-in that uses hvloop, and whose host does not.
#include "hv/EventLoopThread.h"
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../programs/latch.h"

using namespace hv;

/// Destroyed by the `dlclose`, with its thread.
static std::unique_ptr<EventLoopThread> global;

extern "C" int work(void);
extern "C" hvloop_thread *leave(void);

/// An echo over sockets, and a timer on the global thread. How many bytes came back.
int work() {
    Latch done;
    std::atomic<int> bytes(0);
    {
        TcpServer server;
        server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) { channel->write(buf); };
        if (server.createsocket(0, "127.0.0.1") < 0) return -1;
        server.start();
        TcpClient client;
        client.onConnection = [](const SocketChannelPtr &channel) {
            if (channel->isConnected()) channel->write("hello");
        };
        client.onMessage = [&](const SocketChannelPtr &, Buffer *buf) {
            bytes += static_cast<int>(buf->size());
            if (bytes == 5) done.tell();
        };
        if (client.createsocket(server.port) < 0) return -1;
        client.start();
        done.wait(1);
    }
    global.reset(new EventLoopThread());
    global->start();
    global->loop()->setTimeout(1, [&](TimerID) { done.tell(); });
    // It runs when the plug-in goes, and never again.
    global->loop()->setInterval(1, [](TimerID) {});
    done.wait(2);
    return bytes;
}

/// A thread of the library's that runs on.
hvloop_thread *leave() {
    const hvloop_task none = {NULL, NULL, NULL};
    hvloop_thread *const thread = hvloop_thread_new(NULL);
    return hvloop_thread_start(thread, none, none) == 0 ? thread : NULL;
}
