// A hundred clients on one loop: all open, all are answered, all close.
#include "hv/WebSocketClient.h"
#include "hv/WebSocketServer.h"
#include "hv/hsocket.h"

#include "../latch.h"

#include <map>

using namespace hv;

class MyClient : public WebSocketClient {
  public:
    MyClient(EventLoopPtr loop, Latch *heard) : WebSocketClient(loop) {
        onopen = [this]() { send("hello"); };
        onmessage = [heard](const std::string &msg) {
            if (msg == "hello") heard->tell();
        };
    }
    ~MyClient() {}
};

int main() {
    WebSocketService ws;
    ws.onmessage = [](const WebSocketChannelPtr &channel, const std::string &msg) { channel->send(msg); };
    std::atomic<int> closed(0);
    ws.onclose = [&closed](const WebSocketChannelPtr &) { ++closed; };
    WebSocketServer server(&ws);
    const int listener = Listen(0, "127.0.0.1");
    sockaddr_u address;
    socklen_t length = sizeof(address);
    getsockname(listener, &address.sa, &length);
    server.setListenFD(listener);
    if (server.start() != 0) return 1;
    const std::string url = "ws://127.0.0.1:" + std::to_string(sockaddr_port(&address)) + "/";

    Latch heard;
    EventLoopThread loop_thread;
    loop_thread.start();
    std::map<int, std::shared_ptr<MyClient>> clients;
    for (int i = 0; i < 100; ++i) {
        clients[i] = std::make_shared<MyClient>(loop_thread.loop(), &heard);
        if (clients[i]->open(url.c_str()) != 0) return 1;
    }
    heard.wait(100);
    printf("answered, all of them; connections: %d\n", (int)server.connectionNum());
    loop_thread.stop();
    loop_thread.join();
    printf("connected: %d\n", clients[7]->isConnected());
    clients.clear();
    server.stop();
    printf("closed: %d\n", (int)closed);
    return 0;
}
