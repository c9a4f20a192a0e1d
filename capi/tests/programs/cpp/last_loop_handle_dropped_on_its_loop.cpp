// The last owner of a thread, and of a pool, is a callback on it: it stops, and nobody waits for himself.
#include "hv/EventLoopThreadPool.h"

#include <condition_variable>

struct Done {
    std::mutex mutex;
    std::condition_variable told;
    int count;
    Done() : count(0) {}
    void tell() {
        std::lock_guard<std::mutex> lock(mutex);
        ++count;
        told.notify_all();
    }
    void wait(int wanted) {
        std::unique_lock<std::mutex> lock(mutex);
        while (count < wanted) told.wait(lock);
    }
};

int main() {
    // For the threads, which may outlive main's variables.
    static Done done;
    hv::EventLoopThreadPtr *thread = new hv::EventLoopThreadPtr(std::make_shared<hv::EventLoopThread>());
    (*thread)->start(true, NULL, []() {
        done.tell();
        return 0;
    });
    (*thread)->loop()->queueInLoop([thread]() {
        delete thread;
        printf("the thread's object is gone\n");
    });
    done.wait(1);

    hv::EventLoopThreadPool *pool = new hv::EventLoopThreadPool(2);
    pool->start(true, NULL, [](const hv::EventLoopPtr &) { done.tell(); });
    pool->loop(0)->queueInLoop([pool]() {
        delete pool;
        printf("the pool's object is gone\n");
    });
    done.wait(3);

    hv::EventLoopPtr *loop = new hv::EventLoopPtr(std::make_shared<hv::EventLoop>());
    (*loop)->queueInLoop([loop]() {
        // It runs: its object goes, and it stops.
        loop->reset();
        printf("the loop's object is gone\n");
    });
    hvloop_loop *handle = hvloop_loop_retain((*loop)->loop());
    printf("ran: %d\n", hvloop_loop_run(handle, NULL));
    hvloop_loop_release(handle);
    delete loop;
    return 0;
}
