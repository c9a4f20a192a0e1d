// Callbacks that put megabytes on the stack, as those of C++ may: on the threads of loops and pools.
#include "hv/EventLoopThreadPool.h"

#include <cstring>

static int large(int n) {
    volatile char bytes[4 << 20];
    for (size_t i = 0; i < sizeof(bytes); i += 1024) bytes[i] = static_cast<char>(n);
    int sum = 0;
    for (size_t i = 0; i < sizeof(bytes); i += 1024) sum += bytes[i];
    return sum;
}

int main() {
    hv::EventLoopThread thread;
    thread.start(true, []() {
        printf("in a hook: %d\n", large(1));
        return 0;
    });
    thread.loop()->setTimeout(1, [&thread](hv::TimerID) {
        printf("in a timer: %d\n", large(2));
        thread.loop()->stop();
    });
    thread.join();
    hv::EventLoopThreadPool pool(1);
    pool.start();
    pool.loop()->queueInLoop([&pool]() {
        printf("in a pool: %d\n", large(3));
        pool.stop();
    });
    pool.join();
    return 0;
}
