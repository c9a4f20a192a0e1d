// Global clients, and one in a function, in a program that ends in a callback of theirs.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/WebSocketClient.h"

#include "../latch.h"

using namespace hv;

static TcpServer the_server;
static TcpClient the_client;
static WebSocketClient the_websocket;

int main() {
    setvbuf(stdout, NULL, _IOLBF, 0);
    static TcpClient in_a_function;
    if (the_server.createsocket(0, "127.0.0.1") < 0) return 1;
    the_server.start();
    the_websocket.onclose = []() {};
    reconn_setting_t reconn;
    the_websocket.setReconnect(&reconn);
    the_websocket.open("ws://127.0.0.1:1/");
    if (in_a_function.createsocket(the_server.port) < 0 || the_client.createsocket(the_server.port) < 0) return 1;
    in_a_function.start();
    the_client.onConnection = [](const SocketChannelPtr &channel) {
        if (!channel->isConnected()) return;
        printf("the end\n");
        exit(0);
    };
    the_client.start();
    Latch never;
    never.wait(1);
    return 1;
}
