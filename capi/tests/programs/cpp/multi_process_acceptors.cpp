// Two processes accept at one listener, each with a loop that it made after the fork.
#include <sys/wait.h>

#include "hv/TcpServer.h"
#include "hv/hsocket.h"

#include "../latch.h"

using namespace hv;

static int serve(int listener) {
    Latch over;
    TcpServer server;
    server.onMessage = [&over](const SocketChannelPtr &channel, Buffer *buf) {
        const std::string asked(static_cast<const char *>(buf->data()), buf->size());
        channel->write(std::to_string(getpid()));
        if (asked == "end") {
            channel->close();
            over.tell();
        }
    };
    server.setListenFD(listener);
    server.start();
    over.wait(1);
    server.stop();
    return 0;
}

/// What some process answers, and whether it ends then.
static pid_t ask(int port, const char *what) {
    sockaddr_u address;
    sockaddr_set_ipport(&address, "127.0.0.1", port);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[32] = "";
    if (connect(fd, &address.sa, sizeof(address.sin)) == 0 && send(fd, what, strlen(what), 0) > 0) {
        if (recv(fd, text, sizeof(text) - 1, 0) < 0) text[0] = '\0';
    }
    close(fd);
    return atoi(text);
}

int main() {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const int listener = Listen(0, "127.0.0.1");
    sockaddr_u address;
    socklen_t length = sizeof(address);
    if (listener < 0 || getsockname(listener, &address.sa, &length) != 0) return 1;
    pid_t children[2];
    for (int i = 0; i < 2; ++i) {
        children[i] = fork();
        if (children[i] == 0) return serve(listener);
    }
    // One of them, whichever it is, and when that has ended the other one.
    for (int round = 0; round < 2; ++round) {
        const int port = sockaddr_port(&address);
        const pid_t before = ask(port, "hello");
        const pid_t ends = ask(port, "end");
        int status = 1;
        const bool gone = waitpid(ends, &status, 0) == ends;
        const bool known = before == children[0] || before == children[1];
        printf("known: %d, ended: %d, status: %d\n", known, gone, status);
    }
    close(listener);
    return 0;
}
