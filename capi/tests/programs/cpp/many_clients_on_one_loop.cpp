// Many clients of a class of their own on one loop, each with a timer, and each deleted there.
#include "hv/TcpClient.h"
#include "hv/TcpServer.h"

#include "../latch.h"

using namespace hv;

static Latch connected, echoed, gone;
static std::atomic<int> alive(0);

class MyClient : public TcpClient {
  public:
    explicit MyClient(EventLoopPtr loop) : TcpClient(loop), text_(100, 'm'), ticks_(0) { ++alive; }
    virtual ~MyClient() {
        --alive;
        gone.tell();
    }

    int connect(int port) {
        if (createsocket(port) < 0) return -1;
        onConnection = [this](const SocketChannelPtr &link) {
            if (!link->isConnected()) return;
            connected.tell();
            timer_ = setInterval(1, [this, link](TimerID id) {
                if (!link->isConnected()) {
                    killTimer(id);
                } else if (link->isWriteComplete()) {
                    link->write(text_);
                    if (++ticks_ == 3) killTimer(id);
                }
            });
        };
        onMessage = [this](const SocketChannelPtr &, Buffer *buf) {
            got_ += buf->size();
            if (got_ == 3 * text_.size()) {
                killTimer(timer_);
                echoed.tell();
            }
        };
        reconn_setting_t reconn;
        reconn.min_delay = 1000;
        setReconnect(&reconn);
        start();
        return 0;
    }

  private:
    std::string text_;
    int ticks_;
    size_t got_ = 0;
    TimerID timer_ = INVALID_TIMER_ID;
};

int main() {
    TcpServer server;
    if (server.createsocket(0, "127.0.0.1") < 0) return 1;
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) { channel->write(buf); };
    server.start();

    const int count = 100;
    EventLoopThread loop_thread;
    loop_thread.start();
    std::vector<MyClient *> clients;
    for (int i = 0; i < count; ++i) {
        clients.push_back(new MyClient(loop_thread.loop()));
        if (clients.back()->connect(server.port) != 0) return 1;
    }
    connected.wait(count);
    printf("connected, all of them\n");
    echoed.wait(count);
    printf("echoed, all of them; alive: %d\n", (int)alive);
    for (int i = 0; i < count; ++i) clients[(size_t)i]->deleteInLoop();
    gone.wait(count);
    printf("alive: %d\n", (int)alive);
    loop_thread.stop();
    loop_thread.join();

    // The loop has ended: they go here.
    MyClient *late = new MyClient(loop_thread.loop());
    late->deleteInLoop();
    printf("and late: %d\n", (int)alive);
    server.stop();
    return 0;
}
