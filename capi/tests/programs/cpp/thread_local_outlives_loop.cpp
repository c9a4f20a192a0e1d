// Objects of a loop's thread are destroyed after its loop has ended: what they call then is an error, and no more.
#include "hv/EventLoopThread.h"

#include <condition_variable>

static std::atomic<int> destroyed(0);

struct Local {
    hv::EventLoopPtr loop;
    ~Local() {
        if (!loop) return;
        const bool outside = currentThreadEventLoop == NULL;
        loop->queueInLoop([]() { printf("never\n"); });
        const bool none = loop->setTimeout(1, [](hv::TimerID) {}) == INVALID_TIMER_ID;
        loop->stop();
        destroyed = outside && none && hv::setTimeout(1, [](hv::TimerID) {}) == INVALID_TIMER_ID ? 1 : -1;
    }
};

static thread_local Local local;

int main() {
    {
        hv::EventLoopThread thread;
        thread.start();
        hv::EventLoopPtr loop = thread.loop();
        loop->runInLoop([loop]() { local.loop = loop; });
        loop->queueInLoop([loop]() { loop->stop(); });
        thread.join();
    }
    while (destroyed == 0) std::this_thread::yield();
    printf("errors, each of them: %d\n", (int)destroyed);

    hv::EventLoopPtr mine = std::make_shared<hv::EventLoop>();
    mine->queueInLoop([mine]() { local.loop = mine; });
    mine->queueInLoop([mine]() { mine->stop(); });
    mine->run();
    printf("and at the program's end\n");
    return 0;
}
