// Exceptions of each kind of callback are told, and the loop goes on.
#include "hv/EventLoopThread.h"

#include <stdexcept>

static void tell(int level, const char *buf, int len) {
    if (level == LOG_LEVEL_ERROR) printf("%s", std::string(buf, (size_t)len).substr(26).c_str());
}

int main() {
    hlog_set_handler(tell);
    hv::EventLoop loop;
    loop.queueInLoop([]() { throw std::runtime_error("a task"); });
    loop.queueInLoop([]() { throw 7; });
    loop.postEvent([](hv::Event *) { throw std::string("an event"); });
    loop.queueInLoop([]() {
        hv::tlsEventLoop()->runInLoop([]() { throw std::runtime_error("a task within a task"); });
        printf("and on\n");
    });
    int fired = 0;
    loop.queueInLoop([&loop, &fired]() {
        loop.setInterval(1, [&loop, &fired](hv::TimerID) {
            if (++fired == 2) loop.stop();
            throw std::runtime_error("a timer");
        });
    });
    loop.run();

    hv::EventLoopThread thread;
    thread.start(true, []() -> int { throw std::runtime_error("a hook before"); },
                 []() -> int { throw std::runtime_error("a hook behind"); });
    std::atomic<bool> ran(false);
    thread.loop()->runInLoop([&ran]() { ran = true; });
    while (!ran) std::this_thread::yield();
    printf("it runs: %d\n", thread.isRunning());
    thread.stop(true);
    return 0;
}
