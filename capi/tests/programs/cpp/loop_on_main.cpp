// A loop on the main thread: timers of each kind, tasks from other threads, and a stop from a timer.
#include "hv/hv.h"
#include "hv/EventLoop.h"

using namespace hv;

int main() {
    HV_MEMCHECK;
    EventLoop loop;
    // What timers find is told at the end: how they fall together with tasks is the clock's.
    int ticks = 0, once = 0, named = 0;
    bool of_its_own = false;
    TimerID interval = INVALID_TIMER_ID;
    interval = loop.setInterval(10, [&](TimerID id) {
        if (++ticks == 3) {
            of_its_own = id == interval;
            killTimer(id);
        }
    });
    TimerID first = loop.setTimeout(5, [&](TimerID) {
        once += loop.tid() == hv_gettid() && loop.isInLoopThread() && currentThreadEventLoop == &loop ? 1 : 100;
    });
    printf("two timers: %d\n", interval != first && first != INVALID_TIMER_ID);
    TimerID never = loop.setTimeout(1, [](TimerID) { printf("never\n"); });
    loop.killTimer(never);
    TimerID name = loop.setTimer(6, [&](TimerID id) { named += (int)id; }, 2, 77);
    printf("its name: %d\n", (int)name);
    TimerID gone = loop.setTimer(1, [](TimerID) { printf("never\n"); }, INFINITE, 78);
    loop.killTimer(gone);
    TimerID late = loop.setTimeout(1000000, [&](TimerID) { once += 10; });
    loop.resetTimer(late, 1);

    loop.queueInLoop([]() { printf("queued first\n"); });
    loop.runInLoop([&loop]() {
        printf("then run\n");
        loop.queueInLoop([]() { printf("queued by it\n"); });
        loop.runInLoop([]() { printf("at once\n"); });
    });
    loop.postEvent([&loop](Event *event) { printf("an event of its loop: %d\n", event->event.loop == loop.loop()); });

    std::thread other([&loop]() {
        loop.queueInLoop([&loop]() {
            printf("from another thread: %d\n", currentThreadEventLoop == &loop && tlsEventLoop()->isRunning());
        });
    });
    other.join();
    printf("outside: %d\n", currentThreadEventLoop == NULL && setTimeout(1, [](TimerID) {}) == INVALID_TIMER_ID);

    loop.setInterval(5, [&](TimerID id) {
        if (ticks >= 3 && once >= 11 && named >= 154) {
            killTimer(id);
            setTimeout(1, [&loop](TimerID) { loop.stop(); });
        }
    });
    loop.run();
    printf("ticks: %d, %d, once: %d, named: %d\n", ticks, of_its_own, once, named);
    printf("stopped: %d\n", loop.isStopped());
    loop.queueInLoop([]() { printf("never\n"); });
    return 0;
}
