// Headers of another version than the library's: it is said, and nothing is made.
#include "hvloop.h"
#undef HVLOOP_ABI_VERSION
#define HVLOOP_ABI_VERSION 1000000

#include "hv/EventLoop.h"

static void tell(int, const char *buf, int len) {
    const std::string line(buf, (size_t)len);
    printf("%d\n", line.find("build the program again") != std::string::npos);
}

int main() {
    hlog_set_handler(tell);
    hv::EventLoop loop;
    printf("nothing: %d %d\n", loop.loop() == NULL, loop.setTimeout(1, [](hv::TimerID) {}) == INVALID_TIMER_ID);
    hlog_disable();
    loop.queueInLoop([]() {});
    loop.run();
    loop.stop();
    return 0;
}
