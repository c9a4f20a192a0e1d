// The work in C++: ../src/work.rs is the same in Rust. `work cpu tasks|timers|tcp|ws count`: prints what CPU time
// it took, in nanoseconds.

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <string>
#include <thread>

#include "EventLoop.h"
#include "TcpServer.h"
#include "WebSocketServer.h"

namespace {

const uint64_t kTimers = 100;
uint64_t done = 0;

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

uint64_t cpu_time() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000ull + static_cast<uint64_t>(now.tv_nsec);
}

void tasks(const hv::EventLoopPtr &loop, uint64_t count) {
    std::thread([loop, count] {
        for (uint64_t n = 0; n < count; ++n) {
            loop->queueInLoop([loop, count] {
                if (++done == count) loop->stop();
            });
        }
    }).detach();
}

void next_timer(const hv::EventLoopPtr &loop, uint64_t count) {
    loop->setTimeout(1, [loop, count](hv::TimerID) {
        if (++done < count) {
            next_timer(loop, count);
        } else {
            loop->stop();
        }
    });
}

/// Runs until the input ends.
void serve(const hv::EventLoopPtr &loop, int port) {
    printf("%d\n", port);
    fflush(stdout);
    std::thread([loop] {
        while (getchar() != EOF) {
        }
        loop->stop();
    }).detach();
    loop->run();
}

int port_of(int fd) {
    sockaddr_in address;
    socklen_t size = sizeof(address);
    memset(&address, 0, sizeof(address));
    getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size);
    return ntohs(address.sin_port);
}

int listener() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0 || listen(fd, 128) != 0) abort();
    return fd;
}

void tcp(const hv::EventLoopPtr &loop) {
    hv::TcpServerEventLoopTmpl<hv::SocketChannel> server(loop);
    const int fd = server.createsocket(0, "127.0.0.1");
    server.onMessage = [](const hv::SocketChannelPtr &channel, hv::Buffer *buffer) { channel->write(buffer); };
    server.start();
    serve(loop, port_of(fd));
}

void ws(const hv::EventLoopPtr &loop) {
    hv::WebSocketService service;
    service.onmessage = [](const WebSocketChannelPtr &channel, const std::string &message) {
        channel->send(message, channel->opcode);
    };
    hv::WebSocketServer server(&service);
    const int fd = listener();
    const int port = port_of(fd);
    server.setListenFD(fd, -1);
    server.setThreadNum(1);
    if (server.start() != 0) abort();
    // The server has loops of its own; this one waits for the end.
    serve(loop, port);
    server.stop();
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    pin(atoi(argv[1]));
    const std::string work = argv[2];
    const uint64_t count = strtoull(argv[3], NULL, 10);
    {
        hv::EventLoopPtr loop = std::make_shared<hv::EventLoop>();
        if (work == "tasks") {
            tasks(loop, count);
            loop->run();
        } else if (work == "timers") {
            for (uint64_t n = 0; n < kTimers; ++n) next_timer(loop, count);
            loop->run();
        } else if (work == "tcp") {
            tcp(loop);
        } else if (work == "ws") {
            ws(loop);
        } else {
            return 2;
        }
    }
    printf("%llu\n", static_cast<unsigned long long>(cpu_time()));
    return 0;
}
