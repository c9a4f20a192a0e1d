// A child by fork has copies of objects, and none of their threads. That it destroys these ends, and its parent's go on.
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/TimerThread.h"
#include "hv/UdpServer.h"
#include "hv/WebSocketClient.h"
#include "hv/WebSocketServer.h"

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

int main() {
    setvbuf(stdout, NULL, _IOLBF, 0);
    All *const all = new All();
    if (!all->start()) return 1;
    // Some times in a row: who waits for a lock has it by then.
    for (int quiet = 0; quiet < 20;) quiet = others_wait() ? quiet + 1 : 0;
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        delete all;
        // Without what is done at an exit: tools would miss what the other threads held.
        raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("the child destroyed them: %d\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
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
