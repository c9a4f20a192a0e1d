// A program that stops its loops by atexit, as it would close its files.
#include "hv/EventLoopThread.h"

static hv::EventLoopThread *thread;

static void finish() {
    thread->stop(true);
    printf("stopped: %d\n", thread->loop()->isStopped());
    delete thread;
    hv::EventLoop late;
    late.queueInLoop([&late]() {
        printf("and one more loop\n");
        late.stop();
    });
    late.run();
    fflush(stdout);
}

int main() {
    setvbuf(stdout, NULL, _IOLBF, 0);
    atexit(finish);
    thread = new hv::EventLoopThread;
    thread->start();
    thread->loop()->setInterval(1, [](hv::TimerID) {});
    return 0;
}
