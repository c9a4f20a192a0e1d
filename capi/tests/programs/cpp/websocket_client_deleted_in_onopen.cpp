// A WebSocket client that is deleted in its own callback, whichever it is.
#include "hv/WebSocketClient.h"
#include "hv/WebSocketServer.h"
#include "hv/hsocket.h"

#include "../latch.h"

using namespace hv;

int main() {
    WebSocketService ws;
    ws.onopen = [](const WebSocketChannelPtr &channel, const HttpRequestPtr &) { channel->send("hello"); };
    ws.onmessage = [](const WebSocketChannelPtr &channel, const std::string &) { channel->close(); };
    WebSocketServer server(&ws);
    const int listener = Listen(0, "127.0.0.1");
    sockaddr_u address;
    socklen_t length = sizeof(address);
    getsockname(listener, &address.sa, &length);
    server.setListenFD(listener);
    if (server.start() != 0) return 1;
    const std::string url = "ws://127.0.0.1:" + std::to_string(sockaddr_port(&address)) + "/";
    EventLoopThread thread;
    thread.start();
    static Latch gone;
    int count = 0;
    for (int owns = 0; owns < 2; ++owns) {
        for (int which = 0; which < 4; ++which) {
            WebSocketClient *client = new WebSocketClient(owns ? EventLoopPtr() : thread.loop());
            const std::string text(100, 't');
            client->onopen = [client, which, text]() {
                if (which != 0) return;
                delete client;
                if (text.size() != 100) printf("wrong\n");
                gone.tell();
            };
            client->onmessage = [client, which, text](const std::string &msg) {
                if (which == 1) {
                    delete client;
                    if (text.size() != 100 || msg != "hello") printf("wrong\n");
                    gone.tell();
                } else {
                    client->send("bye");
                }
            };
            client->onclose = [client, which, text]() {
                if (which < 2) return;
                delete client;
                if (text.size() != 100) printf("wrong\n");
                gone.tell();
            };
            // The last one is refused: nobody listens.
            if (client->open(which == 3 ? "ws://127.0.0.1:1/" : url.c_str()) != 0) return 1;
            gone.wait(++count);
        }
    }
    printf("deleted, all of them\n");
    return 0;
}
