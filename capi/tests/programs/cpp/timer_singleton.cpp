// A program's own timer thread, one for all of it, which lives in libhv's namespace.
#include "hv/TimerThread.h"
#include "hv/singleton.h"

namespace hv {

class Clock : public TimerThread {
    SINGLETON_DECL(Clock)

  protected:
    Clock() : TimerThread() {}
    ~Clock() {}

  public:
    static TimerID setTimeout(int ms, TimerCallback cb) { return Clock::instance()->setTimer(ms, cb, 1); }
    static TimerID setInterval(int ms, TimerCallback cb) { return Clock::instance()->setTimer(ms, cb, INFINITE); }
    static void clear(TimerID id) { Clock::instance()->killTimer(id); }
};

SINGLETON_IMPL(Clock)

} // namespace hv

int main() {
    setvbuf(stdout, NULL, _IOLBF, 0);
    std::atomic<int> ticks(0);
    hv::TimerID id = hv::Clock::setInterval(2, [&ticks](hv::TimerID) { ticks++; });
    hv::Clock::setTimeout(1, [](hv::TimerID) { printf("once\n"); });
    std::string line;
    while (std::getline(std::cin, line)) {
        if (line == "wait") {
            while (ticks < 5) std::this_thread::yield();
            printf("it ticks\n");
        } else if (line == "clear") {
            hv::Clock::clear(id);
            std::atomic<bool> cleared(false);
            hv::Clock::instance()->loop()->queueInLoop([&cleared]() { cleared = true; });
            while (!cleared) std::this_thread::yield();
            const int before = ticks;
            hv::Clock::setTimeout(20, [&ticks, before](hv::TimerID) { printf("quiet: %d\n", ticks == before); });
        } else if (line == "again") {
            hv::Clock::exitInstance();
            printf("gone\n");
            hv::Clock::setTimeout(1, [](hv::TimerID) { printf("another clock\n"); });
        }
    }
    hv::Clock::exitInstance();
    return 0;
}
