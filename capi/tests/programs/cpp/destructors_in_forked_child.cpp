// A child by fork has copies of objects, and none of their threads. That it destroys these ends, its exit does, too, and
// what its parent has goes on.
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/TimerThread.h"
#include "hv/UdpServer.h"
#include "hv/WebSocketClient.h"
#include "hv/WebSocketServer.h"
#include "hv/hasync.h"

#include "../latch.h"

using namespace hv;

static Latch heard, opened, answered, ticked;

/// All that a program may have.
struct All {
    TcpServer server;
    TcpClient client;
    UdpServer udp;
    WebSocketService service;
    WebSocketServer sockets;
    WebSocketClient socket;
    EventLoopThread thread;
    EventLoopThreadPool pool;
    TimerThread timers;

    All() : sockets(&service), pool(2) {}

    bool start() {
        server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) { channel->write(buf); };
        server.setThreadNum(2);
        if (server.createsocket(0, "127.0.0.1") < 0) return false;
        server.start();
        client.onMessage = [](const SocketChannelPtr &, Buffer *) { heard.tell(); };
        client.onConnection = [](const SocketChannelPtr &channel) {
            if (channel->isConnected()) channel->write("first");
        };
        if (client.createsocket(server.port) < 0) return false;
        client.start();
        if (udp.createsocket(0, "127.0.0.1") < 0) return false;
        udp.start();
        service.onmessage = [](const WebSocketChannelPtr &channel, const std::string &message) { channel->send(message); };
        sockets.setThreadNum(2);
        const int listener = Listen(0, "127.0.0.1");
        sockaddr_u address;
        socklen_t length = sizeof(address);
        if (listener < 0 || getsockname(listener, &address.sa, &length) != 0) return false;
        sockets.setListenFD(listener);
        if (sockets.start() != 0) return false;
        socket.onopen = []() { opened.tell(); };
        socket.onmessage = [](const std::string &) { answered.tell(); };
        const std::string url = "ws://127.0.0.1:" + std::to_string(sockaddr_port(&address));
        if (socket.open(url.c_str()) != 0) return false;
        thread.start();
        pool.start();
        heard.wait(1);
        opened.wait(1);
        return true;
    }
};

/// Whether all other threads wait for something, and so hold no lock.
static bool others_wait() {
    DIR *const tasks = opendir("/proc/self/task");
    if (!tasks) return true;
    int busy = 0;
    while (const dirent *const task = readdir(tasks)) {
        if (task->d_name[0] == '.') continue;
        FILE *const file = fopen((std::string("/proc/self/task/") + task->d_name + "/stat").c_str(), "r");
        if (!file) continue;
        char state = 'S';
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'S';
        fclose(file);
        busy += state != 'S';
    }
    closedir(tasks);
    // This one.
    return busy <= 1;
}

static const pid_t parent = getpid();

/// Behind all that an exit does: tools would miss what the other threads held.
static void die_as_child() {
    if (getpid() != parent) raise(SIGKILL);
}

/// Whether a child that does this exits in order.
template <class Call> static bool ends(Call call) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        if (!call()) _exit(1);
        exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/// Threads of the child's own get the numbers of those that are not there, whose handles are destroyed then.
static bool begins_anew(const All *all) {
    const hvloop_task none = {NULL, NULL, NULL};
    hvloop_thread *threads[16];
    for (int i = 0; i < 16; ++i) {
        threads[i] = hvloop_thread_new(NULL);
        if (hvloop_thread_start(threads[i], none, none) != 0) return false;
    }
    delete all;
    if (hv::async([]() { return 7; }).get() != 7) return false;
    for (int i = 0; i < 16; ++i) {
        if (hvloop_thread_stop(threads[i]) != 0 || hvloop_thread_join(threads[i], NULL) != 0) return false;
        hvloop_thread_free(threads[i]);
    }
    return true;
}

int main() {
    setvbuf(stdout, NULL, _IOLBF, 0);
    atexit(&die_as_child);
    All *const all = new All();
    if (!all->start() || hv::async([]() { return 6; }).get() != 6) return 1;
    // Some times in a row: who waits for a lock has it by then.
    for (int quiet = 0; quiet < 20;) quiet = others_wait() ? quiet + 1 : 0;
    printf("a child that destroys them: %d\n", ends([all]() {
               delete all;
               return true;
           }));
    printf("a child that begins anew: %d\n", ends([all]() { return begins_anew(all); }));
    all->client.send("second");
    heard.wait(2);
    all->socket.send("a message");
    answered.wait(1);
    all->thread.loop()->runInLoop([]() { ticked.tell(); });
    all->pool.loop(1)->setTimeout(1, [](TimerID) { ticked.tell(); });
    all->timers.setTimeout(1, [](TimerID) { ticked.tell(); });
    ticked.wait(3);
    printf("connections: %d, websocket: %d\n", (int)all->server.connectionNum(), all->socket.isConnected());
    delete all;
    return 0;
}
