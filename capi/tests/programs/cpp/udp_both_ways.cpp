// Datagrams both ways: a server that answers who speaks, a client with a timer that holds it, an address of its own.
#include "hv/UdpClient.h"
#include "hv/UdpServer.h"

#include "../latch.h"

using namespace hv;

int main() {
    UdpServer server;
    const int bound = server.createsocket(0, "127.0.0.1");
    printf("bound: %d\n", bound > 2 && server.channel->fd() == bound && server.port > 0);
    Latch asked, told;
    std::mutex mutex;
    std::string last;
    server.onMessage = [&](const SocketChannelPtr &channel, Buffer *buf) {
        std::string text((const char *)buf->data(), buf->size());
        {
            std::lock_guard<std::mutex> lock(mutex);
            last = channel->peeraddr();
        }
        channel->write("re: " + text);
        asked.tell();
    };
    {
        std::shared_ptr<UdpClient> client = std::make_shared<UdpClient>();
        const int fd = client->createsocket(server.port);
        printf("socket: %d\n", fd > 2 && client->channel->fd() == fd);
        Latch heard;
        std::vector<std::string> answers;
        client->onMessage = [&](const SocketChannelPtr &, Buffer *buf) {
            std::lock_guard<std::mutex> lock(mutex);
            answers.push_back(std::string((const char *)buf->data(), buf->size()));
            heard.tell();
        };
        client->start();
        // In the kernel until the server reads.
        printf("sent: %d\n", client->sendto("early"));
        server.start();
        heard.wait(1);
        // The timer holds the client, whose loop holds the timer.
        client->loop()->setInterval(1, [client](TimerID id) {
            client->sendto("tick");
            killTimer(id);
        });
        heard.wait(2);
        printf("to who spoke last: %d\n", server.sendto("psst"));
        heard.wait(3);
        {
            std::lock_guard<std::mutex> lock(mutex);
            for (size_t i = 0; i < answers.size(); ++i) printf("< %s\n", answers[i].c_str());
        }
        client->closesocket();
        client->stop();
        printf("closed: %d\n", client->sendto("late"));
    }
    {
        UdpClient other;
        Latch heard;
        if (other.createsocket(server.port) < 0 || other.bind(0, "127.0.0.1") != 0) return 1;
        other.onMessage = [&heard](const SocketChannelPtr &, Buffer *) { heard.tell(); };
        other.start();
        other.sendto("other");
        heard.wait(1);
        std::lock_guard<std::mutex> lock(mutex);
        printf("from its own address: %d\n", last == other.channel->localaddr());
    }
    server.stop();
    return 0;
}
