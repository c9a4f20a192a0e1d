// A thread that its program starts and stops again and again, with and without waiting, and from two threads.
#include "hv/EventLoopThreadPool.h"

class Service : private hv::EventLoopThread {
  public:
    Service() : ran(0) {}
    ~Service() { hv::EventLoopThread::stop(true); }
    void begin() {
        start(true);
        loop()->queueInLoop([this]() { ++ran; });
    }
    void end() { stop(true); }
    std::atomic<int> ran;
};

int main() {
    Service service;
    for (int i = 0; i < 20; ++i) {
        service.begin();
        service.begin();
        service.end();
    }
    printf("ran: %d\n", (int)service.ran);

    hv::EventLoopThreadPool pool(2);
    for (int i = 0; i < 10; ++i) {
        pool.start();
        std::thread one([&pool]() { pool.stop(true); });
        std::thread two([&pool]() { pool.stop(true); });
        one.join();
        two.join();
    }
    printf("pools: %d\n", pool.loop(0)->isStopped());

    std::atomic<int> started(0);
    hv::EventLoopThread shared;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.push_back(std::thread([&shared, &started]() {
            shared.start(true, [&started]() {
                ++started;
                return 0;
            });
        }));
    }
    for (size_t i = 0; i < threads.size(); ++i) threads[i].join();
    shared.loop()->queueInLoop([&shared]() { shared.stop(); });
    shared.join();
    printf("started: %d\n", (int)started);
    return 0;
}
