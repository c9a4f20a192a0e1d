// Four loops, each on its thread: they are found one after the other, by number and by load, and stopped by one.
#include "hv/hv.h"
#include "hv/EventLoopThreadPool.h"

#include <set>

using namespace hv;

int main() {
    hlog_set_level(LOG_LEVEL_WARN);
    EventLoopThreadPool pool(4);
    printf("threads: %d, loops before the start: %d\n", pool.threadNum(), pool.nextLoop() != NULL);

    std::atomic<int> begun(0), ended(0), done(0);
    pool.start(
        true, [&begun](const EventLoopPtr &loop) { begun += loop->tid() == hv_gettid() ? 1 : 100; },
        [&ended](const EventLoopPtr &loop) { ended += loop->tid() == hv_gettid() ? 1 : 100; });
    std::set<EventLoop *> loops;
    std::set<long> threads;
    for (int i = 0; i < pool.threadNum(); ++i) {
        loops.insert(pool.loop(i).get());
        threads.insert(pool.loop(i)->tid());
    }
    printf("loops: %d, on threads: %d\n", (int)loops.size(), (int)threads.size());
    std::set<EventLoop *> turns;
    for (int i = 0; i < pool.threadNum(); ++i) turns.insert(pool.loop().get());
    printf("one after the other: %d\n", turns == loops);
    printf("by load: %d\n", (int)loops.count(pool.nextLoop(LB_LeastConnections).get()));
    printf("any: %d\n", (int)loops.count(pool.nextLoop(LB_Random).get()));

    for (int i = 0; i < 400; ++i) {
        EventLoopPtr loop = pool.nextLoop();
        loop->queueInLoop([loop, &done, &pool]() {
            loop->assertInLoopThread();
            // The last one stops all of them, on a thread of theirs.
            if (++done == 400) pool.stop(false);
        });
    }
    pool.join();
    printf("done: %d, begun: %d, ended: %d\n", (int)done, (int)begun, (int)ended);

    pool.setThreadNum(2);
    pool.start();
    printf("again: %d, %d\n", pool.threadNum(), pool.loop(1)->isRunning());
    pool.stop(true);

    EventLoopThreadPool none(0);
    none.start();
    printf("of none: %d\n", none.loop() == nullptr);
    return 0;
}
