// Waits for what other threads have done.
#ifndef LATCH_H
#define LATCH_H

#include <condition_variable>
#include <mutex>

class Latch {
  public:
    Latch() : count_(0) {}

    void tell() {
        std::lock_guard<std::mutex> lock(mutex_);
        ++count_;
        told_.notify_all();
    }

    void wait(int count) {
        std::unique_lock<std::mutex> lock(mutex_);
        while (count_ < count) told_.wait(lock);
    }

  private:
    std::mutex mutex_;
    std::condition_variable told_;
    int count_;
};

#endif
