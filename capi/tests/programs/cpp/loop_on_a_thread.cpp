// A loop on a thread of its own: timers before the start, hooks, a stop from its own timer, and a second life.
#include "hv/hv.h"
#include "hv/EventLoopThread.h"

using namespace hv;

int main() {
    HV_MEMCHECK;
    EventLoopThread loop_thread;
    const EventLoopPtr &loop = loop_thread.loop();
    loop->setTimeout(10, [loop](TimerID) {
        printf("timer that was set before the start\n");
        loop->stop();
    });
    printf("before: %d %d\n", loop_thread.isRunning(), loop->tid() == 0);
    const long main_thread = hv_gettid();
    loop_thread.start(
        true,
        [main_thread]() {
            printf("pre: %d\n", hv_gettid() != main_thread && currentThreadEventLoop->tid() == hv_gettid());
            return 0;
        },
        []() {
            printf("post: %d\n", currentThreadEventLoop == NULL);
            return 0;
        });
    loop_thread.join();
    printf("after: %d\n", loop->isStopped());

    // Again: with a new loop, which is the same object's.
    loop_thread.start();
    printf("again: %d\n", loop_thread.isRunning());
    std::string text = "moved in";
    loop->runInLoop([text]() { printf("%s\n", text.c_str()); });
    loop_thread.stop(true);
    printf("and stopped: %d\n", loop->isStopped());

    // Somebody else's loop, which its first callback refuses.
    EventLoopPtr given = std::make_shared<EventLoop>();
    EventLoopThread second(given);
    second.start(true, []() {
        printf("refused\n");
        return -1;
    });
    second.join();
    printf("given: %d\n", given->isStopped() && second.loop() == given);
    EventLoopThread never_started;
    never_started.stop(true);
    return 0;
}
