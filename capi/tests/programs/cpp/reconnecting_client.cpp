// A client that is driven from its input: it connects again when it is told to, and by its policy when it is not.
#include <iostream>

#include "hv/TcpClient.h"
#include "hv/htime.h"

using namespace hv;

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) return 1;
    const int port = atoi(argv[1]);
    TcpClient client;
    const int fd = client.createsocket(port);
    printf("socket: %d, channel: %d\n", fd > 2, client.channel->fd() == fd && !client.channel->isConnected());
    client.onConnection = [&client, port](const SocketChannelPtr &channel) {
        const bool right = channel->peeraddr() == "127.0.0.1:" + std::to_string(port);
        if (channel->isConnected()) {
            printf("connected: %d, %d\n", right && channel->fd() > 2, client.isConnected());
            channel->write("first");
        } else {
            printf("disconnected: %d, %d, error %d\n", right && channel->fd() > 2, client.isConnected(),
                   channel->error());
        }
        if (client.isReconnect()) printf("reconnect %d\n", (int)client.reconn_setting->cur_retry_cnt);
    };
    client.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) {
        printf("< %.*s %d\n", (int)buf->size(), (char *)buf->data(), channel->isConnected());
    };
    reconn_setting_t reconn;
    reconn_setting_init(&reconn);
    reconn.min_delay = 10;
    reconn.max_delay = 20;
    reconn.delay_policy = 2;
    client.setReconnect(&reconn);
    client.start();

    std::string line;
    while (std::getline(std::cin, line)) {
        if (line == "end") break;
        if (line == "close") client.closesocket();
        else if (line == "start") client.start();
        else if (line == "stop") client.stop();
        else if (line == "drop") {
            // Within the connection's own loop: the policy brings another one.
            client.loop()->runInLoop([&client]() { client.channel->close(); });
        } else if (!client.isConnected()) printf("not connected, and %d\n", client.send(line));
        else client.send(line);
    }
    printf("no policy left: %d\n", client.reconn_setting == NULL);
    return 0;
}
