// A callback on a loop's thread ends the program, whose globals have loops and threads, this one's among them.
#include "hv/EventLoopThreadPool.h"
#include "hv/TimerThread.h"

#include <condition_variable>

static hv::EventLoopThread global_thread;
static hv::EventLoopThreadPool global_pool(2);
static hv::TimerThread global_timers;

struct Says {
    ~Says() {
        printf("globals are destroyed\n");
        fflush(stdout);
    }
};
static Says says;

int main() {
    static hv::EventLoopThread in_a_function;
    in_a_function.start();
    global_thread.start();
    global_pool.start();
    global_timers.setInterval(1, [](hv::TimerID) {});
    global_pool.loop(1)->setInterval(1, [](hv::TimerID) {});
    global_thread.loop()->setTimeout(5, [](hv::TimerID) {
        printf("the end\n");
        exit(0);
    });
    // Never: the program ends meanwhile.
    global_thread.join();
    std::mutex mutex;
    std::unique_lock<std::mutex> lock(mutex);
    std::condition_variable never;
    while (true) never.wait(lock);
}
