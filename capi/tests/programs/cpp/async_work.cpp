// Work for a pool of threads, whose results come back to a loop.
#include "hv/EventLoop.h"
#include "hv/hasync.h"

static int square(int n) { return n * n; }

int main() {
    hv::async::startup(1, 3, 1000);
    std::future<int> four = hv::async(square, 2);
    std::future<std::string> text = hv::async([](const std::string &a) { return a + "!"; }, std::string("done"));
    printf("%d %s\n", four.get(), text.get().c_str());
    std::future<int> thrown = hv::async([]() -> int { throw std::runtime_error("no result"); });
    try {
        thrown.get();
    } catch (const std::exception &error) {
        printf("%s\n", error.what());
    }

    hv::EventLoop loop;
    int sum = 0, left = 100;
    for (int i = 1; i <= 100; ++i) {
        hv::async([&loop, &sum, &left, i]() {
            loop.runInLoop([&loop, &sum, &left, i]() {
                sum += i;
                if (--left == 0) loop.stop();
            });
        });
    }
    loop.run();
    printf("sum %d\n", sum);
    printf("threads: %d\n", hv::GlobalThreadPool::instance()->currentThreadNum() <= 3);
    hv::async::cleanup();

    HThreadPool pool(0, 2, 1);
    pool.start();
    pool.pause();
    std::atomic<int> ran(0);
    for (int i = 0; i < 10; ++i) pool.commit([&ran]() { ++ran; });
    printf("paused: %d, waiting: %d\n", (int)ran, (int)pool.taskNum());
    pool.resume();
    pool.wait();
    printf("ran: %d\n", (int)ran);
    while (pool.currentThreadNum() > 0) std::this_thread::yield();
    printf("all idle ones ended\n");
    printf("more: %d\n", pool.commit(square, 3).get());
    const int first = pool.stop();
    printf("stopped: %d %d\n", first, pool.stop());
    return 0;
}
