// A server with four workers and channels of a class of its own: contexts, numbers, broadcasts, packages, closing its
// port and listening again, and starting again after a stop.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

#include <set>

using namespace hv;

struct Session : public SocketChannel {
    static std::atomic<int> alive;
    int messages;
    explicit Session(hio_t *io) : SocketChannel(io), messages(0) { ++alive; }
    ~Session() { --alive; }
};
std::atomic<int> Session::alive(0);

struct Name {
    std::string text;
};

typedef TcpServerTmpl<Session> Server;
typedef Server::TSocketChannelPtr SessionPtr;

struct Client {
    TcpClient tcp;
    Latch up, down, heard;
    std::mutex mutex;
    std::string text;

    bool connect(int port) {
        tcp.onConnection = [this](const SocketChannelPtr &channel) { channel->isConnected() ? up.tell() : down.tell(); };
        tcp.onMessage = [this](const SocketChannelPtr &, Buffer *buf) {
            std::lock_guard<std::mutex> lock(mutex);
            text.append((const char *)buf->data(), buf->size());
            for (size_t i = 0; i < buf->size(); ++i) {
                if (((const char *)buf->data())[i] == '\n') heard.tell();
            }
        };
        if (tcp.createsocket(port) < 0) return false;
        tcp.start();
        return true;
    }
    std::string said() {
        std::lock_guard<std::mutex> lock(mutex);
        return text;
    }
};

int main() {
    Latch opened, closed;
    std::mutex mutex;
    std::set<long> threads;
    std::atomic<uint32_t> last(0);
    {
        Server server;
        if (server.createsocket(0, "127.0.0.1") < 0) return 1;
        const int port = server.port;
        server.setThreadNum(4);
        server.setLoadBalance(LB_LeastConnections);
        unpack_setting_t *unpack = new unpack_setting_t;
        unpack->mode = UNPACK_BY_DELIMITER;
        unpack->delimiter[0] = '\n';
        unpack->delimiter_bytes = 1;
        server.setUnpack(unpack);
        delete unpack;
        server.onConnection = [&](const SessionPtr &channel) {
            if (channel->isConnected()) {
                channel->newContextPtr<Name>()->text = "nobody";
                channel->setContext(channel.get());
                last = channel->id();
                std::lock_guard<std::mutex> lock(mutex);
                threads.insert(currentThreadEventLoop->tid() == hv_gettid() ? hv_gettid() : -1);
                opened.tell();
            } else {
                closed.tell();
            }
        };
        server.onMessage = [](const SessionPtr &channel, Buffer *buf) {
            ++channel->messages;
            std::string text((const char *)buf->data(), buf->size());
            std::string &name = channel->getContextPtr<Name>()->text;
            channel->write(name + " -> " + text);
            name = text.substr(0, text.size() - 1);
        };
        server.start();

        const int count = 8;
        std::vector<std::unique_ptr<Client>> clients;
        for (int i = 0; i < count; ++i) {
            clients.push_back(std::unique_ptr<Client>(new Client));
            if (!clients.back()->connect(port)) return 1;
            opened.wait(i + 1);
        }
        {
            std::lock_guard<std::mutex> lock(mutex);
            printf("threads: %d, right ones: %d\n", (int)threads.size(), (int)!threads.count(-1));
        }
        printf("connections: %d, alive: %d\n", (int)server.connectionNum(), (int)Session::alive);
        for (int i = 0; i < count; ++i) {
            clients[(size_t)i]->up.wait(1);
            // Two packages, cut in the middle of the second.
            clients[(size_t)i]->tcp.send("ann\nbo");
            clients[(size_t)i]->tcp.send("b\n");
        }
        std::set<std::string> said;
        for (int i = 0; i < count; ++i) {
            clients[(size_t)i]->heard.wait(2);
            said.insert(clients[(size_t)i]->said());
        }
        printf("%d: %s", (int)said.size(), said.begin()->c_str());
        int messages = 0;
        printf("each: %d, ", server.foreachChannel([&messages](const SessionPtr &channel) { messages += channel->messages; }));
        printf("%d\n", messages);
        SessionPtr found = server.getChannelById(last);
        printf("by its number: %d, %d\n", found && found->id() == last && found->getContext<Session>() == found.get(),
               server.getChannelById(123456) == NULL);
        printf("broadcast: %d\n", server.broadcast("all\n"));
        for (int i = 0; i < count; ++i) clients[(size_t)i]->heard.wait(3);

        server.closesocket();
        printf("no port: %d, and %d connections\n", server.listenfd < 0, (int)server.connectionNum());
        server.start();
        Client one_more;
        if (!one_more.connect(port)) return 1;
        one_more.up.wait(1);
        opened.wait(count + 1);
        printf("again: %d\n", (int)server.connectionNum());

        found->close();
        found->close();
        closed.wait(1);
        printf("closed: %d, write: %d, kept: %d\n", found->isClosed() && !found->isConnected(), found->write("x"),
               found->fd() > 2 && !found->peeraddr().empty() && found->io() == NULL);
        server.stop();
        closed.wait(count + 1);
        printf("stopped: %d\n", (int)server.connectionNum());
        one_more.down.wait(1);

        // Another life.
        if (server.createsocket(port, "127.0.0.1") < 0) return 1;
        server.start();
        Client last_one;
        if (!last_one.connect(port)) return 1;
        last_one.up.wait(1);
        opened.wait(count + 2);
        printf("alive again: %d\n", (int)server.connectionNum());
    }
    printf("alive: %d\n", (int)Session::alive);
    return 0;
}
