// Timers and tasks that hold their own loop, and what they were given: all of it goes with the loop's end.
#include "hv/EventLoopThreadPool.h"

struct Counted {
    static std::atomic<int> alive;
    std::string text;
    Counted() : text(100, 'c') { ++alive; }
    ~Counted() { --alive; }
};
std::atomic<int> Counted::alive(0);

int main() {
    {
        hv::EventLoopPtr loop = std::make_shared<hv::EventLoop>();
        std::shared_ptr<Counted> counted = std::make_shared<Counted>();
        loop->setInterval(1000, [loop, counted](hv::TimerID) {});
        loop->setTimer(1000, [loop, counted](hv::TimerID) {}, 5, 9);
        loop->queueInLoop([loop, counted]() {
            loop->setInterval(1, [loop, counted](hv::TimerID) { loop->stop(); });
        });
        loop->run();
        printf("after the run: %d of them, held once: %d\n", (int)Counted::alive, (int)(counted.use_count() == 1));
        // Refused, and dropped here.
        loop->queueInLoop([loop, counted]() {});
        printf("refused: %d\n", (int)(counted.use_count() == 1 && loop.use_count() == 1));
    }
    {
        hv::EventLoopThread thread;
        hv::EventLoopPtr loop = thread.loop();
        std::shared_ptr<Counted> counted = std::make_shared<Counted>();
        loop->setInterval(1, [loop, counted](hv::TimerID) {});
        thread.start();
        thread.stop(true);
    }
    {
        hv::EventLoopThreadPool pool(2);
        pool.start(true, [](const hv::EventLoopPtr &loop) {
            std::shared_ptr<Counted> counted = std::make_shared<Counted>();
            loop->setInterval(1, [loop, counted](hv::TimerID) {});
        });
    }
    printf("at the end: %d\n", (int)Counted::alive);
    return 0;
}
