// The program ends while loops run: nobody waits for them.
#include "hv/EventLoopThreadPool.h"

int main() {
    // Never deleted, as some programs have them; found from a global, so that it is no leak.
    static hv::EventLoopThread *thread = new hv::EventLoopThread;
    static hv::EventLoopThreadPool *pool = new hv::EventLoopThreadPool(2);
    thread->start();
    pool->start();
    std::atomic<int> *ticks = new std::atomic<int>(0);
    static std::atomic<int> *found = ticks;
    thread->loop()->setInterval(1, [](hv::TimerID) { ++*found; });
    pool->loop()->setInterval(1, [](hv::TimerID) { ++*found; });
    while (*found < 3) std::this_thread::yield();
    printf("main returns\n");
    return 0;
}
